#include "gatekeeper/cli/gate_source.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/hash.h"
#include "agent/trust/json_fields.h"
#include "gatekeeper/source/repository.h"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;
using source::Repository;

constexpr char kPolicyHome[] = "/policy.json";
constexpr size_t kMaxPolicyHome = 64 * 1024;

// https://..., or host:path as ssh has it. A folder of that name is none.
bool IsUrl(const std::string& name) {
  const size_t colon = name.find(':');
  return colon != std::string::npos && name.find('/') > colon;
}

// A path, or a URL through a mirror in the home: a second run needs the network only for commits
// that it has not seen.
absl::StatusOr<Repository> OpenRepository(const std::string& name, const std::string& commit,
                                          const std::string& home, const ScratchFolder& scratch) {
  std::error_code error;
  if (!IsUrl(name)) {
    if (fs::exists(name, error)) return Repository::Open(name);
    return absl::NotFoundError(absl::StrFormat("there is no git repository at %s", name));
  }
  const std::string mirrors = fs::is_directory(home, error) ? home + "/mirrors" : scratch.path();
  RETURN_IF_ERROR(agent::base::OsFiles().MakeFolders(mirrors));
  const std::string mirror =
      absl::StrFormat("%s/%s.git", mirrors, agent::trust::Sha256(name).hex().substr(0, 16));
  return Repository::OpenMirror(name, mirror, commit);
}

// One folder may be written in several ways; a URL may not.
bool SameRepository(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || fs::equivalent(a, b, error);
}

absl::Status CheckApproved(const Repository& repository, const std::string& commit,
                           const PolicyHome& policy) {
  ASSIGN_OR_RETURN(const bool approved, repository.IsWithin(commit, policy.branch));
  if (approved) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrFormat("commit %s is not in the history of %s of %s: nobody has approved it yet",
                      commit, policy.branch, policy.repository));
}

absl::Status CheckSuiteForSeal(const GateSource& source, const PolicyHome& policy,
                               const Repository* repository) {
  if (policy.repository.empty()) return absl::OkStatus();
  if (repository == nullptr || !SameRepository(source.policy_repo, policy.repository)) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "this home seals only what a suite of %s has judged (policy.json), and this run's suite "
        "comes from %s; leave --policy-repo out and pin --policy-commit",
        policy.repository,
        repository == nullptr ? "the plain file " + source.suite : source.policy_repo));
  }
  return CheckApproved(*repository, source.policy_commit, policy);
}

absl::StatusOr<gates::NamedSuite> ReadSuite(GateSource source, const std::string& home,
                                            const ScratchFolder& scratch) {
  ASSIGN_OR_RETURN(const PolicyHome policy, ReadPolicyHome(home));
  if (source.policy_repo.empty() && !source.policy_commit.empty()) {
    source.policy_repo = policy.repository;
  }
  if (source.policy_repo.empty() != source.policy_commit.empty()) {
    return absl::InvalidArgumentError(
        "--policy-repo and --policy-commit belong together: one commit of one repository");
  }
  if (source.policy_repo.empty()) {
    if (source.for_seal) RETURN_IF_ERROR(CheckSuiteForSeal(source, policy, nullptr));
    return gates::ReadPlainSuite(source.suite);
  }
  RETURN_IF_ERROR(gates::CheckPinned(source.policy_commit));
  ASSIGN_OR_RETURN(const Repository repository,
                   OpenRepository(source.policy_repo, source.policy_commit, home, scratch));
  if (source.for_seal) RETURN_IF_ERROR(CheckSuiteForSeal(source, policy, &repository));
  return gates::ReadPinnedSuite(
      repository,
      {.name = source.policy_repo, .commit = source.policy_commit, .suite_path = source.suite},
      scratch.path());
}

// For a seal the scenarios must be the safety team's choice too.
absl::Status CheckScenariosForSeal(const GateSource& source, const PolicyHome& policy) {
  if (!source.for_seal || policy.repository.empty()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrFormat(
      "this home seals only what scenarios that the suite names have judged (policy.json), and "
      "this run's come from %s; name them in the suite (scenarios: FOLDER, relative to it)",
      source.scenarios_repo.empty() ? source.scenarios : source.scenarios_repo));
}

