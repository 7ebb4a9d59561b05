#include "gatekeeper/gates/scenario_library.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/scenario_file.h"

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxScenarios = 20'000;
constexpr int kMaxMissing = 20;  // named in one message

// Other documents of this project that may lie beside scenarios.
constexpr std::string_view kNeighbours[] = {"control_policy/1", "fallback_rules/1", "gate_suite/1",
                                            "import/1",         "model_card/1",     "release/1",
                                            "rollout_plan/1",   "site/1",           "waiver/1"};

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
    std::error_code ignored;
    const bool named = !scenario.recording.empty();
    if (named && (fs::exists(scenario.recording, ignored) || !fs::is_directory(folder, ignored)))
      continue;
    ASSIGN_OR_RETURN(std::string found, shelf.Find(DigestOf(scenario)));
    if (!found.empty()) scenario.recording = std::move(found);
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

std::string Called(const std::string& file, const std::string& folder, const std::string& name) {
  if (name.empty()) return file;
  return (fs::path(name) / fs::path(file).lexically_relative(folder))
      .lexically_normal()
      .generic_string();
}

}  // namespace

absl::StatusOr<std::vector<Scenario>> LoadScenarios(const std::string& folder,
                                                    const std::string& recordings,
                                                    const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesBelow(folder, {".yaml", ".yml"}));
  const agent::base::OsFiles disk;
  std::vector<Scenario> scenarios;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string text, disk.Read(file, kMaxScenarioBytes));
    if (BelongsToNeighbour(text)) continue;
    ASSIGN_OR_RETURN(Scenario scenario, ParseScenario(text, Called(file, folder, name)));
    if (!scenario.recording.empty()) {
      scenario.recording = (fs::path(file).parent_path() / scenario.document.recording()).string();
    }
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

absl::StatusOr<Scenario> ReadScenario(const std::string& file, const std::string& recordings) {
  ASSIGN_OR_RETURN(const std::string text, agent::base::OsFiles().Read(file, kMaxScenarioBytes));
  ASSIGN_OR_RETURN(Scenario scenario, ParseScenario(text, file));
  std::vector<Scenario> one = {std::move(scenario)};
  const std::string beside = fs::path(file).parent_path().string();
  RETURN_IF_ERROR(
      FindRecordings(recordings.empty() ? (beside.empty() ? "." : beside) : recordings, one));
  return std::move(one.front());
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
