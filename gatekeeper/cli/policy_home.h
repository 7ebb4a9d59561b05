#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/source/repository.h"

namespace gatekeeper::cli {

// What a gatekeeper's home says about where gate suites come from: HOME/policy.json.
struct PolicyHome {
  std::string repository;  // path or URL; empty: the home does not say
  std::string branch;      // what is approved: pinned commits must be in its history
  std::string not_before;  // 40 hex digits: they must hold this commit too; empty: any of them
};
absl::StatusOr<PolicyHome> ReadPolicyHome(const std::string& home);

// kNotFound: that folder is not there.
absl::Status CheckHome(const std::string& home);

// Puts `policy` in the place of what the home says. The answer: its not_before of until now where
// `repository` does not lead from that to the new one, so that rules may go back; empty: they do
// not.
absl::StatusOr<std::string> SetPolicyHome(const std::string& home,
                                          const source::Repository& repository,
                                          const PolicyHome& policy);

// For a seal, before anything is judged: `commit` of `repository`, which is the home's own, must be
// approved, and rules do not go back: it must hold every commit that this home has judged by for a
// seal, and the branch's tip at the time when the home was told of it. kPermissionDenied otherwise;
// kFailedPrecondition when the branch has lost what was judged by, or that is not here.
absl::Status MayJudgeBy(const std::string& home, const source::Repository& repository,
                        const std::string& commit);

// The same, once all that judges was read: from then on rules do not go back behind `commit`,
// whatever the verdict will be.
absl::Status JudgeByCommit(const std::string& home, const source::Repository& repository,
                           const std::string& commit);

}  // namespace gatekeeper::cli
