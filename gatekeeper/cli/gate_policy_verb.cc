#include <cstdio>
#include <filesystem>

#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/gate_source.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

absl::Status Show(const Session& session) {
  ASSIGN_OR_RETURN(const PolicyHome policy, ReadPolicyHome(session.home));
  if (policy.repository.empty()) {
    std::printf("%s seals what any suite has judged\n", session.home.c_str());
  } else {
    std::printf("%s seals what suites of %s on %s have judged%s\n", session.home.c_str(),
                policy.repository.c_str(), policy.branch.c_str(),
                policy.not_before.empty()
                    ? ""
                    : (", at commit " + policy.not_before + " or later").c_str());
  }
  return absl::OkStatus();
}

// A folder is kept as the whole path: the next run may start elsewhere. What the branch holds now
// is what rules must hold from now on.
absl::Status SetPolicy(PolicyHome policy, const Session& session) {
  RETURN_IF_ERROR(CheckHome(session.home));
  std::error_code error;
  if (!IsUrl(policy.repository) && std::filesystem::exists(policy.repository, error)) {
    policy.repository = std::filesystem::canonical(policy.repository, error).string();
  }
  if (policy.repository.empty()) return Show(session);
  ASSIGN_OR_RETURN(const source::Repository repository, OpenPolicy(policy, session.home));
  ASSIGN_OR_RETURN(policy.not_before, repository.ResolveCommit("refs/heads/" + policy.branch));
  ASSIGN_OR_RETURN(const std::string left, SetPolicyHome(session.home, repository, policy));
  if (!left.empty()) {
    std::printf("%s goes back from %s to %s, which does not hold that commit as far as is known\n",
                session.home.c_str(), left.c_str(), policy.not_before.c_str());
  }
  return Show(session);
}

}  // namespace

void AddGatePolicyVerb(CLI::App& gate, Session& session) {
  auto policy = std::make_shared<PolicyHome>();
  policy->branch = "main";
  CLI::App* verb = gate.add_subcommand("policy",
                                       "show or set the repository that gate suites must come from "
                                       "to be sealed here, as new as its branch is now");
  verb->add_option("REPOSITORY", policy->repository, "git repository: folder or URL");
  verb->add_option("--branch", policy->branch, "whose history holds what is approved")
      ->capture_default_str();
  verb->callback([policy, &session] { session.exit_code = Report(SetPolicy(*policy, session)); });
}

}  // namespace gatekeeper::cli
