#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "agent/base/strict_json.h"
#include "agent/trust/rearm_approval.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"

namespace agent::trust {
namespace {

namespace v1 = ::gatekeeper::v1;
using absl::StatusCode;
using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::Must;
using tests::StatusIs;

const Approver kAda = {"local_operator", "ada"};
const Approver kBo = {"safety_officer", "bo"};

v1::RearmChallenge Challenge() {
  v1::RearmChallenge challenge;
  challenge.set_robot("r17");
  challenge.set_incident(std::string(32, '1'));
  challenge.set_unit(std::string(64, 'a'));
  challenge.set_nonce(std::string(32, '2'));
  challenge.add_roles("local_operator");
  challenge.add_roles("safety_officer");
  challenge.set_ttl_ms(600'000);
  challenge.set_since_uptime_ms(77);
  return challenge;
}

class RearmApprovalTest : public testing::Test {
 protected:
  std::string ByAda(const v1::RearmChallenge& challenge) const {
    return Must(SignRearmApproval(challenge, kAda, signers_.ada));
  }
  std::string ByBo(const v1::RearmChallenge& challenge) const {
    return Must(SignRearmApproval(challenge, kBo, signers_.bo));
  }
  // The statement of an approval, for signing it again with something changed.
  static Json StatementOf(const std::string& approval) {
    std::string payload;
    EXPECT_TRUE(absl::Base64Unescape(
        Json::parse(approval)["dsseEnvelope"]["payload"].get<std::string>(), &payload));
    return Json::parse(payload);
  }
  std::string AdaSigns(const Json& statement) const {
    return Must(SignStatement(base::CanonicalJson(statement), signers_.ada));
  }
  absl::Status Verify(const std::vector<std::string>& approvals) const {
    return VerifyRearm(challenge_, approvals, signers_.trust).status();
  }

  const tests::Signers signers_{};
  const v1::RearmChallenge challenge_ = Challenge();
};

TEST_F(RearmApprovalTest, TwoPeopleInBothRolesMayPermitARestart) {
  EXPECT_OK(Verify({ByAda(challenge_), ByBo(challenge_)}));
  EXPECT_OK(Verify({ByBo(challenge_), ByAda(challenge_)}));
  ASSERT_OK_AND_ASSIGN(const Approver approver,
                       OpenRearmApproval(challenge_, ByBo(challenge_), signers_.trust));
  EXPECT_EQ(approver.role, "safety_officer");
  EXPECT_EQ(approver.name, "bo");
}

TEST_F(RearmApprovalTest, IsAStatementAboutTheChallengesFile) {
  const Json statement = StatementOf(ByAda(challenge_));
  EXPECT_EQ(statement["subject"][0]["name"], "challenge.json");
  EXPECT_EQ(statement["subject"][0]["digest"]["sha256"], Sha256(ChallengeJson(challenge_)).hex());
  EXPECT_EQ(statement["predicateType"], "gatekeeper:rearm/v1");
}

TEST_F(RearmApprovalTest, FitsNoOtherRobotStopUnitOrNonce) {
  const struct {
    void (*change)(v1::RearmChallenge&);
    const char* why;
  } others[] = {
      {[](v1::RearmChallenge& c) { c.set_robot("r18"); }, "for robot 'r18'; this is 'r17'"},
      {[](v1::RearmChallenge& c) { c.set_incident("3"); }, "about incident '3'"},
      {[](v1::RearmChallenge& c) { c.set_unit("b"); }, "with unit 'b'"},
      {[](v1::RearmChallenge& c) { c.set_unit(""); }, "with unit ''"},
      {[](v1::RearmChallenge& c) { c.set_nonce("4"); }, "used up or has expired"},
      {[](v1::RearmChallenge& c) { c.set_ttl_ms(601'000); }, "its subject or shape"},
      {[](v1::RearmChallenge& c) { c.add_roles("third"); }, "its subject or shape"},
  };
  for (const auto& [change, why] : others) {
    v1::RearmChallenge other = challenge_;
    change(other);
    EXPECT_THAT(Verify({ByAda(other), ByBo(challenge_)}),
                StatusIs(StatusCode::kPermissionDenied, HasSubstr(why)));
    EXPECT_THAT(Verify({ByAda(challenge_), ByBo(other)}),
                StatusIs(StatusCode::kPermissionDenied, HasSubstr(why)));
  }
}

TEST_F(RearmApprovalTest, ShowsNoMoreThanEightyBytesOfWhatItDoesNotKnow) {
  v1::RearmChallenge other = challenge_;
  other.set_robot(std::string(80, 'x') + "y");
  EXPECT_THAT(Verify({ByAda(other), ByBo(challenge_)}),
              StatusIs(StatusCode::kPermissionDenied,
                       "the approval is for robot '" + std::string(80, 'x') + "'; this is 'r17'"));
}

TEST_F(RearmApprovalTest, OnePersonDoesNotMakeTwo) {
  EXPECT_THAT(Verify({ByAda(challenge_), ByAda(challenge_)}),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("'ada' approves twice")));

  // With a second key, in the other role, under the same name in capitals.
  std::vector<TrustedKey> keys = signers_.trust.keys();
  const PrivateKey second = Must(PrivateKey::Generate());
  keys.push_back({KeyClass::kApprover, "Ada", second.public_key(), "safety_officer"});
  const TrustPolicy trust = Must(TrustPolicy::Make(keys, "v", "l"));
  const std::string again = Must(SignRearmApproval(challenge_, {"safety_officer", "Ada"}, second));
  const std::vector<std::string> both = {ByAda(challenge_), again};
  EXPECT_THAT(VerifyRearm(challenge_, both, trust),
              StatusIs(StatusCode::kPermissionDenied,
                       HasSubstr("'Ada' approves twice (as local_operator and safety_officer)")));
}

TEST_F(RearmApprovalTest, EveryRoleMustStand) {
  EXPECT_THAT(Verify({}), StatusIs(StatusCode::kPermissionDenied,
                                   HasSubstr("by a local_operator nor by a safety_officer")));
  EXPECT_THAT(Verify({ByAda(challenge_)}), StatusIs(StatusCode::kPermissionDenied,
                                                    HasSubstr("no approval by a safety_officer")));
  EXPECT_THAT(MissingRoles(challenge_, {}), ElementsAre("local_operator", "safety_officer"));
  const Approver approvers[] = {kBo, kAda};
  EXPECT_THAT(MissingRoles(challenge_, approvers), IsEmpty());

  // Two people in the same role are two people, but not two roles.
  std::vector<TrustedKey> keys = signers_.trust.keys();
  const PrivateKey key = Must(PrivateKey::Generate());
  keys.push_back({KeyClass::kApprover, "cy", key.public_key(), "local_operator"});
  const TrustPolicy trust = Must(TrustPolicy::Make(keys, "v", "l"));
  const std::vector<std::string> both = {
      ByAda(challenge_), Must(SignRearmApproval(challenge_, {"local_operator", "cy"}, key))};
  EXPECT_THAT(
      VerifyRearm(challenge_, both, trust),
      StatusIs(StatusCode::kPermissionDenied, HasSubstr("no approval by a safety_officer")));
}

TEST_F(RearmApprovalTest, OnlyApproversKeysCount) {
  const PrivateKey stranger = Must(PrivateKey::Generate());
  for (const PrivateKey& key : {stranger, signers_.build, signers_.gate}) {
    const std::string approval = Must(SignRearmApproval(challenge_, kAda, key));
    EXPECT_THAT(Verify({approval, ByBo(challenge_)}),
                StatusIs(StatusCode::kPermissionDenied, HasSubstr("not among the 2 keys")));
  }
}

TEST_F(RearmApprovalTest, NobodySpeaksUnderAnotherNameOrRole) {
  const std::string as_officer =
      Must(SignRearmApproval(challenge_, {"safety_officer", "ada"}, signers_.ada));
  EXPECT_THAT(Verify({as_officer, ByBo(challenge_)}),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("listed for 'ada' as "
                                                                "'local_operator'")));
  const std::string as_cy =
      Must(SignRearmApproval(challenge_, {"local_operator", "cy"}, signers_.ada));
  EXPECT_THAT(Verify({as_cy, ByBo(challenge_)}),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("speaks for 'cy'")));
}

TEST_F(RearmApprovalTest, AnotherStatementIsNoApproval) {
  const Json good = StatementOf(ByAda(challenge_));
  const std::pair<const char*, const char*> patches[] = {
      {R"([{"op":"replace","path":"/predicateType","value":"https://slsa.dev/x"}])", "no approval"},
      {R"([{"op":"replace","path":"/predicateType","value":1}])", "not text"},
      {R"([{"op":"remove","path":"/predicate"}])", "for robot not text"},
      {R"([{"op":"replace","path":"/predicate/robot","value":17}])", "for robot not text"},
      {R"([{"op":"replace","path":"/_type","value":"https://in-toto.io/Statement/v0.1"}])",
       "shape"},
      {R"([{"op":"replace","path":"/subject","value":[]}])", "its subject"},
      {R"([{"op":"add","path":"/predicate/not_after","value":1}])", "shape"},
  };
  for (const auto& [patch, why] : patches) {
    EXPECT_THAT(Verify({AdaSigns(good.patch(Json::parse(patch))), ByBo(challenge_)}),
                StatusIs(StatusCode::kPermissionDenied, HasSubstr(why)))
        << patch;
  }
}

TEST_F(RearmApprovalTest, NoFlippedByteNorMissingByteIsAnApproval) {
  const std::string good = ByAda(challenge_);
  for (size_t at = 0; at < good.size(); ++at) {
    EXPECT_FALSE(Verify({good.substr(0, at), ByBo(challenge_)}).ok()) << at;
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ (at % 2 == 0 ? 0x01 : 0x20));
    EXPECT_FALSE(Verify({flipped, ByBo(challenge_)}).ok()) << at;
  }
  EXPECT_THAT(Verify({"{}", ByBo(challenge_)}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a Sigstore bundle")));
}

TEST_F(RearmApprovalTest, ASignatureOfOtherBytesDoesNotHold) {
  Json bundle = Json::parse(ByAda(challenge_));
  v1::RearmChallenge other = challenge_;
  other.set_nonce("5");
  bundle["dsseEnvelope"]["signatures"] = Json::parse(ByAda(other))["dsseEnvelope"]["signatures"];
  EXPECT_THAT(Verify({base::CanonicalJson(bundle), ByBo(challenge_)}),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("does not hold")));
}

TEST_F(RearmApprovalTest, TooManyOrTooLargeApprovalsAreNotRead) {
  const std::string padded =
      ByAda(challenge_) + std::string(kMaxApprovalBytes + 1 - ByAda(challenge_).size(), ' ');
  EXPECT_THAT(Verify({padded, ByBo(challenge_)}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at most 8192")));
  const std::string largest =
      ByAda(challenge_) + std::string(kMaxApprovalBytes - ByAda(challenge_).size(), ' ');
  EXPECT_OK(Verify({largest, ByBo(challenge_)}));
  const std::vector<std::string> nine(kMaxApprovals + 1, "x");
  EXPECT_THAT(Verify(nine),
              StatusIs(StatusCode::kInvalidArgument, "9 approvals; at most 8 are read"));
  const std::vector<std::string> eight(kMaxApprovals, "x");
  EXPECT_THAT(Verify(eight), StatusIs(StatusCode::kInvalidArgument, HasSubstr("the approval")));
}

TEST_F(RearmApprovalTest, AChallengeThatBindsNothingIsAnsweredByNobody) {
  const struct {
    void (*change)(v1::RearmChallenge&);
    const char* why;
  } empties[] = {{[](v1::RearmChallenge& c) { c.clear_robot(); }, "robot ''"},
                 {[](v1::RearmChallenge& c) { c.clear_nonce(); }, "wait for re-arm"},
                 {[](v1::RearmChallenge& c) { c.clear_roles(); }, "0 roles"},
                 {[](v1::RearmChallenge& c) { c.set_roles(1, c.roles(0)); }, "1 roles"}};
  for (const auto& [change, why] : empties) {
    v1::RearmChallenge challenge = challenge_;
    change(challenge);
    EXPECT_THAT(VerifyRearm(challenge, {}, signers_.trust),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr(why)));
  }
  v1::RearmChallenge nameless = challenge_;
  nameless.clear_robot();
  EXPECT_THAT(SignRearmApproval(nameless, kAda, signers_.ada),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("enrol the robot")));
  EXPECT_THAT(SignRearmApproval(challenge_, {"visitor", "ada"}, signers_.ada),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("local_operator and safety_officer, not for role 'visitor'")));
}

TEST(RearmChallengeTest, TravelsAsAFileWithoutLoss) {
  ASSERT_OK_AND_ASSIGN(v1::RearmChallenge read, ParseChallenge(ChallengeJson(Challenge())));
  read.set_since_uptime_ms(77);
  EXPECT_EQ(read.SerializeAsString(), Challenge().SerializeAsString());
}

TEST(RearmChallengeTest, RefusesFilesOfAnyOtherShape) {
  const Json good = Json::parse(ChallengeJson(Challenge()));
  const std::pair<const char*, const char*> patches[] = {
      {R"([{"op":"replace","path":"/schema","value":"rearm_challenge/2"}])", "rearm_challenge/1"},
      {R"([{"op":"remove","path":"/nonce"}])", "exactly"},
      {R"([{"op":"add","path":"/since","value":1}])", "exactly"},
      {R"([{"op":"replace","path":"/robot","value":1}])", "robot wants text"},
      {R"([{"op":"replace","path":"/incident","value":1}])", "incident wants text"},
      {R"([{"op":"replace","path":"/unit","value":null}])", "unit wants text"},
      {R"([{"op":"replace","path":"/nonce","value":[]}])", "nonce wants text"},
      {R"([{"op":"replace","path":"/ttl_ms","value":"1"}])", "integer"},
      {R"([{"op":"replace","path":"/ttl_ms","value":1.5}])", "integer"},
      {R"([{"op":"replace","path":"/roles","value":"x"}])", "list"},
      {R"([{"op":"replace","path":"/roles/0","value":1}])", "list of text"},
  };
  for (const auto& [patch, why] : patches) {
    EXPECT_THAT(ParseChallenge(good.patch(Json::parse(patch)).dump()),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)))
        << patch;
  }
  EXPECT_FALSE(ParseChallenge(good.dump() + "x").ok());
  EXPECT_OK(ParseChallenge(good.dump() + std::string(4096 - good.dump().size(), ' ')));
  EXPECT_THAT(ParseChallenge(good.dump() + std::string(4097 - good.dump().size(), ' ')),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("4 KiB")));
}

}  // namespace
}  // namespace agent::trust
