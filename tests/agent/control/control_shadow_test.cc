#include <gmock/gmock.h>
#include <poll.h>

#include <memory>

#include "agent/control/shadow_thread.h"
#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

// A shadow gets what is left over: of the computer, of time, of memory.

namespace tests {
namespace {

class ShadowTest : public ControlTest {
 protected:
  ShadowTest() {
    Commit(a_);
    Order(v1::STAGE_SHADOW, b_);
    Steps(20);
    EXPECT_EQ(Report().candidate().ticks(), 20u);
    EXPECT_EQ(Shed(), 0u);
  }
  uint64_t Shed() { return Report().candidate().shed(); }
  // How many of so many ticks were shed; the others were shown.
  uint64_t ShedOf(int ticks) {
    const v1::UnitHealth before = Report().candidate();
    Steps(ticks);
    const v1::UnitHealth after = Report().candidate();
    EXPECT_EQ(after.ticks() - before.ticks() + after.shed() - before.shed(),
              static_cast<uint64_t>(ticks));
    return after.shed() - before.shed();
  }
};

TEST_F(ShadowTest, IsShedForFiveSecondsAfterAMissOfTheUnitThatDrives) {
  source_->ScriptOf(a_)->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(ShedOf(1), 1u);
  source_->ScriptOf(a_)->outcome = RunOutcome::kDone;
  EXPECT_EQ(ShedOf(99), 99u);
  EXPECT_EQ(ShedOf(100), 0u);
}

TEST_F(ShadowTest, MissesBeforeAndAfterALongSheddingAreNoHang) {
  const auto miss = [&](const std::string& digest) {
    source_->ScriptOf(digest)->outcome = RunOutcome::kDeadlineMissed;
    Step();
    source_->ScriptOf(digest)->outcome = RunOutcome::kDone;
  };
  miss(b_);
  miss(a_);
  Steps(99);  // shown nothing
  const uint64_t shed = Report().candidate().shed();
  miss(b_);
  Steps(3);
  EXPECT_GE(shed, 99U);
  EXPECT_EQ(source_->kills, 0);
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_SHADOWING);
}

TEST_F(ShadowTest, IsShedWhileTheRunTimeOfTheUnitThatDrivesNearsItsDeadline) {
  // hard_ms is 30
  for (const auto& [p99_ms, shed] : {std::pair{24.0, 0u}, {24.01, 10u}, {24.0, 0u}}) {
    core_->SetSignal("infer_p99_ms_60s", p99_ms, clock_.Now());
    EXPECT_EQ(ShedOf(10), shed) << p99_ms;
  }
}

TEST_F(ShadowTest, ARunTimeThatIsNoLongerToldShedsNothing) {
  core_->SetSignal("infer_p99_ms_60s", 29, clock_.Now());
  EXPECT_EQ(ShedOf(40), 40u) << "two seconds";
  EXPECT_EQ(ShedOf(10), 0u);
}

TEST_F(ShadowTest, ARunTimeThatTheRobotClaimsShedsNothing) {
  v1::Observation claim;
  claim.set_stamp_ns(clock_.Now().count());
  claim.set_want_command(true);
  claim.set_network_up(true);
  (*claim.mutable_signals())["infer_p99_ms_60s"].set_value(29);
  core_->Observe(claim, clock_.Now());
  EXPECT_EQ(ShedOf(10), 0u);
}

TEST_F(ShadowTest, IsShedWhileTheRobotDerates) {
  core_->SetSignal("supply_V", 22.9, clock_.Now());
  EXPECT_EQ(ShedOf(10), 10u);
  core_->SetSignal("supply_V", 23, clock_.Now());
  EXPECT_EQ(ShedOf(10), 0u);
}

TEST_F(ShadowTest, IsShownNoMoreThanAQuarterOfACorePaysFor) {
  // Every 50 ms, of which it may have 12.5.
  for (const auto& [took_us, shed] : {std::pair{12'500, 0u}, {12'501, 6u}, {25'001, 8u}}) {
    source_->ScriptOf(b_)->took = std::chrono::microseconds(took_us);
    Steps(4);
    EXPECT_EQ(ShedOf(12), shed) << took_us;
  }
}

// 30 ms are its deadline, and 70 ms are what it takes.
TEST_F(ShadowTest, ALateRunCountsToItsEnd) {
  const auto script = source_->ScriptOf(b_);
  Steps(10);
  const int runs = script->runs;
  script->outcome = RunOutcome::kDeadlineMissed;
  script->took = milliseconds(30);
  script->busy = true;
  Step();
  EXPECT_EQ(script->runs, runs + 1);
  clock_.Advance(milliseconds(20));
  core_->Poll(clock_.Now());
  clock_.Advance(milliseconds(50));
  script->busy = false;
  script->outcome = RunOutcome::kDone;
  core_->Poll(clock_.Now());

  Steps(4);  // 270 ms after it was shown the frame; it may have one every 280
  EXPECT_EQ(script->runs, runs + 1);
  Step();
  EXPECT_EQ(script->runs, runs + 2);
}

TEST_F(ShadowTest, ALateRunNeverTakesMoreThanAQuarterOfACore) {
  const auto script = source_->ScriptOf(b_);
  // Until it is shown a frame; how many steps that took.
  const auto steps_to_run = [&] {
    const int runs = script->runs;
    int steps = 0;
    for (; steps < 100 && script->runs == runs; ++steps) Step();
    return steps;
  };
  for (const int late : {1, 2, 5, 7, 1}) {
    script->outcome = RunOutcome::kDeadlineMissed;
    script->took = milliseconds(30);
    script->busy = true;
    steps_to_run();
    Steps(late);
    script->outcome = RunOutcome::kDone;  // and the next one is in time
    script->took = milliseconds(2);
    script->busy = false;
    const int steps = late + steps_to_run();
    EXPECT_GE(steps, 4 * late);
    EXPECT_LE(steps, 4 * (late + 1)) << "and is not starved either";
  }
  EXPECT_EQ(source_->kills, 0);
}

TEST_F(ShadowTest, IsShownNothingWhileItRunsLateAndIsGivenUpAfterASecond) {
  const auto script = source_->ScriptOf(b_);
  const int runs = script->runs;
  script->outcome = RunOutcome::kDeadlineMissed;
  script->busy = true;
  Steps(20);
  EXPECT_EQ(source_->kills, 0);
  EXPECT_EQ(script->runs, runs + 1);
  Step();
  EXPECT_EQ(source_->kills, 1);
  Steps(2);
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_FAILED);
  EXPECT_EQ(Report().running_digest(), a_);
}

TEST_F(ShadowTest, ALateRunOfOneThatIsACandidateNoMoreCountsAgainstTheNext) {
  Commit(b_);  // and a_ is kept, to fall back to
  Order(v1::STAGE_SHADOW, a_);
  Steps(4);
  const auto late = source_->ScriptOf(a_);
  late->outcome = RunOutcome::kDeadlineMissed;
  late->busy = true;
  Step();
  Order(v1::STAGE_SHADOW, c_);
  Steps(10);
  EXPECT_EQ(source_->ScriptOf(c_)->runs, 0);
  late->busy = false;
  Steps(45);
  EXPECT_GT(source_->ScriptOf(c_)->runs, 0);
}

TEST_F(ShadowTest, ItsTrialWaitsForALateRunToEnd) {
  const auto script = source_->ScriptOf(b_);
  script->outcome = RunOutcome::kDeadlineMissed;
  script->busy = true;
  Step();
  Order(v1::STAGE_TRIAL, b_);
  Steps(4);
  EXPECT_EQ(Report().running_digest(), a_) << "its first ticks would be missed";
  script->outcome = RunOutcome::kDone;
  script->busy = false;
  Steps(2);
  EXPECT_EQ(Report().running_digest(), b_);
}

TEST_F(ShadowTest, ATickThatComesBeforeTheLastResultIsShed) {
  clock_.Advance(kPeriod);
  core_->Tick(clock_.Now());
  ASSERT_TRUE(core_->TakeShadow(frame_));
  for (uint64_t i = 1; i <= 3; ++i) {
    clock_.Advance(kPeriod);
    core_->Tick(clock_.Now());
    agent::control::ShadowFrame other;
    EXPECT_FALSE(core_->TakeShadow(other));
    EXPECT_EQ(Shed(), i);
  }
  agent::control::RunShadow(frame_, result_);
  core_->AcceptShadow(result_, clock_.Now());
  EXPECT_EQ(ShedOf(10), 0u);
}

TEST_F(ShadowTest, NothingIsShedWhereNothingShadows) {
  Order(v1::STAGE_WARM, b_);
  core_->SetSignal("supply_V", 22.9, clock_.Now());
  Steps(10);
  EXPECT_EQ(Shed(), 0u);
}

TEST_F(ShadowTest, IsShownAllOfARobotThatHasNoUnitYet) {
  files_ = CrashFiles();
  Start();
  Order(v1::STAGE_SHADOW, b_);
  EXPECT_EQ(ShedOf(20), 0u);
}

// --- the thread

TEST_F(ShadowTest, TheThreadGivesEveryResultBackAndKeepsNoUnit) {
  agent::control::ShadowThread thread;
  result_.seat.reset();
  for (int i = 0; i < 200; ++i) {
    clock_.Advance(kPeriod);
    v1::Observation seen;
    seen.set_stamp_ns(clock_.Now().count());
    seen.mutable_odom()->set_stamp_ns(clock_.Now().count());
    core_->Observe(seen, clock_.Now());
    core_->Tick(clock_.Now());
    EXPECT_EQ(thread.Result(), nullptr);
    ASSERT_TRUE(core_->TakeShadow(thread.frame()));
    const std::weak_ptr<agent::control::ShadowSeat> seat = thread.frame().seat;
    thread.Offer();
    pollfd ready{.fd = thread.result_fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&ready, 1, 40'000), 1);
    const agent::control::ShadowResult* const result = thread.Result();
    ASSERT_NE(result, nullptr);
    EXPECT_TRUE(result->tick.ran);
    core_->AcceptShadow(*result, clock_.Now());
    thread.Release();
    EXPECT_EQ(seat.use_count(), 1) << "the core's";
    EXPECT_EQ(poll(&ready, 1, 0), 0);
  }
}

TEST(ShadowThreadTest, EndsWhileAFrameIsOut) {
  const auto crew = agent::control::MakeCrew(
      DigestOf('b'), TestRules(), std::make_unique<ScriptedModel>(std::make_shared<Script>()));
  ASSERT_OK(crew);
  for (int i = 0; i < 200; ++i) {
    agent::control::ShadowThread thread;
    thread.frame().seat = std::make_shared<agent::control::ShadowSeat>(*crew);
    if (i % 2 == 0) thread.Offer();
  }
  EXPECT_EQ(crew->use_count(), 1) << "and nothing of it is left";
}

}  // namespace
}  // namespace tests
