#include "agent/trust/rearm_approval.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/dsse.h"
#include "agent/trust/hash.h"
#include "agent/trust/in_toto.h"
#include "agent/trust/json_fields.h"

namespace agent::trust {
namespace {

namespace v1 = ::gatekeeper::v1;
using Json = nlohmann::json;

constexpr char kChallengeSchema[] = "rearm_challenge/1";
constexpr char kWhat[] = "the approval";
constexpr size_t kLeastRoles = 2;  // nobody re-arms a robot alone, whatever a unit's rules say

std::string ApprovalStatement(const v1::RearmChallenge& challenge, const Approver& approver) {
  return base::CanonicalJson(
      Statement(kRearmPredicate, Subject(kChallengeFile, Sha256(ChallengeJson(challenge)).hex()),
                {{"robot", challenge.robot()},
                 {"incident", challenge.incident()},
                 {"unit", challenge.unit()},
                 {"nonce", challenge.nonce()},
                 {"role", approver.role},
                 {"name", approver.name}}));
}

std::string Printable(const Json& value) {
  if (!value.is_string()) return "not text";
  return "'" + absl::CHexEscape(value.get<std::string>().substr(0, 80)) + "'";
}

// What an approval must repeat of the challenge, and what to say when it does not.
absl::Status CheckFits(const Json& statement, const v1::RearmChallenge& challenge) {
  struct Repeated {
    const char* field;
    const std::string& wanted;
    const char* text;
  };
  const Repeated bound[] = {
      {"/predicate/robot", challenge.robot(), "the approval is for robot %s; this is '%s'"},
      {"/predicate/incident", challenge.incident(),
       "the approval is about incident %s; the stop that waits is '%s'"},
      {"/predicate/unit", challenge.unit(),
       "the approval is for a robot with unit %s; it has unit '%s' now: look again, sign again"},
      {"/predicate/nonce", challenge.nonce(),
       "the approval answers nonce %s, which is used up or has expired; the present one is '%s': "
       "sign the present challenge"},
  };
  for (const auto& [field, wanted, text] : bound) {
    const Json& found = At(statement, field);
    if (IsText(found, wanted)) continue;
    const auto format = absl::ParsedFormat<'s', 's'>::New(text);
    return absl::PermissionDeniedError(absl::StrFormat(*format, Printable(found), wanted));
  }
  return absl::OkStatus();
}

// `key` is one of the trust policy's.
Approver ApproverOf(const PublicKey& key, const TrustPolicy& trust) {
  const auto listed = std::ranges::find(trust.keys(), key, &TrustedKey::key);
  return {listed->role, listed->name};
}

absl::StatusOr<std::string> TextField(const Json& json, const char* field) {
  if (json[field].is_string()) return json[field].get<std::string>();
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s wants text", kChallengeFile, field));
}

}  // namespace

std::string ChallengeJson(const v1::RearmChallenge& challenge) {
  return base::CanonicalJson({{"schema", kChallengeSchema},
                              {"robot", challenge.robot()},
                              {"incident", challenge.incident()},
                              {"unit", challenge.unit()},
                              {"nonce", challenge.nonce()},
                              {"roles", challenge.roles()},
                              {"ttl_ms", challenge.ttl_ms()}});
}

absl::StatusOr<v1::RearmChallenge> ParseChallenge(std::string_view bytes) {
  const auto refuse = [](const char* why) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: %s", kChallengeFile, why));
  };
  if (bytes.size() > kMaxChallengeBytes) return refuse("larger than 4 KiB");
  ASSIGN_OR_RETURN(const Json json, base::ParseStrictJson(bytes, kChallengeFile));
  if (!HasFields(json, {"schema", "robot", "incident", "unit", "nonce", "roles", "ttl_ms"})) {
    return refuse("wanted exactly schema, robot, incident, unit, nonce, roles and ttl_ms");
  }
  if (!IsText(json["schema"], kChallengeSchema)) return refuse("wanted schema rearm_challenge/1");
  v1::RearmChallenge challenge;
  ASSIGN_OR_RETURN(*challenge.mutable_robot(), TextField(json, "robot"));
  ASSIGN_OR_RETURN(*challenge.mutable_incident(), TextField(json, "incident"));
  ASSIGN_OR_RETURN(*challenge.mutable_unit(), TextField(json, "unit"));
  ASSIGN_OR_RETURN(*challenge.mutable_nonce(), TextField(json, "nonce"));
  if (!json["ttl_ms"].is_number_integer()) return refuse("ttl_ms wants an integer");
  challenge.set_ttl_ms(json["ttl_ms"].get<int64_t>());
  if (!json["roles"].is_array()) return refuse("roles wants a list");
  for (const Json& role : json["roles"]) {
    if (!role.is_string()) return refuse("roles wants a list of text");
    challenge.add_roles(role.get<std::string>());
  }
  return challenge;
}

