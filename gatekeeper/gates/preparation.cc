#include "gatekeeper/gates/preparation.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/gates/plan.h"

namespace gatekeeper::gates {
namespace {

// A caller who reads a suite must read what it names too.
absl::Status CheckNamed(const Suite& suite, const SuiteInput& input) {
  const std::pair<const char*, bool> unread[] = {
      {"site", !suite.document.site().empty() && !input.policy.site},
      {"scenarios", !suite.document.scenarios().empty() && !input.policy.scenarios},
      {"closed_loop.map", !suite.document.closed_loop().map().empty() && !input.policy.map},
      {"leakage.training_digests", suite.document.has_leakage() && !input.policy.training},
      {"regression.corpus", suite.document.has_regression() && !input.policy.corpus}};
  for (const auto& [what, missing] : unread) {
    if (!missing) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s names a file that was not read", input.suite_file, what));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Prepared> Prepare(const Host& host, const SuiteInput& input) {
  Prepared prepared;
  ASSIGN_OR_RETURN(prepared.suite, ParseSuite(input.suite_yaml, input.suite_file));
  RETURN_IF_ERROR(CheckNamed(prepared.suite, input));
  if (!input.against.empty() && !prepared.suite.document.has_non_inferiority()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s has no section non_inferiority, so nothing would be compared with %s",
                        input.suite_file, input.against));
  }
  ASSIGN_OR_RETURN(prepared.waivers, ParseWaivers(input.policy.waivers));
  ASSIGN_OR_RETURN(
      prepared.scenarios,
      LoadScenarios(input.scenarios_folder, input.recordings_folder, input.scenarios_name));
  std::string deployed;
  if (!input.against.empty()) {
    ASSIGN_OR_RETURN(const auto against, bundle::UngatedUnit::Open(input.against));
    deployed = against.digest().hex();
  }
  prepared.plan = MakePlan({.suite = prepared.suite,
                            .suite_file = input.suite_file,
                            .policy = input.policy,
                            .scenarios = prepared.scenarios,
                            .host_class = host.host_class,
                            .deployed = std::move(deployed),
                            .engine = host.engine});
  return prepared;
}

absl::Status CountAttempt(const bundle::UngatedUnit& unit, const SuiteInput& input,
                          Prepared& prepared) {
  if (input.attempts == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(prepared.attempt,
                   input.attempts->Begin(unit.label(), prepared.suite.document.id(),
                                         prepared.plan.sha256(), input.wall_ms));
  prepared.plan.set_attempt(prepared.attempt->number);
  prepared.plan.set_attempts_failed(prepared.attempt->failed_before);
  prepared.plan.set_failed_since_pass(prepared.attempt->failed_since_pass);
  return absl::OkStatus();
}

}  // namespace gatekeeper::gates