absl::StatusOr<gates::ScenarioFiles> ReadScenarios(const GateSource& source,
                                                   const std::string& home,
                                                   const ScratchFolder& scratch) {
  ASSIGN_OR_RETURN(const PolicyHome policy, ReadPolicyHome(home));
  if (source.scenarios_repo.empty() != source.scenarios_commit.empty()) {
    return absl::InvalidArgumentError(
        "--scenarios-repo and --scenarios-commit belong together: one commit of one repository");
  }
  if (source.scenarios.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s names no scenarios; write \"scenarios: FOLDER\" into it, relative to it, or name a "
        "folder by --scenarios",
        source.suite));
  }
  RETURN_IF_ERROR(CheckScenariosForSeal(source, policy));
  if (source.scenarios_repo.empty()) {
    return gates::ScenarioFiles{.folder = source.scenarios, .name = source.scenarios};
  }
  RETURN_IF_ERROR(gates::CheckPinned(source.scenarios_commit));
  ASSIGN_OR_RETURN(const Repository repository,
                   OpenRepository(source.scenarios_repo, source.scenarios_commit, home, scratch));
  gates::ScenarioFiles files{.folder = scratch.path() + "/scenarios",
                             .name = gates::PathOfFolder(source.scenarios)};
  RETURN_IF_ERROR(gates::WriteOut(repository, source.scenarios_commit, files.name, files.folder));
  return files;
}

}  // namespace

absl::StatusOr<ScratchFolder> ScratchFolder::Make() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "gatekeeper-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", path, strerror(errno)));
  }
  return ScratchFolder(path);
}

ScratchFolder::~ScratchFolder() {
  if (!path_.empty()) (void)agent::base::OsFiles().RemoveAll(path_);
}

absl::StatusOr<PolicyHome> ReadPolicyHome(const std::string& home) {
  const auto text = agent::base::OsFiles().Read(home + kPolicyHome, kMaxPolicyHome);
  if (absl::IsNotFound(text.status())) return PolicyHome();
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(const nlohmann::json json,
                   agent::base::ParseStrictJson(*text, home + kPolicyHome));
  const nlohmann::json& repository = agent::trust::At(json, "/repository");
  const nlohmann::json& branch = agent::trust::At(json, "/branch");
  if (!repository.is_string() || !branch.is_string() || json.size() != 2) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s%s must hold repository and branch; write it with gatekeeper gate policy", home,
        kPolicyHome));
  }
  return PolicyHome{repository.get<std::string>(), branch.get<std::string>()};
}

absl::Status WritePolicyHome(const std::string& home, const PolicyHome& policy) {
  const nlohmann::json json = {{"repository", policy.repository}, {"branch", policy.branch}};
  return agent::base::OsFiles().WriteDurably(home + kPolicyHome, json.dump(2) + "\n", 0644);
}

void AddSourceOptions(CLI::App& verb, GateSource& source) {
  verb.add_option("--suite", source.suite,
                  "gate_suite/1 YAML file; with --policy-repo its path in that repository")
      ->required();
  verb.add_option("--policy-repo", source.policy_repo,
                  "git repository (folder or URL) of the safety team: suite, site and waivers are "
                  "read from it");
  verb.add_option("--policy-commit", source.policy_commit, "its commit, all 40 digits");
  verb.add_option("--scenarios", source.scenarios,
                  "folder of scenario/1 YAML files, for a suite that names none; with "
                  "--scenarios-repo its path in that repository");
  verb.add_option("--scenarios-repo", source.scenarios_repo, "git repository (folder or URL)");
  verb.add_option("--scenarios-commit", source.scenarios_commit, "its commit, all 40 digits");
  verb.add_option("--recordings", source.recordings,
                  "folder of recordings for scenarios that name only a digest");
}

absl::Status ReadSuiteSource(const GateSource& source, const std::string& home,
                             const ScratchFolder& scratch, gates::SuiteInput& input) {
  ASSIGN_OR_RETURN(gates::NamedSuite suite, ReadSuite(source, home, scratch));
  input.suite_yaml = std::move(suite.yaml);
  input.suite_file = std::move(suite.file);
  input.policy = std::move(suite.beside);
  input.recordings_folder = source.recordings;
  input.wall_ms = agent::base::SystemClock().WallMs();
  return absl::OkStatus();
}

absl::Status ReadSource(const GateSource& source, const std::string& home,
                        const ScratchFolder& scratch, gates::SuiteInput& input) {
  RETURN_IF_ERROR(ReadSuiteSource(source, home, scratch, input));
  std::optional<gates::ScenarioFiles> scenarios = input.policy.scenarios;
  const bool named = scenarios.has_value();
  if (named && !(source.scenarios.empty() && source.scenarios_repo.empty() &&
                 source.scenarios_commit.empty())) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s says itself which scenarios judge (%s); leave --scenarios and --scenarios-repo out",
        input.suite_file, scenarios->name));
  }
  if (!named) {
    ASSIGN_OR_RETURN(scenarios, ReadScenarios(source, home, scratch));
  }
  input.scenarios_folder = std::move(scenarios->folder);
  input.scenarios_name = std::move(scenarios->name);
  return absl::OkStatus();
}

}  // namespace gatekeeper::cli
