#include "gatekeeper/cli/gate_source.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/source/repository.h"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;
using source::Repository;

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

// What a URL has before its host may be a password.
std::string WithoutLogin(const std::string& name) {
  const size_t scheme = name.find("://");
  if (!IsUrl(name) || scheme == std::string::npos) return name;
  const size_t begin = scheme + 3;
  const size_t login = name.substr(begin, name.find('/', begin) - begin).rfind('@');
  return login == std::string::npos ? name : name.substr(0, begin) + name.substr(begin + login + 1);
}

report::Root RootOf(const std::string& named, const std::string& commit) {
  const std::string repository = WithoutLogin(named);
  constexpr std::string_view kFile = "file://";
  constexpr size_t kShort = 12;
  if (repository.starts_with(kFile)) return {.path = repository.substr(kFile.size())};
  if (repository.empty()) return {};
  if (!IsUrl(repository)) {
    // Any folder inside names it.
    const auto opened = Repository::Open(repository);
    return {.path = opened.ok() ? opened->folder() : repository};
  }
  const size_t scheme = repository.find("://");
  const std::string name = scheme == std::string::npos ? repository : repository.substr(scheme + 3);
  return {.path = name + "@" + commit.substr(0, kShort), .elsewhere = true};
}

// One folder may be written in several ways; a URL may not, though a folder can bear its name.
bool SameRepository(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || (!IsUrl(a) && !IsUrl(b) && fs::equivalent(a, b, error));
}

absl::Status CheckSuiteForSeal(const GateSource& source, const PolicyHome& policy,
                               const Repository* repository, const std::string& home) {
  if (policy.repository.empty()) return absl::OkStatus();
  if (repository == nullptr || !SameRepository(source.policy_repo, policy.repository)) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "this home seals only what a suite of %s has judged (policy.json), and this run's suite "
        "comes from %s; leave --policy-repo out and pin --policy-commit",
        policy.repository,
        repository == nullptr ? "the plain file " + source.suite : source.policy_repo));
  }
  return MayJudgeBy(home, *repository, source.policy_commit);
}

// A suite, and the repository that it is from; none: it is a plain file.
struct FoundSuite {
  gates::NamedSuite suite;
  std::optional<Repository> repository;
};

absl::StatusOr<FoundSuite> ReadSuite(GateSource source, const std::string& home,
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
    if (source.for_seal) RETURN_IF_ERROR(CheckSuiteForSeal(source, policy, nullptr, home));
    ASSIGN_OR_RETURN(gates::NamedSuite suite, gates::ReadPlainSuite(source.suite));
    return FoundSuite{std::move(suite), std::nullopt};
  }
  RETURN_IF_ERROR(gates::CheckPinned(source.policy_commit));
  ASSIGN_OR_RETURN(Repository repository,
                   OpenRepository(source.policy_repo, source.policy_commit, home, scratch));
  if (source.for_seal) RETURN_IF_ERROR(CheckSuiteForSeal(source, policy, &repository, home));
  ASSIGN_OR_RETURN(gates::NamedSuite suite,
                   gates::ReadPinnedSuite(repository,
                                          {.name = WithoutLogin(source.policy_repo),
                                           .commit = source.policy_commit,
                                           .suite_path = source.suite},
                                          scratch.path()));
  return FoundSuite{std::move(suite), std::move(repository)};
}

void PutSuite(gates::NamedSuite suite, const GateSource& source, gates::SuiteInput& input) {
  input.suite_yaml = std::move(suite.yaml);
  input.suite_file = std::move(suite.file);
  input.policy = std::move(suite.beside);
  input.recordings_folder = source.recordings;
  input.wall_ms = agent::base::SystemClock().WallMs();
}

// Those of the command line, for a suite that names none.
absl::Status CheckNoOthers(const GateSource& source, const gates::SuiteInput& input) {
  if (source.scenarios.empty() && source.scenarios_repo.empty() &&
      source.scenarios_commit.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s says itself which scenarios judge (%s); leave --scenarios and --scenarios-repo out",
      input.suite_file, input.policy.scenarios->name));
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

// https://..., or host:path as ssh has it. A folder of that name is none.
bool IsUrl(const std::string& name) {
  const size_t colon = name.find(':');
  return colon != std::string::npos && name.find('/') > colon;
}

absl::StatusOr<Repository> OpenPolicy(const PolicyHome& policy, const std::string& home) {
  ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
  return OpenRepository(policy.repository, "", home, scratch);
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
                  "folder of recordings for scenarios that name only a digest")
      ->check(CLI::ExistingDirectory);
}

absl::Status ReadSuiteSource(const GateSource& source, const std::string& home,
                             const ScratchFolder& scratch, gates::SuiteInput& input) {
  ASSIGN_OR_RETURN(FoundSuite found, ReadSuite(source, home, scratch));
  PutSuite(std::move(found.suite), source, input);
  return absl::OkStatus();
}

absl::Status ReadSource(const GateSource& source, const std::string& home,
                        const ScratchFolder& scratch, gates::SuiteInput& input) {
  ASSIGN_OR_RETURN(FoundSuite found, ReadSuite(source, home, scratch));
  PutSuite(std::move(found.suite), source, input);
  std::optional<gates::ScenarioFiles> scenarios = input.policy.scenarios;
  if (scenarios) {
    RETURN_IF_ERROR(CheckNoOthers(source, input));
  } else {
    ASSIGN_OR_RETURN(scenarios, ReadScenarios(source, home, scratch));
  }
  input.scenarios_folder = std::move(scenarios->folder);
  input.scenarios_name = std::move(scenarios->name);
  if (!source.for_seal || !found.repository) return absl::OkStatus();
  ASSIGN_OR_RETURN(const PolicyHome policy, ReadPolicyHome(home));
  return policy.repository.empty() ? absl::OkStatus()
                                   : JudgeByCommit(home, *found.repository, input.policy.commit);
}

report::Place PlaceOf(const GateSource& source, const std::string& unit,
                      const gates::SuiteInput& input) {
  std::error_code error;
  report::Place place{.folder = fs::current_path(error).string(),
                      .file = "",
                      .unit = {.path = unit},
                      .policy = RootOf(input.policy.repository, input.policy.commit),
                      .scenarios = RootOf(source.scenarios_repo, source.scenarios_commit)};
  if (input.policy.scenarios) place.scenarios = place.policy;
  return place;
}

}  // namespace gatekeeper::cli
