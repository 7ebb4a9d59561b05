#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "agent/trust/hash.h"
#include "agent/trust/keys.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::trust {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using tests::Must;
using tests::StatusIs;

int Shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str());
}

std::string SpkiPem(const std::string& der) {
  std::string pem = "-----BEGIN PUBLIC KEY-----\n";
  const std::string text = absl::Base64Escape(der);
  for (size_t i = 0; i < text.size(); i += 64) pem += text.substr(i, 64) + "\n";
  return pem + "-----END PUBLIC KEY-----\n";
}

// RFC 6979, A.2.5, message "sample" with SHA-256.
const char kRfcPoint[] =
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const char kRfcSignature[] =
    "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const char kSpkiHeader[] = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";

PublicKey RfcKey() {
  return Must(
      PublicKey::FromPem(SpkiPem(absl::HexStringToBytes(std::string(kSpkiHeader) + kRfcPoint))));
}

TEST(KeysTest, HoldsToThePublishedVector) {
  const std::string signature = absl::HexStringToBytes(kRfcSignature);
  EXPECT_TRUE(RfcKey().Verify("sample", signature));
  EXPECT_FALSE(RfcKey().Verify("sampld", signature));
  EXPECT_FALSE(RfcKey().Verify("", signature));
}

TEST(KeysTest, RefusesEveryFlippedBitAndEveryLengthOfASignature) {
  const std::string signature = absl::HexStringToBytes(kRfcSignature);
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string flipped = signature;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(RfcKey().Verify("sample", flipped)) << "bit " << bit;
  }
  for (size_t size = 0; size < signature.size(); ++size) {
    EXPECT_FALSE(RfcKey().Verify("sample", signature.substr(0, size))) << size;
  }
  EXPECT_FALSE(RfcKey().Verify("sample", signature + '\0'));
  EXPECT_FALSE(RfcKey().Verify("sample", std::string(1 << 20, '\x30')));
  EXPECT_FALSE(RfcKey().Verify("sample", absl::HexStringToBytes("3006020100020100")))
      << "r = s = 0";
}

TEST(KeysTest, WhatOneKeySignsNoOtherKeyAccepts) {
  const PrivateKey mine = Must(PrivateKey::Generate());
  const PrivateKey other = Must(PrivateKey::Generate());
  for (const std::string& bytes : {std::string(), std::string("bytes\0with a zero", 17)}) {
    const std::string signature = Must(mine.Sign(bytes));
    EXPECT_TRUE(mine.public_key().Verify(bytes, signature));
    EXPECT_FALSE(other.public_key().Verify(bytes, signature));
  }
}

TEST(KeysTest, KeepsAKeyOverItsPemAndNamesItByThatText) {
  const PrivateKey key = Must(PrivateKey::Generate());
  ASSERT_OK_AND_ASSIGN(const PublicKey read, PublicKey::FromPem(key.public_key().Pem()));
  EXPECT_EQ(read, key.public_key());
  EXPECT_EQ(read.key_id(), Sha256(read.Pem()).hex());

  const tests::TempFolder folder;
  tests::WriteFile(folder / "key", key.Pem());
  chmod((folder / "key").c_str(), 0600);
  ASSERT_OK_AND_ASSIGN(const PrivateKey loaded, PrivateKey::Load(folder / "key"));
  EXPECT_EQ(loaded.public_key(), key.public_key());
}

TEST(KeysTest, RefusesAKeyFileThatAnybodyElseMayTouch) {
  const tests::TempFolder folder;
  const std::string path = folder / "key";
  tests::WriteFile(path, Must(PrivateKey::Generate()).Pem());
  for (const mode_t mode : {0400U, 0600U, 0200U | 0400U}) {
    chmod(path.c_str(), mode);
    EXPECT_OK(PrivateKey::Load(path)) << std::oct << mode;
  }
  for (const mode_t mode : {0601U, 0602U, 0604U, 0610U, 0620U, 0640U, 0644U, 0700U, 0666U}) {
    chmod(path.c_str(), mode);
    EXPECT_THAT(PrivateKey::Load(path),
                StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("chmod 600")))
        << std::oct << mode;
  }
}

