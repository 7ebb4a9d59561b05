#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/hash.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/scenario_clips.h"
#include "gatekeeper/cli/scenario_origin.h"
#include "gatekeeper/cli/stale_clips.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gatekeeper/ingest/channel_import.h"
#include "nlohmann/json.hpp"
#include "proto/ingest.pb.h"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostMapBytes = 1 << 20;
constexpr double kLongestClipS = 1e6;
constexpr double kShortestClipS = 1;  // below it gates have nothing to judge

struct ImportArguments {
  std::vector<std::string> files;
  std::string map;
  std::string to;
  std::vector<std::string> tags = {"imported"};
  Cut cut;
  bool overwrite = false;
};

// One scenario to be made.
struct WantedClip {
  ingest::TimeRange stretch;
  std::string recording;  // the MCAP file to write; its YAML goes beside it

  std::string scenario() const { return fs::path(recording).replace_extension(".yaml").string(); }
};

struct MadeClip {
  WantedClip wanted;
  ingest::Imported imported;
  v1::Origin origin;
  std::string sha256;
};

struct SkippedClip {
  std::string recording;
  absl::Status why;
};

absl::Status CheckName(const std::string& name) {
  if (gates::PlainName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' must be made of letters, digits, '.', '_' and '-': it becomes part of a scenario",
      name));
}

// Where each recording's scenario goes, without what numbers its clips.
absl::StatusOr<std::vector<fs::path>> Destinations(const ImportArguments& request) {
  const fs::path to(request.to);
  std::error_code absent;
  if (to.extension() == ".mcap") {
    if (request.files.size() == 1) return std::vector<fs::path>{fs::path(to).replace_extension()};
    return absl::InvalidArgumentError("--to must be a folder where several recordings go: " +
                                      request.to);
  }
  if (!to.extension().empty() && !fs::is_directory(to, absent)) {
    return absl::InvalidArgumentError("--to must end in .mcap or be a folder: " + request.to);
  }
  std::vector<fs::path> destinations;
  std::set<std::string> names;
  for (const std::string& file : request.files) {
    const std::string name = RecordingName(file);
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrFormat("two recordings are called %s: import one of them by itself, --to %s",
                          name, (to / "another-name.mcap").string()));
    }
    destinations.push_back(to / name);
  }
  return destinations;
}

absl::StatusOr<std::vector<WantedClip>> ClipsOf(const ImportArguments& request,
                                                const std::string& source,
                                                const fs::path& destination,
                                                const ingest::RecordingFile& file) {
  RETURN_IF_ERROR(CheckName(destination.filename().string()));
  ASSIGN_OR_RETURN(const auto stretches, StretchesOf(file.span(), request.cut));
  std::vector<WantedClip> clips;
  for (const ingest::TimeRange& stretch : stretches) {
    std::string recording = destination.string();
    if (request.cut.every_s) absl::StrAppendFormat(&recording, "-%03d", clips.size());
    clips.push_back({stretch, recording + ".mcap"});
    for (const std::string& path : {clips.back().recording, clips.back().scenario()}) {
      std::error_code absent;
      if (fs::equivalent(path, source, absent)) {
        return absl::InvalidArgumentError(
            absl::StrFormat("%s is the recording itself: choose another --to", path));
      }
      if (request.overwrite || !fs::exists(path, absent)) continue;
      return absl::AlreadyExistsError(
          absl::StrFormat("%s is there already, maybe with labels: choose another --to, or say "
                          "--overwrite",
                          path));
    }
  }
  return clips;
}

// A recording that is open, with what is to be made of it.
struct OpenedSource {
  std::unique_ptr<ingest::RecordingFile> file;
  ingest::Importer importer;
  v1::Origin origin;
  std::vector<WantedClip> clips;
};

class ImportRun {
 public:
  ImportRun(const ImportArguments& request, std::string program)
      : request_(request), program_(std::move(program)) {}

  absl::Status Run() {
    RETURN_IF_ERROR(ReadMap());
    for (const std::string& tag : request_.tags) RETURN_IF_ERROR(CheckName(tag));
    ASSIGN_OR_RETURN(const std::vector<fs::path> destinations, Destinations(request_));
    for (size_t i = 0; i < destinations.size(); ++i)
      RETURN_IF_ERROR(ImportOne(request_.files[i], destinations[i]));
    return made_.empty() ? skipped_.front().why : absl::OkStatus();
  }

