#include "gatekeeper/defects/library_defects.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/defects/recording_edits.h"
#include "gatekeeper/defects/twin_file.h"
#include "google/protobuf/util/json_util.h"

namespace gatekeeper::defects {
namespace {

namespace fs = std::filesystem;
using gates::Scenario;
using Changes = absl::StatusOr<std::vector<FileChange>>;

constexpr size_t kMaxRecording = size_t{256} << 20;

absl::StatusOr<std::string> ReadRecording(const std::string& path) {
  return agent::base::OsFiles().Read(path, kMaxRecording);
}

// JSON is YAML too, and the strict reader takes it.
absl::StatusOr<FileChange> Written(const v1::Scenario& document, const std::string& file) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(document, &text, options).ok())
    return absl::InvalidArgumentError("the scenario cannot be written");
  return FileChange{file, text + "\n"};
}

// Seeds of one scenario; `scenario` outlives it.
class Seeds {
 public:
  Seeds(const Scenario& scenario, const std::string& scratch, std::vector<LibraryDefect>& defects)
      : scenario_(scenario), scratch_(scratch), defects_(defects) {}

  void Bytes(const std::string& what,
             const std::function<absl::StatusOr<std::string>(std::string bytes)>& edit) {
    Add(what, "as recorded", what, [scenario = &scenario_, edit]() -> Changes {
      ASSIGN_OR_RETURN(std::string bytes, ReadRecording(scenario->recording));
      ASSIGN_OR_RETURN(std::string edited, edit(std::move(bytes)));
      return std::vector<FileChange>{{scenario->recording, std::move(edited)}};
    });
  }

  // Under the right digest: somebody vouches for it.
  void Content(const std::string& what, const EditItems& edit) {
    Add(what, "as recorded", what, [scenario = &scenario_, edit, scratch = scratch_]() -> Changes {
      const auto& topics = scenario->document.channels();
      ASSIGN_OR_RETURN(
          std::string bytes,
          RewriteRecording(scenario->recording, {topics.begin(), topics.end()}, edit, scratch));
      v1::Scenario document = scenario->document;
      document.clear_channels();  // it is in our own topics now
      document.set_sha256(agent::trust::Sha256(bytes).hex());
      ASSIGN_OR_RETURN(FileChange yaml, Written(document, scenario->file));
      return std::vector<FileChange>{std::move(yaml), {scenario->recording, std::move(bytes)}};
    });
  }

  void Document(const std::string& what, const std::string& before, const std::string& after,
                const std::string& file, const v1::Scenario& edited) {
    Add(what, before, after, [edited, file]() -> Changes {
      ASSIGN_OR_RETURN(FileChange yaml, Written(edited, file));
      return std::vector<FileChange>{std::move(yaml)};
    });
  }

  void Add(const std::string& what, const std::string& before, const std::string& after,
           std::function<Changes()> make) {
    defects_.push_back({scenario_.document.id(), what, before, after, std::move(make)});
  }

 private:
  const Scenario& scenario_;
  std::string scratch_;
  std::vector<LibraryDefect>& defects_;
};

void SeedBytes(const Scenario& scenario, const Scenario& other, Seeds& seeds) {
  seeds.Bytes("byte flipped", [](std::string bytes) -> absl::StatusOr<std::string> {
    if (bytes.empty()) return absl::NotFoundError("the recording is empty");
    char& middle = bytes[bytes.size() / 2];
    middle = static_cast<char>(middle ^ 1);
    return bytes;
  });
  seeds.Bytes("truncated", [](std::string bytes) -> absl::StatusOr<std::string> {
    bytes.resize(bytes.size() / 2);
    return bytes;
  });
  const std::string theirs = other.recording;
  const bool differs = other.document.sha256() != scenario.document.sha256();
  seeds.Bytes("another recording under its name",
              [theirs, differs](const std::string&) -> absl::StatusOr<std::string> {
                if (!differs) return absl::NotFoundError("there is no other recording");
                return ReadRecording(theirs);
              });
  const std::string path = scenario.recording;
  seeds.Add("recording gone", "as recorded", "no file", [path]() -> Changes {
    return std::vector<FileChange>{{path, std::nullopt}};
  });
  v1::Scenario document = scenario.document;
  std::string& digest = *document.mutable_sha256();
  if (!digest.empty()) digest[0] = digest[0] == '0' ? '1' : '0';
  seeds.Document("digest changed", scenario.document.sha256(), digest, scenario.file, document);
}

