#include <gtest/gtest.h>

#include <cstdlib>

#include "agent/trust/certificate.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::trust {
namespace {

using testing::_;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::Must;
using tests::StatusIs;

constexpr int64_t kNowMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kDayMs = 24 * kHourMs;
const Identity kRobot = {Party::kRobot, "r-0017"};

class CertificateTest : public testing::Test {
 protected:
  std::string Issue(const Identity& identity, std::chrono::hours life = std::chrono::hours(24)) {
    return Must(
        ca_.Issue({.csr_pem = Must(MakeCsr(robot_)), .identity = identity, .life = life}, kNowMs));
  }
  // What `openssl` answers to a subcommand on these files; empty when it failed.
  std::string Openssl(const std::string& arguments) {
    const std::string out = folder_ / "out";
    const int code = std::system(
        ("cd " + folder_.path() + " && openssl " + arguments + " > out 2>/dev/null").c_str());
    return code == 0 ? tests::ReadFile(out) : "";
  }
  std::string CertificateText(const std::string& pem) {
    tests::WriteFile(folder_ / "cert.pem", pem);
    return Openssl("x509 -in cert.pem -noout -text");
  }

  const tests::TempFolder folder_;
  const PrivateKey ca_key_ = Must(PrivateKey::Generate());
  const PrivateKey robot_ = Must(PrivateKey::Generate());
  const CertificateAuthority ca_ =
      Must(CertificateAuthority::Create(ca_key_, "test CA", 30, kNowMs));
};

TEST_F(CertificateTest, ARobotsCertificateSaysWhoItIsAndNothingMore) {
  const std::string pem = Issue(kRobot);
  ASSERT_OK_AND_ASSIGN(const std::string id, SpiffeId(pem));
  EXPECT_EQ(id, "spiffe://gatekeeper/robot/r-0017");
  EXPECT_OK(CheckCertificate(pem, ca_.Pem(), kNowMs));
  EXPECT_THAT(CertificateText(pem),
              AllOf(HasSubstr("URI:spiffe://gatekeeper/robot/r-0017"), HasSubstr("CA:FALSE"),
                    HasSubstr("TLS Web Client Authentication"),
                    Not(HasSubstr("Server Authentication")), HasSubstr("Digital Signature"),
                    Not(HasSubstr("DNS:")), HasSubstr("ecdsa-with-SHA256")));
}

TEST_F(CertificateTest, TheServersCertificateNamesItsHosts) {
  const CertificateOrder order = {
      .csr_pem = Must(MakeCsr(robot_)),
      .identity = {Party::kServer, ""},
      .server_names = {"gatekeeper.example", "10.0.0.7", "::1", "localhost"}};
  ASSERT_OK_AND_ASSIGN(const std::string pem, ca_.Issue(order, kNowMs));
  EXPECT_THAT(
      CertificateText(pem),
      AllOf(HasSubstr("DNS:localhost"), HasSubstr("IP Address:127.0.0.1"),
            HasSubstr("DNS:gatekeeper.example"), HasSubstr("IP Address:10.0.0.7"),
            HasSubstr("IP Address:0:0:0:0:0:0:0:1"), HasSubstr("TLS Web Server Authentication"),
            Not(HasSubstr("Client Authentication")), HasSubstr("spiffe://gatekeeper/server")));
  EXPECT_OK(CheckCertificate(pem, ca_.Pem(), kNowMs));
}

TEST_F(CertificateTest, PlainOpensslAgreesWithTheChain) {
  tests::WriteFile(folder_ / "ca.pem", ca_.Pem());
  tests::WriteFile(folder_ / "robot.pem", Issue(kRobot));
  const std::string verify =
      "verify -x509_strict -attime " + std::to_string(kNowMs / 1000) + " -CAfile ca.pem -purpose ";
  EXPECT_THAT(Openssl(verify + "sslclient robot.pem"), HasSubstr("OK"));
  EXPECT_EQ(Openssl(verify + "sslserver robot.pem"), "");
}

TEST_F(CertificateTest, IgnoresEveryNameInTheRequest) {
  tests::WriteFile(folder_ / "key", robot_.Pem());
  const std::string csr = Openssl(
      "req -new -key key -subj /CN=operator-root -addext 'basicConstraints=critical,CA:TRUE' "
      "-addext 'subjectAltName=URI:spiffe://gatekeeper/operator/root,DNS:evil.example'");
  ASSERT_THAT(csr, HasSubstr("BEGIN CERTIFICATE REQUEST"));
  ASSERT_OK_AND_ASSIGN(const std::string pem,
                       ca_.Issue({.csr_pem = csr, .identity = kRobot}, kNowMs));
  EXPECT_EQ(Must(SpiffeId(pem)), "spiffe://gatekeeper/robot/r-0017");
  EXPECT_THAT(CertificateText(pem),
              AllOf(Not(HasSubstr("operator")), Not(HasSubstr("evil")), Not(HasSubstr("CA:TRUE"))));
}

TEST_F(CertificateTest, RefusesARequestWhoseOwnSignatureDoesNotHold) {
  tests::WriteFile(folder_ / "csr.pem", Must(MakeCsr(robot_)));
  ASSERT_NE(Openssl("req -in csr.pem -outform DER"), "");
  std::string der = tests::ReadFile(folder_ / "out");
  der.back() = static_cast<char>(der.back() ^ 1);
  tests::WriteFile(folder_ / "csr.der", der);
  const std::string broken = Openssl("req -inform DER -in csr.der");
  ASSERT_THAT(broken, HasSubstr("BEGIN CERTIFICATE REQUEST"));
  EXPECT_THAT(ca_.Issue({.csr_pem = broken, .identity = kRobot}, kNowMs),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("own signature")));
}

