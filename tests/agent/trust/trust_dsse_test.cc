#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "agent/base/strict_json.h"
#include "agent/trust/dsse.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::trust {
namespace {

using Json = nlohmann::json;
using testing::_;
using testing::HasSubstr;
using tests::Must;
using tests::StatusIs;

constexpr char kStatement[] = R"({"_type":"https://in-toto.io/Statement/v1","predicate":{}})";

class DsseTest : public testing::Test {
 protected:
  absl::StatusOr<Json> Open(const std::string& bundle) {
    return OpenStatement(bundle, keys_, "vsa.sigstore.json");
  }

  PrivateKey signer_ = Must(PrivateKey::Generate());
  std::vector<PublicKey> keys_ = {Must(PrivateKey::Generate()).public_key(), signer_.public_key()};
  std::string bundle_ = Must(SignStatement(kStatement, signer_));
};

TEST_F(DsseTest, EncodesWhatIsSignedAsTheProtocolShows) {
  // The example of the DSSE protocol document.
  EXPECT_EQ(Pae("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(Pae("", ""), "DSSEv1 0  0 ");
  EXPECT_EQ(Pae("t", "\xc3\xa9"), "DSSEv1 1 t 2 \xc3\xa9") << "lengths count bytes";
}

TEST_F(DsseTest, GivesBackTheStatementThatWasSigned) {
  ASSERT_OK_AND_ASSIGN(const Json statement, Open(bundle_));
  EXPECT_EQ(statement, Json::parse(kStatement));
}

TEST_F(DsseTest, PlainOpensslAgreesWithTheSignature) {
  const tests::TempFolder folder;
  const Json envelope = Json::parse(bundle_)["dsseEnvelope"];
  std::string payload;
  std::string signature;
  ASSERT_TRUE(absl::Base64Unescape(envelope["payload"].get<std::string>(), &payload));
  ASSERT_TRUE(
      absl::Base64Unescape(envelope["signatures"][0]["sig"].get<std::string>(), &signature));
  tests::WriteFile(folder / "pae", "DSSEv1 28 application/vnd.in-toto+json " +
                                       std::to_string(payload.size()) + " " + payload);
  tests::WriteFile(folder / "sig", signature);
  tests::WriteFile(folder / "pub", signer_.public_key().Pem());

  const std::string verify = "openssl dgst -sha256 -verify " + (folder / "pub") + " -signature " +
                             (folder / "sig") + " " + (folder / "pae") + " >/dev/null 2>&1";
  EXPECT_EQ(std::system(verify.c_str()), 0);
  tests::WriteFile(folder / "pae", "DSSEv1 28 application/vnd.in-toto+json 0 ");
  EXPECT_NE(std::system(verify.c_str()), 0);
}

TEST_F(DsseTest, AcceptsWhatPlainOpensslSigned) {
  const tests::TempFolder folder;
  tests::WriteFile(folder / "key", signer_.Pem());
  tests::WriteFile(folder / "pae", Pae(kStatementPayloadType, kStatement));
  const std::string sign = "openssl dgst -sha256 -sign " + (folder / "key") + " -out " +
                           (folder / "sig") + " " + (folder / "pae");
  ASSERT_EQ(std::system(sign.c_str()), 0);
  Json bundle = Json::parse(bundle_);
  bundle["dsseEnvelope"]["signatures"][0]["sig"] =
      absl::Base64Escape(tests::ReadFile(folder / "sig"));
  EXPECT_OK(Open(bundle.dump()));
}

TEST_F(DsseTest, RefusesAKeyItWasNotGiven) {
  const std::string stranger = Must(SignStatement(kStatement, Must(PrivateKey::Generate())));
  EXPECT_THAT(Open(stranger),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not among the 2 keys")));
  keys_.clear();
  EXPECT_THAT(Open(bundle_), StatusIs(absl::StatusCode::kPermissionDenied, _));
}

TEST_F(DsseTest, RefusesAStrangersSignatureUnderATrustedKeysName) {
  Json bundle = Json::parse(Must(SignStatement(kStatement, Must(PrivateKey::Generate()))));
  bundle["verificationMaterial"]["publicKey"]["hint"] = signer_.public_key().key_id();
  EXPECT_THAT(Open(bundle.dump()),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("does not hold")));
}

TEST_F(DsseTest, RefusesEveryFlippedByteAndEveryCut) {
  for (size_t at = 0; at < bundle_.size(); ++at) {
    EXPECT_FALSE(Open(bundle_.substr(0, at)).ok()) << at;
    for (const int mask : {0x01, 0x02, 0x20, 0x80}) {
      std::string flipped = bundle_;
      flipped[at] = static_cast<char>(flipped[at] ^ mask);
      EXPECT_FALSE(Open(flipped).ok()) << at << ": " << flipped;
    }
  }
}

TEST_F(DsseTest, RefusesBundlesOfAnyOtherShape) {
  const std::pair<const char*, const char*> patches[] = {
      {"several signatures",
       R"([{"op":"copy","from":"/dsseEnvelope/signatures/0","path":"/dsseEnvelope/signatures/1"}])"},
      {"no signature", R"([{"op":"remove","path":"/dsseEnvelope/signatures/0"}])"},
      {"signatures no list", R"([{"op":"replace","path":"/dsseEnvelope/signatures","value":{}}])"},
      {"key id", R"([{"op":"replace","path":"/dsseEnvelope/signatures/0/keyid","value":"x"}])"},
      {"signature no text",
       R"([{"op":"replace","path":"/dsseEnvelope/signatures/0/sig","value":1}])"},
      {"signature extra field",
       R"([{"op":"add","path":"/dsseEnvelope/signatures/0/x","value":1}])"},
      {"another payload type",
       R"([{"op":"replace","path":"/dsseEnvelope/payloadType","value":"text/plain"}])"},
      {"payload no text", R"([{"op":"replace","path":"/dsseEnvelope/payload","value":null}])"},
      {"payload with a space",
       R"([{"op":"replace","path":"/dsseEnvelope/payload","value":"e30 ="}])"},
      {"payload unpadded", R"([{"op":"replace","path":"/dsseEnvelope/payload","value":"e30"}])"},
      {"log entries", R"([{"op":"add","path":"/verificationMaterial/tlogEntries/0","value":{}}])"},
      {"no hint", R"([{"op":"remove","path":"/verificationMaterial/publicKey/hint"}])"},
      {"hint no text",
       R"([{"op":"replace","path":"/verificationMaterial/publicKey/hint","value":7}])"},
      {"a certificate", R"([{"op":"add","path":"/verificationMaterial/certificate","value":{}}])"},
      {"another version",
       R"([{"op":"replace","path":"/mediaType","value":"application/vnd.dev.sigstore.bundle.v0.2+json"}])"},
      {"extra field", R"([{"op":"add","path":"/messageSignature","value":{}}])"},
      {"a list", R"([{"op":"replace","path":"","value":[]}])"},
  };
  for (const auto& [name, patch] : patches) {
    const Json bundle = Json::parse(bundle_).patch(Json::parse(patch));
    EXPECT_THAT(Open(bundle.dump()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("vsa.sigstore.json")))
        << name;
  }
}

TEST_F(DsseTest, RefusesRepeatedKeysTrailingBytesDepthAndSize) {
  const std::string twice =
      absl::StrReplaceAll(bundle_, {{"\"mediaType\":", "\"mediaType\":\"x\",\"mediaType\":"}});
  EXPECT_THAT(Open(twice), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mediaType")));
  EXPECT_THAT(Open(bundle_ + "{}"), StatusIs(absl::StatusCode::kInvalidArgument, _));
  EXPECT_THAT(Open(std::string(100'000, '[')), StatusIs(absl::StatusCode::kInvalidArgument, _));
  EXPECT_OK(Open(bundle_ + std::string(kMaxBundleBytes - bundle_.size(), ' ')));
  EXPECT_THAT(Open(bundle_ + std::string(kMaxBundleBytes + 1 - bundle_.size(), ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 MiB")));
}

TEST_F(DsseTest, RefusesASignedStatementThatIsNotStrictJson) {
  for (const char* payload : {"", "not json", R"({"a":1,"a":2})", "{}{}"}) {
    EXPECT_THAT(Open(Must(SignStatement(payload, signer_))),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the statement in")))
        << payload;
  }
}

}  // namespace
}  // namespace agent::trust
