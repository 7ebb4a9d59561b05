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
absl::Status WritePolicyHome(const std::string& home, const PolicyHome& policy);

// For a seal, before anything is judged: `commit` of `repository`, which is the home's own, must be
// approved, and rules do not go back: it must hold every commit that this home has judged by for a
// seal, and the branch's tip at the time when the home was told of it. From then on that is
// `commit`, whatever the verdict will be. kPermissionDenied otherwise; kFailedPrecondition when the
// branch has lost what was judged by.
absl::Status JudgeByCommit(const std::string& home, const source::Repository& repository,
                           const std::string& commit);

}  // namespace gatekeeper::cli