  const std::vector<MadeClip>& made() const { return made_; }
  const std::vector<SkippedClip>& skipped() const { return skipped_; }
  const StaleClips& stale() const { return stale_; }

 private:
  absl::Status ReadMap() {
    ASSIGN_OR_RETURN(const std::string text, files_.Read(request_.map, kMostMapBytes));
    map_sha256_ = agent::trust::Sha256(text).hex();
    return agent::base::ReadYaml(text, request_.map, "import/1", map_).status();
  }

  absl::StatusOr<OpenedSource> Open(const std::string& path, const fs::path& destination) const {
    ASSIGN_OR_RETURN(auto file, ingest::OpenRecording(path));
    ASSIGN_OR_RETURN(auto clips, ClipsOf(request_, path, destination, *file));
    ASSIGN_OR_RETURN(ingest::Importer importer, ingest::Importer::For(*file, map_));
    ASSIGN_OR_RETURN(v1::Origin origin, OriginOf(path, *file));
    origin.set_map_sha256(map_sha256_);
    origin.set_program(program_);
    for (const std::string& note : importer.notes()) origin.add_notes(note);
    return OpenedSource{std::move(file), std::move(importer), std::move(origin), std::move(clips)};
  }

  absl::Status ImportOne(const std::string& path, const fs::path& destination) {
    absl::StatusOr<OpenedSource> source = Open(path, destination);
    if (!source.ok()) {
      return request_.files.size() == 1
                 ? source.status()
                 : absl::Status(source.status().code(),
                                absl::StrCat(path, ": ", std::string(source.status().message())));
    }
    if (destination.has_parent_path())
      RETURN_IF_ERROR(files_.MakeFolders(destination.parent_path().string()));
    const size_t skipped = skipped_.size();
    for (const WantedClip& wanted : source->clips) {
      absl::Status made = Make(*source, wanted);
      if (made.ok()) continue;
      // One of many clips may have nothing in it, no transform yet, or a damaged message.
      const bool passable = absl::IsNotFound(made) || absl::IsDataLoss(made);
      if (!request_.cut.every_s || !passable) return made;
      skipped_.push_back({wanted.recording, made});
    }
    return request_.overwrite ? RemoveStale(*source, destination, skipped_.size() == skipped)
                              : absl::OkStatus();
  }

  // Overwritten are all clips of the recording, also those that would not be made any more; but
  // only by an import that made all of it again.
  absl::Status RemoveStale(const OpenedSource& source, const fs::path& destination, bool all_made) {
    std::set<std::string> made;
    for (const MadeClip& clip : made_)
      made.insert(fs::path(clip.wanted.scenario()).filename().string());
    const bool whole = all_made && !request_.cut.from_s && !request_.cut.until_s;
    return RemoveStaleClips({destination.string(), source.origin.sha256()}, made, whole, stale_);
  }

  absl::Status Make(const OpenedSource& source, const WantedClip& wanted) {
    MadeClip clip{.wanted = wanted, .imported = {}, .origin = source.origin, .sha256 = {}};
    ASSIGN_OR_RETURN(clip.imported, source.importer.Write(wanted.stretch, wanted.recording));
    for (const std::string& note : clip.imported.notes) clip.origin.add_notes(note);
    ASSIGN_OR_RETURN(const agent::base::Digest sha256, agent::trust::Sha256File(wanted.recording));
    clip.sha256 = sha256.hex();
    RETURN_IF_ERROR(files_.WriteDurably(
        wanted.scenario(),
        ImportedScenario(wanted.recording, sha256, clip.imported, request_.tags, clip.origin),
        0644));
    made_.push_back(std::move(clip));
    return absl::OkStatus();
  }

  const ImportArguments& request_;
  std::string program_;
  agent::base::OsFiles files_;
  v1::ImportMap map_;
  std::string map_sha256_;
  std::vector<MadeClip> made_;
  std::vector<SkippedClip> skipped_;
  StaleClips stale_;
};