absl::StatusOr<std::string> SignRearmApproval(const v1::RearmChallenge& challenge,
                                              const Approver& approver, const PrivateKey& key) {
  if (challenge.robot().empty()) {
    return absl::InvalidArgumentError(
        "the challenge names no robot: enrol the robot first, then take its new challenge");
  }
  if (std::ranges::find(challenge.roles(), approver.role) == challenge.roles().end()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the challenge asks for %s, not for role '%s'",
                        absl::StrJoin(challenge.roles(), " and "), approver.role));
  }
  return SignStatement(ApprovalStatement(challenge, approver), key);
}

absl::StatusOr<Approver> OpenRearmApproval(const v1::RearmChallenge& challenge,
                                           std::string_view approval, const TrustPolicy& trust) {
  if (approval.size() > kMaxApprovalBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("%s has %d bytes; at most %d are read", kWhat,
                                                      approval.size(), kMaxApprovalBytes));
  }
  ASSIGN_OR_RETURN(const SignedStatement opened,
                   OpenSigned(approval, trust.Keys(KeyClass::kApprover), kWhat));
  const Json& statement = opened.statement;
  if (!IsText(At(statement, "/predicateType"), kRearmPredicate)) {
    return absl::PermissionDeniedError(
        absl::StrFormat("the signed statement is no approval of a re-arm: predicateType is %s",
                        Printable(At(statement, "/predicateType"))));
  }
  RETURN_IF_ERROR(CheckFits(statement, challenge));
  const Approver approver = ApproverOf(opened.signer, trust);
  const Json& role = At(statement, "/predicate/role");
  const Json& name = At(statement, "/predicate/name");
  if (!IsText(role, approver.role) || !IsText(name, approver.name)) {
    return absl::PermissionDeniedError(
        absl::StrFormat("the approval speaks for %s as %s, but its key is listed for '%s' as '%s'",
                        Printable(name), Printable(role), approver.name, approver.role));
  }
  // What is left: the subject, which is the whole challenge, and fields that nobody asked for.
  if (base::CanonicalJson(statement) != ApprovalStatement(challenge, approver)) {
    return absl::PermissionDeniedError(
        "the approval was not made from this robot's challenge: its subject or shape is another");
  }
  return approver;
}

std::vector<std::string> MissingRoles(const v1::RearmChallenge& challenge,
                                      std::span<const Approver> approvers) {
  std::vector<std::string> missing;
  for (const std::string& role : challenge.roles()) {
    const bool stands = std::ranges::any_of(
        approvers, [&role](const Approver& approver) { return approver.role == role; });
    if (!stands) missing.push_back(role);
  }
  return missing;
}

bool SamePerson(const std::string& a, const std::string& b) { return absl::EqualsIgnoreCase(a, b); }

absl::StatusOr<std::vector<Approver>> VerifyRearm(const v1::RearmChallenge& challenge,
                                                  std::span<const std::string> approvals,
                                                  const TrustPolicy& trust) {
  const std::set<std::string> roles(challenge.roles().begin(), challenge.roles().end());
  if (challenge.robot().empty() || challenge.nonce().empty() || roles.size() < kLeastRoles) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "nobody can approve a re-arm of robot '%s' with %d roles: it must be enrolled, wait for "
        "re-arm and ask for two roles or more",
        challenge.robot(), roles.size()));
  }
  if (approvals.size() > kMaxApprovals) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d approvals; at most %d are read", approvals.size(), kMaxApprovals));
  }
  std::vector<Approver> approvers;
  for (const std::string& approval : approvals) {
    ASSIGN_OR_RETURN(Approver approver, OpenRearmApproval(challenge, approval, trust));
    for (const Approver& other : approvers) {
      if (!SamePerson(other.name, approver.name)) continue;
      return absl::PermissionDeniedError(
          absl::StrFormat("'%s' approves twice (as %s and %s); each role wants another person",
                          approver.name, other.role, approver.role));
    }
    approvers.push_back(std::move(approver));
  }
  const std::vector<std::string> missing = MissingRoles(challenge, approvers);
  if (missing.empty()) return approvers;
  return absl::PermissionDeniedError("no approval by a " + absl::StrJoin(missing, " nor by a "));
}

}  // namespace agent::trust
