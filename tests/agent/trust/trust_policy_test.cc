#include "agent/trust/trust_policy.h"

#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"

namespace agent::trust {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::Must;
using tests::StatusIs;

TEST(TrustPolicyTest, KeepsEachKeyInItsClassOverTheJson) {
  const tests::Signers signers;
  ASSERT_OK_AND_ASSIGN(const TrustPolicy read, TrustPolicy::Parse(signers.trust.ToJson()));
  EXPECT_THAT(read.Keys(KeyClass::kBuild), ElementsAre(signers.build.public_key()));
  EXPECT_THAT(read.Keys(KeyClass::kGate), ElementsAre(signers.gate.public_key()));
  EXPECT_THAT(read.Keys(KeyClass::kApprover),
              ElementsAre(signers.ada.public_key(), signers.bo.public_key()));
  EXPECT_EQ(read.keys()[3].role, "safety_officer");
  EXPECT_EQ(read.verifier_id(), "https://gatekeeper.test");
  EXPECT_EQ(read.level(), "ROBOT_GATES_L1");
  EXPECT_EQ(read.ToJson(), signers.trust.ToJson());
}

TEST(TrustPolicyTest, RefusesTheSameKeyTwiceUnderAnyNameOrClass) {
  const PublicKey build = Must(PrivateKey::Generate()).public_key();
  const PublicKey gate = Must(PrivateKey::Generate()).public_key();
  EXPECT_OK(
      TrustPolicy::Make({{KeyClass::kBuild, "b", build}, {KeyClass::kGate, "g", gate}}, "v", "l"));
  for (const TrustedKey& again :
       {TrustedKey{KeyClass::kGate, "b", build}, TrustedKey{KeyClass::kBuild, "b2", build},
        TrustedKey{KeyClass::kGate, "g2", gate},
        TrustedKey{KeyClass::kApprover, "g2", gate, "safety_officer"}}) {
    EXPECT_THAT(
        TrustPolicy::Make({{KeyClass::kBuild, "b", build}, {KeyClass::kGate, "g", gate}, again},
                          "v", "l"),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("same key")));
  }
}

TEST(TrustPolicyTest, RefusesDocumentsOfAnyOtherShape) {
  const Json good = Json::parse(tests::Signers().trust.ToJson());
  const std::pair<const char*, const char*> patches[] = {
      {R"([{"op":"replace","path":"/schema","value":"trust/2"}])", "trust/1"},
      {R"([{"op":"remove","path":"/schema"}])", "exactly"},
      {R"([{"op":"add","path":"/threshold","value":0}])", "exactly"},
      {R"([{"op":"replace","path":"/keys","value":{}}])", "list"},
      {R"([{"op":"replace","path":"/keys","value":[]}])", "no key of class build"},
      {R"([{"op":"remove","path":"/keys/1"}])", "no key of class gate"},
      {R"([{"op":"add","path":"/keys/0/not_after","value":1}])", "exactly class, name and pem"},
      {R"([{"op":"replace","path":"/keys/0/class","value":"root"}])", "'root' is unknown"},
      {R"([{"op":"replace","path":"/keys/0/class","value":"approver"}])", "role of 1 to 64"},
      {R"([{"op":"add","path":"/keys/0/role","value":"x"}])", "only an approver has a role"},
      {R"([{"op":"remove","path":"/keys/2/role"}])", "approver 'ada' wants a role"},
      {R"([{"op":"replace","path":"/keys/2/role","value":""}])", "role of 1 to 64"},
      {R"([{"op":"replace","path":"/keys/2/role","value":"Boss"}])", "letters a-z and _"},
      {R"([{"op":"replace","path":"/keys/2/role","value":2}])", "all text"},
      {R"([{"op":"replace","path":"/keys/2/name","value":"ada or bo"}])", "cannot name"},
      {R"([{"op":"replace","path":"/keys/0/class","value":1}])", "all text"},
      {R"([{"op":"replace","path":"/keys/0/name","value":""}])", "name of a key"},
      {R"([{"op":"replace","path":"/keys/0/pem","value":"x"}])", "key 'build'"},
      {R"([{"op":"replace","path":"/keys/0","value":"x"}])", "exactly class, name and pem"},
      {R"([{"op":"replace","path":"/verifier_id","value":""}])", "verifier_id"},
      {R"([{"op":"replace","path":"/verifier_id","value":7}])", "want text"},
      {R"([{"op":"replace","path":"/level","value":""}])", "level"},
  };
  for (const auto& [patch, why] : patches) {
    EXPECT_THAT(TrustPolicy::Parse(good.patch(Json::parse(patch)).dump()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)))
        << patch;
  }
}

TEST(TrustPolicyTest, RefusesRepeatedKeysAndTooManyBytes) {
  const std::string good = tests::Signers().trust.ToJson();
  EXPECT_THAT(
      TrustPolicy::Parse(absl::StrReplaceAll(good, {{"\"level\":", "\"level\":\"\",\"level\":"}})),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("level")));
  EXPECT_OK(TrustPolicy::Parse(good + std::string(64 * 1024 - good.size(), ' ')));
  EXPECT_THAT(TrustPolicy::Parse(good + std::string(64 * 1024 + 1 - good.size(), ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most")));
}

TEST(TrustPolicyTest, NoFlippedByteReadsAsTheSamePolicy) {
  const std::string good = tests::Signers().trust.ToJson();
  for (size_t at = 0; at < good.size(); ++at) {
    EXPECT_FALSE(TrustPolicy::Parse(good.substr(0, at)).ok()) << at;
    for (const int mask : {0x01, 0x08, 0x20, 0x80}) {
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ mask);
      const absl::StatusOr<TrustPolicy> read = TrustPolicy::Parse(flipped);
      if (read.ok()) {
        EXPECT_NE(read->ToJson(), good) << at;
      }
    }
  }
}

}  // namespace
}  // namespace agent::trust
