#include <sys/eventfd.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/unique_fd.h"
#include "agent/daemon/channel.h"
#include "agent/daemon/credentials.h"
#include "agent/daemon/enrolment.h"
#include "agent/trust/certificate.h"
#include "agent/trust/pinned_ca.h"
#include "gmock/gmock.h"
#include "spdlog/spdlog.h"
#include "tests/agent/daemon/test_gatekeeper.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

using namespace tests;  // NOLINT: fixtures and proto alias
using agent::daemon::CredentialStore;
using agent::daemon::Enrol;
using agent::daemon::EnrolOptions;
using testing::HasSubstr;

class EnrolmentTest : public testing::Test {
 protected:
  EnrolmentTest() {
    spdlog::set_level(spdlog::level::off);
    gatekeeper_.tokens = {"t0ken"};
  }
  EnrolOptions Options() const {
    return {.address = gatekeeper_.enrolment(),
            .token = "t0ken",
            .robot = "r1",
            .ca_sha256 = OurAuthority().Fingerprint()};
  }
  int ModeOf(const std::string& name) const {
    struct stat info {};
    return stat((state_ / name).c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
  }

  TestGatekeeper gatekeeper_;
  TempFolder state_;
  agent::base::OsFiles files_;
  agent::base::SystemClock clock_;
  CredentialStore store_{files_, state_.path()};
};

TEST_F(EnrolmentTest, BringsACertificateForThisRobotsOwnKey) {
  ASSERT_OK(Enrol(Options(), store_, clock_));

  ASSERT_OK_AND_ASSIGN(const auto credentials, store_.Load(clock_.WallMs()));
  EXPECT_EQ(agent::trust::SpiffeId(credentials.certificate_pem).value(),
            "spiffe://gatekeeper/robot/r1");
  EXPECT_EQ(credentials.ca_pem, OurAuthority().authority->Pem());
  for (const char* name : {"agent/key.pem", "agent/cert.pem", "agent/ca.pem"}) {
    EXPECT_EQ(ModeOf(name), 0600) << name;
  }
  EXPECT_EQ(files_.Read(state_ / "trust.json", 1 << 16).value(), TestTrust().ToJson());
}

TEST_F(EnrolmentTest, ATokenThatWasUsedIsRefusedWithTheWayOut) {
  ASSERT_OK(Enrol(Options(), store_, clock_));

  EXPECT_THAT(Enrol(Options(), store_, clock_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       testing::AllOf(HasSubstr("refused to enrol robot r1"),
                                      HasSubstr("gatekeeper robot create"))));
}

TEST_F(EnrolmentTest, AnAuthorityOfAnotherFingerprintIsToldNothing) {
  EnrolOptions options = Options();
  options.ca_sha256 = std::string(64, 'a');

  EXPECT_THAT(Enrol(options, store_, clock_), StatusIs(absl::StatusCode::kPermissionDenied,
                                                       HasSubstr("this is not your gatekeeper")));

  EXPECT_EQ(gatekeeper_.enrolments, 0);
  EXPECT_FALSE(store_.IsEnrolled());
}

TEST_F(EnrolmentTest, NobodyThereIsATroubleThatMayPass) {
  const EnrolOptions options = Options();
  gatekeeper_.Stop();

  EXPECT_THAT(Enrol(options, store_, clock_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("Connection refused")));
}

TEST_F(EnrolmentTest, TryingOnEndsWhenItIsStopped) {
  const EnrolOptions options = Options();
  gatekeeper_.Stop();
  const agent::base::UniqueFd stop(eventfd(1, EFD_CLOEXEC));

  EXPECT_THAT(EnrolPatiently(options, store_, clock_, stop.get()),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
}

TEST_F(EnrolmentTest, AnExpiredCertificateSaysWhatToDo) {
  ASSERT_OK(Enrol(Options(), store_, clock_));
  const int64_t in_two_days = clock_.WallMs() + 2 * 86'400'000;

  EXPECT_THAT(store_.Load(in_two_days), StatusIs(absl::StatusCode::kPermissionDenied,
                                                 testing::AllOf(HasSubstr("cert.pem does not hold"),
                                                                HasSubstr("--enrol and --token"))));
}

TEST_F(EnrolmentTest, AReplyThatDoesNotFitIsNotKept) {
  ASSERT_OK(Enrol(Options(), store_, clock_));
  const auto before = store_.Load(clock_.WallMs()).value().certificate_pem;
  const TestAuthority others("others");
  v1::EnrolReply reply;
  reply.set_certificate_pem(
      others.IssueRobot(agent::trust::MakeCsr(store_.Key().value()).value(), "r1"));
  reply.set_trust_json(TestTrust().ToJson());
  EXPECT_FALSE(store_.Keep(reply, OurAuthority().authority->Pem(), clock_.WallMs()).ok());

  reply.set_certificate_pem(before);
  reply.set_trust_json("{}");
  EXPECT_FALSE(store_.Keep(reply, OurAuthority().authority->Pem(), clock_.WallMs()).ok());

  EXPECT_EQ(store_.Load(clock_.WallMs()).value().certificate_pem, before);
  EXPECT_EQ(files_.Read(state_ / "trust.json", 1 << 16).value(), TestTrust().ToJson());
}

TEST(AddressTest, IsHostAndPort) {
  EXPECT_EQ(agent::daemon::ParseAddress("gk.example:7443").value().port, 7443);
  EXPECT_EQ(agent::daemon::ParseAddress("[::1]:7443").value().host, "::1");
  for (const char* text : {"", "gk", ":7443", "gk:", "gk:0", "gk:70000", "gk:x"}) {
    EXPECT_THAT(agent::daemon::ParseAddress(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("wanted host:port")));
  }
}

}  // namespace
