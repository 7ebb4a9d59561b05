#include "gatekeeper/gates/scenario_library.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxScenarioBytes = 256 * 1024;
constexpr size_t kMaxScenarios = 20'000;
constexpr double kMaxSegmentEnd_s = 1e6;  // a recording is hours long, not weeks
constexpr int kMaxMissing = 20;           // named in one message
constexpr size_t kMaxName = 120;          // file systems stop at 255, clips add to the name

// Other documents of this project that may lie beside scenarios.
constexpr std::string_view kNeighbours[] = {"control_policy/1", "fallback_rules/1", "gate_suite/1",
                                            "import/1",         "model_card/1",     "release/1",
                                            "rollout_plan/1",   "site/1",           "waiver/1"};

bool PlainName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name.front() == '.' || name.front() == '-')
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// The value of an unindented `schema:` line, or nothing.
std::string_view WrittenSchema(std::string_view text) {
  constexpr std::string_view kKey = "schema:";
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.substr(0, kKey.size()) == kKey) {
      line.remove_prefix(kKey.size());
      const size_t from = line.find_first_not_of(" \t");
      if (from == std::string_view::npos) return {};
      line.remove_prefix(from);
      return line.substr(0, line.find_first_of(" \t\r#"));
    }
    at = end + 1;
  }
  return {};
}

bool BelongsToNeighbour(std::string_view text) {
  const std::string_view schema = WrittenSchema(text);
  return std::find(std::begin(kNeighbours), std::end(kNeighbours), schema) != std::end(kNeighbours);
}

absl::Status Bad(const agent::base::SourceMap& map, std::string_view path,
                 const std::string& what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", map.Locate(path), what));
}

absl::Status CheckRecordingPath(const std::string& recording, const agent::base::SourceMap& map) {
  const fs::path path(recording);
  if (recording.size() > 1024) {
    return Bad(map, "recording", "recording has more than 1024 characters");
  }
  if (path.is_absolute() || recording.find('\0') != std::string::npos) {
    return Bad(map, "recording", "recording must be relative to this file");
  }
  for (const fs::path& part : path) {
    if (part == "..") return Bad(map, "recording", "recording must not leave this file's folder");
  }
  return absl::OkStatus();
}

