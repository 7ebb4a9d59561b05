#include "gatekeeper/cli/stale_clips.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/scenario_file.h"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLeastDigits = 3;

// NAME or NAME-000.
bool IsClipOf(const std::string& name, const std::string& stem) {
  if (!stem.starts_with(name)) return false;
  if (stem.size() == name.size()) return true;
  const std::string number = stem.substr(name.size() + 1);
  return stem[name.size()] == '-' && number.size() >= kLeastDigits &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::StatusOr<std::vector<std::string>> ScenariosOf(const fs::path& destination) {
  const fs::path folder = destination.has_parent_path() ? destination.parent_path() : ".";
  std::vector<std::string> scenarios;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".yaml" &&
        IsClipOf(destination.filename().string(), path.stem().string())) {
      scenarios.push_back((destination.parent_path() / path.filename()).string());
    }
  }
  if (error) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", folder.string(), error.message()));
  }
  std::sort(scenarios.begin(), scenarios.end());
  return scenarios;
}

absl::Status Remove(const std::string& path) {
  std::error_code error;
  fs::remove(path, error);
  return error ? absl::UnavailableError(
                     absl::StrFormat("%s cannot be removed: %s", path, error.message()))
               : absl::OkStatus();
}

}  // namespace

absl::Status RemoveStaleClips(const ClipFamily& family, const std::set<std::string>& made,
                              bool whole, StaleClips& stale) {
  ASSIGN_OR_RETURN(const std::vector<std::string> scenarios, ScenariosOf(family.destination));
  agent::base::OsFiles files;
  for (const std::string& scenario : scenarios) {
    if (made.contains(fs::path(scenario).filename().string())) continue;
    ASSIGN_OR_RETURN(const std::string text, files.Read(scenario, gates::kMaxScenarioBytes));
    const auto document = gates::ParseScenario(text, scenario);
    if (!document.ok() || document->document.origin().sha256() != family.source_sha256) {
      stale.left_alone.push_back(scenario);
      continue;
    }
    if (!whole) {
      stale.kept.push_back(scenario);
      continue;
    }
    // First what names it: a recording without a scenario judges nobody.
    RETURN_IF_ERROR(Remove(scenario));
    stale.removed.push_back(scenario);
    const std::string recording = fs::path(scenario).replace_extension(".mcap").string();
    const auto digest = agent::trust::Sha256File(recording);
    if (digest.ok() && digest->hex() == document->document.sha256())
      RETURN_IF_ERROR(Remove(recording));
  }
  return absl::OkStatus();
}

}  // namespace gatekeeper::cli