// A note of the whole recording is told once.
void PrintImportTable(const ImportRun& run) {
  std::set<std::string> told;
  for (const MadeClip& clip : run.made()) {
    for (const std::string& note : clip.origin.notes()) {
      if (told.insert(clip.origin.file() + note).second) std::printf("note: %s\n", note.c_str());
    }
    std::string counts;
    for (const auto& [channel, count] : clip.imported.channels)
      absl::StrAppend(&counts, ", ", channel, " ", count);
    std::printf("wrote %s and %s: %.3f s%s\n", clip.wanted.recording.c_str(),
                clip.wanted.scenario().c_str(), LengthOf(clip.imported), counts.c_str());
  }
  for (const SkippedClip& clip : run.skipped()) {
    std::printf("left out %s: %s\n", clip.recording.c_str(),
                std::string(clip.why.message()).c_str());
  }
  for (const std::string& scenario : run.stale().removed)
    std::printf("removed %s: an earlier import of the same recording\n", scenario.c_str());
  for (const std::string& scenario : run.stale().kept) {
    std::printf(
        "kept %s: an earlier import of the same recording, of which only a part was made "
        "again; remove it yourself if it is not wanted\n",
        scenario.c_str());
  }
  for (const std::string& scenario : run.stale().left_alone)
    std::printf("left alone %s: not of this recording\n", scenario.c_str());
}

void PrintImportJson(const ImportRun& run) {
  nlohmann::ordered_json json = {{"clips", nlohmann::ordered_json::array()},
                                 {"skipped", nlohmann::ordered_json::array()}};
  for (const MadeClip& clip : run.made()) {
    json["clips"].push_back({{"recording", clip.wanted.recording},
                             {"scenario", clip.wanted.scenario()},
                             {"sha256", clip.sha256},
                             {"from", clip.origin.file()},
                             {"length_s", LengthOf(clip.imported)},
                             {"channels", clip.imported.channels},
                             {"left_out", clip.imported.left_out},
                             {"notes", std::vector<std::string>(clip.origin.notes().begin(),
                                                                clip.origin.notes().end())}});
  }
  for (const SkippedClip& clip : run.skipped()) {
    json["skipped"].push_back(
        {{"recording", clip.recording}, {"why", std::string(clip.why.message())}});
  }
  json["removed"] = run.stale().removed;
  json["kept"] = run.stale().kept;
  json["left_alone"] = run.stale().left_alone;
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

absl::Status Import(const ImportArguments& request, const Session& session) {
  ImportRun run(request, absl::StrCat("gatekeeper ", session.version));
  absl::Status status = run.Run();
  // What was made before something went wrong is there, and said.
  if (run.made().empty()) return status;
  if (session.json()) {
    PrintImportJson(run);
  } else {
    PrintImportTable(run);
  }
  return status;
}

}  // namespace

void AddScenarioImport(CLI::App& scenario, Session& session) {
  auto request = std::make_shared<ImportArguments>();
  CLI::App* import = scenario.add_subcommand(
      "import", "make scenarios of any recordings: MCAP files that gates replay, and their YAML");
  import
      ->add_option("FILE", request->files,
                   "MCAP, rosbag2 (.db3 or its folder), ULog, or one of these in .zstd")
      ->required();
  import->add_option("--map", request->map, "import/1 YAML: which topic is which robot channel")
      ->required();
  import
      ->add_option("--to", request->to,
                   "the .mcap file to write, its scenario beside it; or a folder for both")
      ->required();
  import->add_option("--tag", request->tags, "tag of each scenario's only segment (repeatable)")
      ->capture_default_str();
  import->add_option("--from", request->cut.from_s, "seconds since a recording's first message")
      ->check(CLI::Range(0.0, kLongestClipS));
  import->add_option("--until", request->cut.until_s, "where to end, not included")
      ->check(CLI::Range(0.0, kLongestClipS));
  import
      ->add_option("--every", request->cut.every_s,
                   "cut it into clips of so many seconds, NAME-000.mcap and so on")
      ->check(CLI::Range(kShortestClipS, kLongestClipS));
  import->add_flag(
      "--overwrite", request->overwrite,
      "also what is there already; clips of the same recording that are not made again go, if "
      "all of the recording was made");
  import->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  import->callback(
      [request, &session] { session.exit_code = Report(Import(*request, session));
});
}  // namespace gatekeeper::cli

}  // namespace gatekeeper::cli