absl::Status CheckSegments(const v1::Scenario& scenario, const agent::base::SourceMap& map) {
  for (int i = 0; i < scenario.segments_size(); ++i) {
    const v1::Segment& segment = scenario.segments(i);
    const std::string path = absl::StrFormat("segments[%d]", i);
    const bool sane = std::isfinite(segment.from_s()) && std::isfinite(segment.to_s()) &&
                      segment.from_s() >= 0 && segment.from_s() < segment.to_s() &&
                      segment.to_s() <= kMaxSegmentEnd_s;
    if (!sane) {
      return Bad(map, path,
                 absl::StrFormat("a segment needs 0 <= from_s < to_s <= %g, found %g to %g",
                                 kMaxSegmentEnd_s, segment.from_s(), segment.to_s()));
    }
    if (segment.tags().empty()) return Bad(map, path, "a segment needs at least one tag");
    for (const std::string& tag : segment.tags()) {
      if (!PlainName(tag))
        return Bad(map, path, "a tag is made of letters, digits, '.', '_' and '-'");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Scenario> ParseScenario(const std::string& text, const std::string& file) {
  Scenario scenario;
  scenario.file = file;
  ASSIGN_OR_RETURN(const agent::base::SourceMap map,
                   agent::base::ReadYaml(text, file, "scenario/1", scenario.document));
  if (!PlainName(scenario.document.id())) {
    return Bad(map, "id",
               absl::StrFormat("id must have 1 to %d letters, digits, '.', '_' or '-'", kMaxName));
  }
  RETURN_IF_ERROR(CheckRecordingPath(scenario.document.recording(), map));
  if (!agent::base::Digest::Parse(scenario.document.sha256()).ok()) {
    return Bad(map, "sha256", "sha256 must be the recording's 64 hex digits");
  }
  RETURN_IF_ERROR(CheckSegments(scenario.document, map));
  if (!scenario.document.recording().empty()) {
    scenario.recording = (fs::path(file).parent_path() / scenario.document.recording()).string();
  }
  scenario.sha256 = agent::trust::Sha256(text);
  return scenario;
}

// Regular files below `folder` with one of the extensions, in order.
absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& folder,
                                                    const std::set<std::string>& extensions) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrFormat("folder %s does not exist", folder));
  }
  std::vector<std::string> files;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (extensions.count(it->path().extension().string()) == 0) continue;
    std::error_code ignored;
    if (it->is_regular_file(ignored)) files.push_back(it->path().string());
    if (files.size() > kMaxScenarios) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("more than %d files to look at below %s", kMaxScenarios, folder));
    }
  }
  if (error) {
    return absl::InternalError(absl::StrFormat("listing %s: %s", folder, error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Finds recordings by their digest. Nothing is read before somebody asks.
class RecordingShelf {
 public:
  explicit RecordingShelf(std::string folder) : folder_(std::move(folder)) {}

  // The path, or an empty string.
  absl::StatusOr<std::string> Find(const std::string& sha256) {
    if (!listed_) {
      ASSIGN_OR_RETURN(unread_, FilesBelow(folder_, {".mcap"}));
      listed_ = true;
    }
    const auto named =
        std::stable_partition(unread_.begin(), unread_.end(), [&](const std::string& file) {
          return fs::path(file).filename().string().find(sha256.substr(0, 16)) == std::string::npos;
        });
    const auto likely = static_cast<size_t>(unread_.end() - named);
    for (size_t i = 0; i < likely; ++i) RETURN_IF_ERROR(ReadOne());
    while (by_digest_.count(sha256) == 0 && !unread_.empty()) RETURN_IF_ERROR(ReadOne());
    const auto found = by_digest_.find(sha256);
    return found == by_digest_.end() ? std::string() : found->second;
  }

 private:
  absl::Status ReadOne() {
    const std::string file = unread_.back();
    unread_.pop_back();
    ASSIGN_OR_RETURN(const agent::base::Digest digest, agent::trust::Sha256File(file));
    by_digest_.emplace(digest.hex(), file);
    return absl::OkStatus();
  }

  std::string folder_;
  bool listed_ = false;
  std::vector<std::string> unread_;
  std::map<std::string, std::string> by_digest_;
};

std::string DigestOf(const Scenario& scenario) {  // as hex() writes it
  return agent::base::Digest::Parse(scenario.document.sha256())->hex();
}

absl::Status FindRecordings(const std::string& folder, std::vector<Scenario>& scenarios) {
  RecordingShelf shelf(folder);
  std::string missing;
  int count = 0;
  for (Scenario& scenario : scenarios) {
    if (!scenario.recording.empty()) continue;
    ASSIGN_OR_RETURN(scenario.recording, shelf.Find(DigestOf(scenario)));
    if (!scenario.recording.empty() || ++count > kMaxMissing) continue;
    missing += absl::StrFormat("\n  %s: sha256 %s", scenario.file, scenario.document.sha256());
  }
  if (count == 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrFormat(
      "%d scenario%s no recording and no *.mcap file below %s has the digest; fetch the "
      "recordings, or name their folder with --recordings:%s%s",
      count, count == 1 ? " names" : "s name", folder, missing,
      count > kMaxMissing ? "\n  ..." : ""));
}

}  // namespace

absl::StatusOr<std::vector<Scenario>> LoadScenarios(const std::string& folder,
                                                    const std::string& recordings) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesBelow(folder, {".yaml", ".yml"}));
  const agent::base::OsFiles disk;
  std::vector<Scenario> scenarios;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string text, disk.Read(file, kMaxScenarioBytes));
    if (BelongsToNeighbour(text)) continue;
    ASSIGN_OR_RETURN(Scenario scenario, ParseScenario(text, file));
    scenarios.push_back(std::move(scenario));
  }
  std::sort(scenarios.begin(), scenarios.end(),
            [](const Scenario& a, const Scenario& b) { return a.document.id() < b.document.id(); });
  for (size_t i = 1; i < scenarios.size(); ++i) {
    if (scenarios[i].document.id() != scenarios[i - 1].document.id()) continue;
    return absl::InvalidArgumentError(absl::StrFormat("%s: id \"%s\" is already used by %s",
                                                      scenarios[i].file, scenarios[i].document.id(),
                                                      scenarios[i - 1].file));
  }
  RETURN_IF_ERROR(FindRecordings(recordings.empty() ? folder : recordings, scenarios));
  return scenarios;
}

bool InSegment(const v1::Scenario& scenario, double at_s, const std::string& tag) {
  for (const v1::Segment& segment : scenario.segments()) {
    if (at_s < segment.from_s() || at_s >= segment.to_s()) continue;
    if (std::find(segment.tags().begin(), segment.tags().end(), tag) != segment.tags().end())
      return true;
  }
  return false;
}

std::string TagsAt(const v1::Scenario& scenario, double at_s) {
  std::set<std::string> tags;
  for (const v1::Segment& segment : scenario.segments()) {
    if (at_s >= segment.from_s() && at_s < segment.to_s()) {
      tags.insert(segment.tags().begin(), segment.tags().end());
    }
  }
  std::string joined;
  for (const std::string& tag : tags) joined += (joined.empty() ? "" : ",") + tag;
  return joined;
}

}  // namespace gatekeeper::gates