void SeedLabels(const Scenario& scenario, const v1::GateSuite& suite, Seeds& seeds) {
  // All of the clip is called something else that the suite judges.
  const auto& tags = suite.worst_segment().tags();
  for (int i = 0; i < scenario.document.segments_size(); ++i) {
    const v1::Segment& segment = scenario.document.segments(i);
    const auto other = std::find_if(tags.begin(), tags.end(), [&](const std::string& tag) {
      return std::find(segment.tags().begin(), segment.tags().end(), tag) == segment.tags().end();
    });
    if (segment.tags().empty() || other == tags.end()) continue;
    v1::Scenario document = scenario.document;
    document.mutable_segments(i)->clear_tags();
    document.mutable_segments(i)->add_tags(*other);
    seeds.Document(absl::StrFormat("segment %d mislabelled", i), segment.tags(0), *other,
                   scenario.file, document);
  }
  v1::Scenario twice = scenario.document;
  twice.set_id(scenario.document.id() + "-twice");
  const std::string file = fs::path(scenario.file).replace_filename(twice.id() + ".yaml").string();
  seeds.Document("duplicate clip", scenario.document.id(), twice.id(), file, twice);
}

}  // namespace

absl::StatusOr<MutantLibrary> MutantLibrary::Copy(const std::string& scenarios,
                                                  const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::copy(scenarios, folder, fs::copy_options::recursive, error);
  if (error) {
    return absl::UnavailableError(absl::StrFormat("the scenarios of %s cannot be copied to %s: %s",
                                                  scenarios, folder, error.message()));
  }
  return MutantLibrary(scenarios, folder);
}

absl::Status MutantLibrary::Apply(const std::vector<FileChange>& changes) {
  agent::base::OsFiles files;
  for (const FileChange& change : changes) {
    const std::string relative = fs::path(change.path).lexically_relative(folder_).string();
    if (relative.empty() || relative.rfind("..", 0) == 0) {
      return absl::NotFoundError(
          absl::StrFormat("%s lies outside the scenarios, where nothing is changed", change.path));
    }
    changed_.push_back(relative);
    if (change.bytes.has_value()) {
      RETURN_IF_ERROR(WriteTwinFile(change.path, *change.bytes));
    } else {
      RETURN_IF_ERROR(files.RemoveAll(change.path));
    }
  }
  return absl::OkStatus();
}

absl::Status MutantLibrary::Restore() {
  for (const std::string& relative : std::exchange(changed_, {})) {
    const fs::path original = fs::path(source_) / relative;
    const fs::path copy = fs::path(folder_) / relative;
    std::error_code error;
    fs::remove(copy, error);
    if (!error && fs::exists(original, error)) fs::copy_file(original, copy, error);
    if (error)
      return absl::UnavailableError(absl::StrFormat("%s: %s", copy.string(), error.message()));
  }
  return absl::OkStatus();
}

std::vector<LibraryDefect> SeedLibrary(const std::vector<Scenario>& scenarios,
                                       const v1::ControlPolicy& policy, const v1::GateSuite& suite,
                                       size_t clips, const std::string& scratch) {
  std::set<std::string> required;
  for (const auto& [channel, rule] : policy.inputs()) {
    if (rule.required()) required.insert(channel);
  }
  std::vector<LibraryDefect> defects;
  for (size_t i = 0; i < std::min(clips, scenarios.size()); ++i) {
    Seeds seeds(scenarios[i], scratch, defects);
    SeedBytes(scenarios[i], scenarios[(i + 1) % scenarios.size()], seeds);
    seeds.Content("commands 300 ms late", DelayCommands);
    seeds.Content("scan mirrored", MirrorScans);
    seeds.Content("stamps 2 s back", TurnStampsBack);
    for (const std::string& channel : required)
      seeds.Content("without " + channel, WithoutChannel(channel));
    SeedLabels(scenarios[i], suite, seeds);
  }
  return defects;
}

}  // namespace gatekeeper::defects
