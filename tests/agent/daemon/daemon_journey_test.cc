// The daemon with real threads, sockets and mutual TLS, against a gatekeeper and a control in this
// process.
#include <sys/eventfd.h>

#include <thread>

#include "agent/base/files.h"
#include "agent/daemon/backoff.h"
#include "agent/daemon/channel.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/enrolment.h"
#include "agent/daemon/state_lock.h"
#include "gmock/gmock.h"
#include "spdlog/spdlog.h"
#include "tests/agent/daemon/control_at_socket.h"
#include "tests/agent/daemon/test_gatekeeper.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

using namespace tests;  // NOLINT: fixtures and proto alias
using std::chrono::hours;
using std::chrono::milliseconds;

// The real clock, whose wall time may be set.
class SetClock final : public agent::base::Clock {
 public:
  agent::base::Nanos Now() const override { return real_.Now(); }
  int64_t WallMs() const override { return real_.WallMs() + ahead_ms; }
  std::atomic<int64_t> ahead_ms = 0;

 private:
  agent::base::SystemClock real_;
};

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() : unit_(MakeUnit({.model = std::string(100'000, 'm')})) {
    spdlog::set_level(spdlog::level::off);
    EXPECT_OK(files_.MakeFolders(state_ / "control"));
    gatekeeper_.tokens = {"t0ken"};
    EXPECT_OK(agent::daemon::Enrol({.address = gatekeeper_.enrolment(),
                                    .token = "t0ken",
                                    .robot = "r1",
                                    .ca_sha256 = OurAuthority().Fingerprint()},
                                   credentials_, clock_));
    gatekeeper_.With([&](FakeGatekeeper& fake) { fake.Publish(unit_); });
  }
  ~DaemonTest() override { StopDaemon(); }

  void StartDaemon() {
    eventfd_t ignored = 0;
    eventfd_read(stop_.get(), &ignored);
    auto made = agent::daemon::Daemon::Make({.state = state_.path(),
                                             .server = gatekeeper_.agents(),
                                             .report_every = milliseconds(50),
                                             .reserve_bytes = 0},
                                            files_, clock_);
    ASSERT_OK(made.status());
    daemon_ = *std::move(made);
    thread_ = std::thread([this] { EXPECT_OK(daemon_->Run(stop_.get())); });
  }
  void StopDaemon() {
    if (!thread_.joinable()) return;
    eventfd_write(stop_.get(), 1);
    thread_.join();
    daemon_.reset();
  }
  void Want(v1::Stage stage) {
    gatekeeper_.With([&](FakeGatekeeper& fake) { fake.Want(unit_, stage); });
  }
  bool Reports(v1::LifecycleState state) {
    return gatekeeper_.Await(
        [&](FakeGatekeeper& fake) { return fake.observed.lifecycle() == state; });
  }

  const SealedUnit unit_;
  TestGatekeeper gatekeeper_;
  TempFolder state_;
  agent::base::OsFiles files_;
  SetClock clock_;
  agent::daemon::CredentialStore credentials_{files_, state_.path()};
  agent::base::UniqueFd stop_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<agent::daemon::Daemon> daemon_;
  std::thread thread_;
};

TEST_F(DaemonTest, BringsAUnitFromTheGatekeeperToCommitted) {
  const ControlAtSocket control(state_ / "control/agent.sock");
  Want(v1::STAGE_COMMIT);
  StartDaemon();

  ASSERT_TRUE(Reports(v1::UNIT_COMMITTED));

  gatekeeper_.With([&](FakeGatekeeper& fake) {
    EXPECT_EQ(fake.observed.control().running_digest(), unit_.digest);
    EXPECT_EQ(fake.observed.generation(), 1u);
  });
  EXPECT_TRUE(gatekeeper_.Await([](FakeGatekeeper& fake) {
    const auto kinds = fake.EventKinds();
    return std::find(kinds.begin(), kinds.end(), "committed") != kinds.end();
  }));
}

TEST_F(DaemonTest, ReportsWithoutControlAndFindsItWhenItComes) {
  Want(v1::STAGE_WARM);
  StartDaemon();
  ASSERT_TRUE(Reports(v1::STAGED));
  gatekeeper_.With([](FakeGatekeeper& fake) { EXPECT_FALSE(fake.observed.has_control()); });

  const ControlAtSocket control(state_ / "control/agent.sock");

  EXPECT_TRUE(Reports(v1::PREFLIGHT));
}

TEST_F(DaemonTest, ConnectsAgainWhenTheGatekeeperWasRestarted) {
  StartDaemon();
  ASSERT_TRUE(gatekeeper_.Await([&](auto&) { return gatekeeper_.streams == 1; }));

  gatekeeper_.Stop();
  gatekeeper_.Start();

  EXPECT_TRUE(gatekeeper_.Await([&](auto&) { return gatekeeper_.streams == 2; }));
}

TEST_F(DaemonTest, GoesOnWhereItWasAfterARestartOfItsOwn) {
  Want(v1::STAGE_WARM);
  StartDaemon();
  ASSERT_TRUE(Reports(v1::STAGED));
  StopDaemon();
  gatekeeper_.With([](FakeGatekeeper& fake) { fake.observed.Clear(), fake.fetched.clear(); });

  StartDaemon();

  ASSERT_TRUE(Reports(v1::STAGED));
  gatekeeper_.With([](FakeGatekeeper& fake) { EXPECT_TRUE(fake.fetched.empty()); });
}

TEST_F(DaemonTest, AnOrderOvertakesTheDownloadAndEndsIt) {
  const ControlAtSocket control(state_ / "control/agent.sock");
  gatekeeper_.held = true;
  Want(v1::STAGE_COMMIT);
  StartDaemon();
  ASSERT_TRUE(gatekeeper_.Await([](FakeGatekeeper& fake) { return !fake.fetched.empty(); }));

  gatekeeper_.With([](FakeGatekeeper& fake) {
    fake.Want(MakeUnit({.version = "0.9.0"}), v1::STAGE_COMMIT,
              [](v1::DesiredState& d) { d.set_rollback(true); });
  });

  EXPECT_TRUE(Reports(v1::REFUSED));  // never ran here: refused, while the download still hung
  EXPECT_TRUE(gatekeeper_.Await([&](auto&) { return gatekeeper_.cancelled_blobs > 0; }));
}

TEST_F(DaemonTest, RenewsItsCertificateWhenTwoThirdsOfItsLifeAreOver) {
  StartDaemon();
  ASSERT_TRUE(gatekeeper_.Await([&](auto&) { return gatekeeper_.streams == 1; }));
  ASSERT_OK_AND_ASSIGN(const auto before, credentials_.Load(clock_.WallMs()));
  StopDaemon();

  clock_.ahead_ms = std::chrono::milliseconds(hours(17)).count();  // of 24
  StartDaemon();

  ASSERT_TRUE(gatekeeper_.Await([&](auto&) { return gatekeeper_.streams >= 3; }));
  EXPECT_GE(gatekeeper_.renewals, 1);
  ASSERT_OK_AND_ASSIGN(const auto after, credentials_.Load(clock_.WallMs()));
  EXPECT_NE(after.certificate_pem, before.certificate_pem);
  EXPECT_EQ(after.key_pem, before.key_pem);
}

TEST_F(DaemonTest, BelievesNoGatekeeperOfAnotherAuthority) {
  const TestAuthority others("others");
  const TestGatekeeper impostor(others);
  ASSERT_OK_AND_ASSIGN(const auto credentials, credentials_.Load(clock_.WallMs()));
  agent::daemon::BulkLink bulk(impostor.agents(), credentials_, clock_);

  EXPECT_THAT(bulk.GetUnit(unit_.digest),
              StatusIs(absl::StatusCode::kUnavailable,
                       testing::HasSubstr("not one of the authority in agent/ca.pem")));
}

TEST_F(DaemonTest, SaysThatNobodyListens) {
  const std::string address = gatekeeper_.agents();
  gatekeeper_.Stop();
  agent::daemon::BulkLink bulk(address, credentials_, clock_);

  EXPECT_THAT(bulk.GetUnit(unit_.digest),
              StatusIs(absl::StatusCode::kUnavailable, testing::HasSubstr("nobody listens there")));
}

TEST(StateLockTest, OneAgentAStateFolder) {
  const TempFolder state;
  auto first = agent::daemon::LockState(state.path());
  ASSERT_OK(first.status());

  EXPECT_THAT(agent::daemon::LockState(state.path()),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       testing::HasSubstr("another gatekeeper-agent already works in")));

  first->reset();
  EXPECT_OK(agent::daemon::LockState(state.path()).status());
}

TEST(BackoffTest, GrowsFromAFifthOfASecondToTenSecondsNeverInStep) {
  agent::daemon::Backoff backoff;
  EXPECT_LE(backoff.Next(), milliseconds(200));
  for (int i = 0; i < 10; ++i) backoff.Next();
  for (int i = 0; i < 100; ++i) {
    const auto wait = backoff.Next();
    EXPECT_GE(wait, milliseconds(5'000));
    EXPECT_LE(wait, milliseconds(10'000));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), milliseconds(200));
}

}  // namespace