TEST_F(CertificateTest, RefusesARequestFlippedOrCutAnywhereInItsBase64) {
  const std::string csr = Must(MakeCsr(robot_));
  const size_t begin = csr.find('\n') + 1;
  const size_t end = csr.rfind("\n-----END");
  for (size_t at = begin; at < end; ++at) {
    EXPECT_FALSE(ca_.Issue({.csr_pem = csr.substr(0, at), .identity = kRobot}, kNowMs).ok()) << at;
    std::string flipped = csr;
    flipped[at] = csr[at] == 'A' ? 'B' : 'A';
    // The last digits of base64 may hold bits that mean nothing.
    if (at + 4 >= end) continue;
    EXPECT_FALSE(ca_.Issue({.csr_pem = flipped, .identity = kRobot}, kNowMs).ok()) << at;
  }
}

TEST_F(CertificateTest, RefusesRequestsOfOtherKeysAndOtherThings) {
  for (const char* maker :
       {"req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=x",
        "req -new -newkey ed25519 -nodes -keyout k -subj /CN=x",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout k -subj /CN=x"}) {
    const std::string csr = Openssl(maker);
    ASSERT_NE(csr, "") << maker;
    EXPECT_THAT(ca_.Issue({.csr_pem = csr, .identity = kRobot}, kNowMs),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("P-256")))
        << maker;
  }
  for (const std::string& text :
       {std::string(), std::string("hello"), ca_.Pem(), std::string(100'000, 'A')}) {
    EXPECT_THAT(ca_.Issue({.csr_pem = text, .identity = kRobot}, kNowMs),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("request")));
  }
}

TEST_F(CertificateTest, HoldsFromFiveMinutesBeforeUntilItsLifeEnds) {
  const std::string pem = Issue(kRobot, std::chrono::hours(12));
  EXPECT_EQ(Must(NotBeforeMs(pem)), kNowMs - 300'000);
  EXPECT_EQ(Must(NotAfterMs(pem)), kNowMs + 12 * kHourMs);
  EXPECT_OK(CheckCertificate(pem, ca_.Pem(), kNowMs - 300'000));
  EXPECT_THAT(CheckCertificate(pem, ca_.Pem(), kNowMs - 301'000),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not yet valid")));
  EXPECT_OK(CheckCertificate(pem, ca_.Pem(), kNowMs + 12 * kHourMs - 1000));
  EXPECT_THAT(CheckCertificate(pem, ca_.Pem(), kNowMs + 12 * kHourMs),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("expired")));
}

TEST_F(CertificateTest, NeverOutlivesItsAuthority) {
  EXPECT_EQ(Must(NotAfterMs(Issue(kRobot, std::chrono::hours(24 * 365)))), kNowMs + 30 * kDayMs);
  const CertificateOrder order = {.csr_pem = Must(MakeCsr(robot_)), .identity = kRobot};
  EXPECT_OK(ca_.Issue(order, kNowMs + 30 * kDayMs - 1000));
  EXPECT_THAT(ca_.Issue(order, kNowMs + 30 * kDayMs),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expired from the start")));
  EXPECT_THAT(
      ca_.Issue({.csr_pem = order.csr_pem, .identity = kRobot, .life = std::chrono::hours(0)},
                kNowMs),
      StatusIs(absl::StatusCode::kFailedPrecondition, _));
}

TEST_F(CertificateTest, RefusesAnotherAuthorityEvenOfTheSameName) {
  const CertificateAuthority other =
      Must(CertificateAuthority::Create(Must(PrivateKey::Generate()), "test CA", 30, kNowMs));
  EXPECT_THAT(CheckCertificate(Issue(kRobot), other.Pem(), kNowMs),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("refused")));
  EXPECT_THAT(CheckCertificate(ca_.Pem(), ca_.Pem(), kNowMs),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("0 URI names")));
}

TEST_F(CertificateTest, TakesAnAuthorityOnlyWithItsOwnKey) {
  EXPECT_OK(CertificateAuthority::Load(ca_key_, ca_.Pem()));
  EXPECT_THAT(CertificateAuthority::Load(robot_, ca_.Pem()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another key")));
  EXPECT_THAT(CertificateAuthority::Load(robot_, Issue(kRobot)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("authority")));
  EXPECT_THAT(CertificateAuthority::Load(ca_key_, "hello"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a certificate")));
}

TEST_F(CertificateTest, NamesThatCouldMeanSomethingElseAreRefused) {
  const std::string csr = Must(MakeCsr(robot_));
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string("a,DNS:evil"), std::string("a\0b", 3),
        std::string("%2e"), std::string("-a"), std::string("\xc3\xa9"), std::string(65, 'a')}) {
    for (const Party party : {Party::kRobot, Party::kOperator}) {
      EXPECT_THAT(ca_.Issue({.csr_pem = csr, .identity = {party, name}}, kNowMs),
                  StatusIs(absl::StatusCode::kInvalidArgument, _))
          << name;
    }
  }
  EXPECT_OK(
      ca_.Issue({.csr_pem = csr, .identity = {Party::kOperator, std::string(64, 'a')}}, kNowMs));
  EXPECT_FALSE(ca_.Issue({.csr_pem = csr, .identity = {Party::kServer, "x"}}, kNowMs).ok());
  EXPECT_THAT(ca_.Issue({.csr_pem = csr, .identity = kRobot, .server_names = {"a"}}, kNowMs),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("only the server")));
  for (const char* host :
       {"", "a,URI:spiffe://gatekeeper/operator/root", "a b", "*.example", "::zz"}) {
    EXPECT_THAT(
        ca_.Issue({.csr_pem = csr, .identity = {Party::kServer, ""}, .server_names = {host}},
                  kNowMs),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("neither a DNS name")))
        << host;
  }
}

// Certificates that our authority would never make, made by openssl with the authority's key.
TEST_F(CertificateTest, RefusesMalformedCertificatesOfTheRightAuthority) {
  tests::WriteFile(folder_ / "ca.key", ca_key_.Pem());
  tests::WriteFile(folder_ / "ca.pem", ca_.Pem());
  tests::WriteFile(folder_ / "key", robot_.Pem());
  tests::WriteFile(folder_ / "csr.pem", Openssl("req -new -key key -subj /CN=r1"));
  const auto made = [this](const std::string& extensions) {
    tests::WriteFile(folder_ / "ext", extensions);
    return Openssl(
        "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -set_serial 7 -days 3650 -extfile ext");
  };
  const std::string uri = "subjectAltName=URI:spiffe://gatekeeper/robot/r1";
  const std::string usual = "\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n";
  const int64_t made_ms = Must(NotBeforeMs(made(uri + usual + "extendedKeyUsage=clientAuth")));
  const CertificateAuthority today =
      Must(CertificateAuthority::Create(ca_key_, "test CA", 30, made_ms));
  tests::WriteFile(folder_ / "ca.pem", today.Pem());

  EXPECT_OK(CheckCertificate(made(uri + usual + "extendedKeyUsage=clientAuth"), today.Pem(),
                             made_ms + 60'000));
  const std::pair<std::string, const char*> wrong[] = {
      {uri + usual + "extendedKeyUsage=serverAuth", "purpose"},
      {uri + usual + "extendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:TRUE", "authority"},
      {uri + ",URI:spiffe://gatekeeper/operator/root" + usual + "extendedKeyUsage=clientAuth",
       "2 URI names"},
      {"subjectAltName=URI:spiffe://gatekeeper/robot/%2e" + usual, "no identity"},
      {"subjectAltName=URI:spiffe://elsewhere/robot/r1" + usual, "no identity"},
      {"subjectAltName=URI:spiffe://gatekeeper/robot/r1/x" + usual, "no identity"},
      {"subjectAltName=URI:spiffe://gatekeeper/server/x" + usual, "no identity"},
      {"subjectAltName=DNS:r1" + usual, "0 URI names"},
      {usual, "0 URI names"},
  };
  for (const auto& [extensions, why] : wrong) {
    const std::string pem = made(extensions);
    ASSERT_NE(pem, "") << extensions;
    EXPECT_THAT(CheckCertificate(pem, today.Pem(), made_ms + 60'000),
                StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(why)))
        << extensions;
  }
}

TEST_F(CertificateTest, ReadsNoIdentityFromBytesThatAreNoCertificate) {
  const std::string pem = Issue(kRobot);
  for (size_t size = 0; size < pem.size() - 1; size += 7) {
    EXPECT_THAT(SpiffeId(pem.substr(0, size)), StatusIs(absl::StatusCode::kInvalidArgument, _));
  }
  EXPECT_THAT(SpiffeId(std::string(100'000, 'A')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too many")));
  for (size_t at = 0; at < pem.size(); ++at) {
    std::string flipped = pem;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    CheckCertificate(flipped, ca_.Pem(), kNowMs).IgnoreError();  // no crash, whatever it says
  }
}

TEST_F(CertificateTest, TheDigestIsTheFingerprintThatOpensslPrints) {
  tests::WriteFile(folder_ / "ca.pem", ca_.Pem());
  std::string printed = Openssl("x509 -in ca.pem -noout -fingerprint -sha256");
  std::string hex;
  for (const char c : printed.substr(printed.find('=') + 1)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0)
      hex += static_cast<char>(std::tolower(c));
  }
  ASSERT_OK_AND_ASSIGN(const Digest digest, CertificateDigest(ca_.Pem()));
  EXPECT_EQ(digest.hex(), hex);
}

TEST(IdentityTest, UrisAndIdentitiesTurnIntoEachOther) {
  const std::pair<Identity, const char*> pairs[] = {
      {{Party::kRobot, "r1"}, "spiffe://gatekeeper/robot/r1"},
      {{Party::kOperator, "ada"}, "spiffe://gatekeeper/operator/ada"},
      {{Party::kServer, ""}, "spiffe://gatekeeper/server"},
  };
  for (const auto& [identity, uri] : pairs) {
    EXPECT_EQ(Must(SpiffeUri(identity)), uri);
    EXPECT_EQ(Must(ParseSpiffe(uri)), identity);
  }
  for (const char* uri : {"", "spiffe://gatekeeper/robot/", "spiffe://gatekeeper/robot",
                          "SPIFFE://gatekeeper/server", "spiffe://gatekeeper/server/",
                          "spiffe://gatekeeper/admin/x", "https://gatekeeper/robot/x"}) {
    EXPECT_THAT(ParseSpiffe(uri), StatusIs(absl::StatusCode::kPermissionDenied, _)) << uri;
  }
}

}  // namespace
}  // namespace agent::trust
