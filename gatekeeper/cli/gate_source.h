#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/cli/policy_home.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/report/place.h"

namespace gatekeeper::cli {

// A folder of this process's own, gone with it.
class ScratchFolder {
 public:
  static absl::StatusOr<ScratchFolder> Make();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Where a run's suite and scenarios come from, as the command line says.
struct GateSource {
  std::string suite;  // plain file, or path in the policy repository
  std::string policy_repo;
  std::string policy_commit;
  std::string scenarios;  // folder, or path in the scenario repository; empty: the suite names it
  std::string scenarios_repo;
  std::string scenarios_commit;
  std::string recordings;
  bool for_seal = false;  // the home's word is then law
};
void AddSourceOptions(CLI::App& verb, GateSource& source);

// Whether a repository's name is a URL, and no folder's.
bool IsUrl(const std::string& name);

// The home's repository as it is now; the home must be there.
absl::StatusOr<source::Repository> OpenPolicy(const PolicyHome& policy, const std::string& home);

// Fills the input's suite, policy, scenarios, recordings and today. What comes from git is written
// out below `scratch`, which must outlive the run. A suite that names its scenarios is judged by no
// others (kInvalidArgument). kPermissionDenied: for a seal, and suite or scenarios are not from
// where the home says, or from before (MayJudgeBy). For a seal the home keeps the commit, if all of
// it could be read (JudgeByCommit).
absl::Status ReadSource(const GateSource& source, const std::string& home,
                        const ScratchFolder& scratch, gates::SuiteInput& input);

// The same without the scenarios: for who brings a clip to the suite.
absl::Status ReadSuiteSource(const GateSource& source, const std::string& home,
                             const ScratchFolder& scratch, gates::SuiteInput& input);

// Where the report of such a run, of the unit in that folder, finds its files: `input` is what
// ReadSource made of it.
report::Place PlaceOf(const GateSource& source, const std::string& unit,
                      const gates::SuiteInput& input);

}  // namespace gatekeeper::cli