TEST(KeysTest, SaysWhyAPrivateKeyCannotBeLoaded) {
  const tests::TempFolder folder;
  const std::string path = folder / "key";
  EXPECT_THAT(PrivateKey::Load(path), StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
  EXPECT_THAT(PrivateKey::Load(folder.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a file")));

  const std::pair<const char*, const char*> makers[] = {
      {"openssl genpkey -algorithm ED25519 -out ", "another kind"},
      {"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ", "another kind"},
      {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ", "another kind"},
      {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x -out ",
       "without passphrase"},
      {"echo hello > ", "not a private key"},
      {"head -c 100000 /dev/zero > ", "not a private key"},
  };
  for (const auto& [maker, why] : makers) {
    ASSERT_EQ(Shell(maker + path), 0) << maker;
    chmod(path.c_str(), 0600);
    EXPECT_THAT(PrivateKey::Load(path), StatusIs(absl::StatusCode::kInvalidArgument,
                                                 AllOf(HasSubstr(path), HasSubstr(why))))
        << maker;
  }
}

TEST(KeysTest, LoadsTheKeysThatOpensslMakes) {
  const tests::TempFolder folder;
  for (const char* maker :
       {"openssl ecparam -name prime256v1 -genkey -out ",
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "}) {
    ASSERT_EQ(Shell(maker + (folder / "key")), 0);
    ASSERT_EQ(Shell("openssl ec -pubout -in " + (folder / "key") + " -out " + (folder / "pub")), 0);
    chmod((folder / "key").c_str(), 0600);
    ASSERT_OK_AND_ASSIGN(const PrivateKey key, PrivateKey::Load(folder / "key"));
    EXPECT_EQ(key.public_key().Pem(), tests::ReadFile(folder / "pub")) << maker;
  }
}

TEST(KeysTest, TakesOneTextPerPublicKeyAndNoOtherKind) {
  const tests::TempFolder folder;
  const std::string key = folder / "key";
  const std::string pub = folder / "pub";
  ASSERT_EQ(Shell("openssl ecparam -name prime256v1 -genkey -out " + key), 0);
  for (const char* form : {"-conv_form compressed", "-conv_form hybrid", "-param_enc explicit"}) {
    ASSERT_EQ(Shell("openssl ec -pubout " + std::string(form) + " -in " + key + " -out " + pub), 0);
    EXPECT_THAT(PublicKey::FromPem(tests::ReadFile(pub)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another kind or form")))
        << form;
  }
  const std::string pem = Must(PrivateKey::Generate()).public_key().Pem();
  for (const std::string& unusual : {pem + "\n", " " + pem, "text\n" + pem, pem + pem}) {
    EXPECT_THAT(PublicKey::FromPem(unusual),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
  }
  for (const std::string& none : {std::string(), std::string("hello"), std::string(9000, 'A')}) {
    EXPECT_THAT(PublicKey::FromPem(none), StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
  }
}

TEST(KeysTest, RefusesAPublicKeyCutOrFlippedAnywhere) {
  const std::string pem = Must(PrivateKey::Generate()).public_key().Pem();
  for (size_t at = 0; at < pem.size(); ++at) {
    EXPECT_FALSE(PublicKey::FromPem(pem.substr(0, at)).ok()) << at;
    for (const int mask : {0x01, 0x04, 0x20, 0x80}) {
      std::string flipped = pem;
      flipped[at] = static_cast<char>(flipped[at] ^ mask);
      EXPECT_FALSE(PublicKey::FromPem(flipped).ok()) << at;
    }
  }
}

}  // namespace
}  // namespace agent::trust
