#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/trust/keys.h"
#include "agent/trust/trust_policy.h"
#include "proto/control.pb.h"

namespace agent::trust {

// Two people's word after an emergency stop. The robot makes a challenge; each person signs an
// approval that repeats it, an in-toto statement about the challenge's file in a bundle of its own,
// so that cosign can check it too. Nothing here needs a network or looks at a clock.
inline constexpr char kRearmPredicate[] = "gatekeeper:rearm/v1";
inline constexpr char kChallengeFile[] = "challenge.json";
inline constexpr size_t kMaxChallengeBytes = 4096;
inline constexpr size_t kMaxApprovalBytes = 8192;  // a bundle of ours has some 1,000
inline constexpr size_t kMaxApprovals = 8;

// The challenge as a file that people carry; canonical, so that its bytes can be a subject. What
// the robot only tells for convenience (since_uptime_ms) is not in it.
std::string ChallengeJson(const gatekeeper::v1::RearmChallenge& challenge);
// Strict; kInvalidArgument says what was found.
absl::StatusOr<gatekeeper::v1::RearmChallenge> ParseChallenge(std::string_view json);

struct Approver {
  std::string role;
  std::string name;
};

// A person's approval of `challenge`. kInvalidArgument: a challenge without a robot, which fits
// none; a role it does not ask for.
absl::StatusOr<std::string> SignRearmApproval(const gatekeeper::v1::RearmChallenge& challenge,
                                              const Approver& approver, const PrivateKey& key);

// Who approves `challenge` with this. kInvalidArgument: malformed or too large. kPermissionDenied:
// signed by no approver's key, a signature that does not hold, another robot, incident or unit, a
// nonce that is used up or has expired, another person's name or role.
absl::StatusOr<Approver> OpenRearmApproval(const gatekeeper::v1::RearmChallenge& challenge,
                                           std::string_view approval, const TrustPolicy& trust);

// Capital letters make nobody another person.
bool SamePerson(const std::string& a, const std::string& b);

// Roles of the challenge that none of `approvers` stands in, in its order.
std::vector<std::string> MissingRoles(const gatekeeper::v1::RearmChallenge& challenge,
                                      std::span<const Approver> approvers);

// Who permits a restart: different people in all the roles of the challenge. OpenRearmApproval's
// refusals hold for each approval; beyond them kPermissionDenied: one person twice, a role missing;
// kInvalidArgument: too many approvals; kFailedPrecondition: a challenge that nobody can answer.
absl::StatusOr<std::vector<Approver>> VerifyRearm(const gatekeeper::v1::RearmChallenge& challenge,
                                                  std::span<const std::string> approvals,
                                                  const TrustPolicy& trust);

}  // namespace agent::trust
