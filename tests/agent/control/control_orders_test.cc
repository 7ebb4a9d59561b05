#include <gmock/gmock.h>

#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

namespace tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

using ControlOrdersTest = ControlTest;

TEST_F(ControlOrdersTest, HasNothingToRunAndStopsBeforeTheFirstUnit) {
  const v1::Command command = Steps(3);

  EXPECT_TRUE(command.stop());
  EXPECT_EQ(command.unit_digest(), "");
  EXPECT_EQ(Report().pointer().phase(), v1::EMPTY);
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_NONE);
}

TEST_F(ControlOrdersTest, TakesAUnitThroughEveryStageToCommit) {
  Commit(a_);

  EXPECT_EQ(Order(v1::STAGE_WARM, b_).candidate_state(), v1::CANDIDATE_READY);
  EXPECT_EQ(Order(v1::STAGE_SHADOW, b_).candidate_state(), v1::CANDIDATE_SHADOWING);
  EXPECT_EQ(Steps(5).unit_digest(), a_);
  EXPECT_EQ(Report().candidate().ticks(), 5);
  EXPECT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_ON_TRIAL);
  EXPECT_EQ(Report().pointer().phase(), v1::ON_TRIAL);
  EXPECT_EQ(Step().unit_digest(), b_);
  const v1::ControlReport done = Order(v1::STAGE_COMMIT, b_);

  EXPECT_EQ(done.candidate_state(), v1::CANDIDATE_COMMITTED);
  EXPECT_EQ(done.pointer().phase(), v1::COMMITTED);
  EXPECT_EQ(done.pointer().committed_digest(), b_);
  EXPECT_EQ(done.pointer().last_good_digest(), a_);
  EXPECT_EQ(done.pointer().attempts(), 0);
  EXPECT_EQ(Step().unit_digest(), b_);
}

TEST_F(ControlOrdersTest, RollsBackToTheResidentLastGoodAtTheNextTickWithoutLoading) {
  Commit(a_);
  Commit(b_);
  const int loads = source_->requests[a_];

  Order(v1::STAGE_COMMIT, a_);

  EXPECT_EQ(Step().unit_digest(), a_);
  EXPECT_EQ(source_->requests[a_], loads);
  EXPECT_EQ(Report().pointer().committed_digest(), a_);
  EXPECT_EQ(Report().pointer().last_good_digest(), b_);
}

TEST_F(ControlOrdersTest, LeavesThePointerAloneUntilAnOrderedUnitIsWarm) {
  Commit(a_);
  source_->slow[b_] = 1;

  Order(v1::STAGE_COMMIT, b_);
  Steps(3);
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_LOADING);
  EXPECT_EQ(Report().pointer().committed_digest(), a_);

  source_->slow.clear();
  EXPECT_EQ(Steps(2).unit_digest(), b_);
  EXPECT_EQ(Report().pointer().committed_digest(), b_);
}

TEST_F(ControlOrdersTest, RefusesAnOrderThatNamesNoUnit) {
  Commit(a_);

  EXPECT_EQ(Order(v1::STAGE_TRIAL, "../../etc").candidate_state(), v1::CANDIDATE_NONE);

  EXPECT_THAT(Kinds(), Contains("order_refused"));
  EXPECT_EQ(source_->requests.size(), 1);
  EXPECT_EQ(Step().unit_digest(), a_);
}

TEST_F(ControlOrdersTest, SaysWhyAUnitCannotBeLoadedAndTriesAgainOnANewOrderOnly) {
  Commit(a_);
  source_->broken[b_] = "model/model.onnx: digest differs";

  v1::ControlOrder order = OrderFor(v1::STAGE_WARM, b_);
  EXPECT_EQ(Apply(order).candidate_state(), v1::CANDIDATE_FAILED);
  EXPECT_THAT(Report().candidate_reason(), HasSubstr("digest differs"));
  EXPECT_EQ(Report().quarantine_size(), 0);

  source_->broken.clear();
  Apply(order);
  Steps(3);
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_FAILED);
  EXPECT_EQ(Order(v1::STAGE_WARM, b_).candidate_state(), v1::CANDIDATE_READY);
}

TEST_F(ControlOrdersTest, LetsGoOfTheCandidateWhenAnotherIsOrdered) {
  Commit(a_);
  Order(v1::STAGE_TRIAL, b_);
  Step();

  const v1::ControlReport report = Order(v1::STAGE_SHADOW, c_);

  EXPECT_EQ(report.candidate_digest(), c_);
  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_SHADOWING);
  EXPECT_EQ(Step().unit_digest(), a_);
  EXPECT_EQ(Report().quarantine_size(), 0);
}

TEST_F(ControlOrdersTest, KeepsTheStandingOrderWhenANewOneSpeaksOfNoStage) {
  Commit(a_);
  Order(v1::STAGE_SHADOW, b_);

  const v1::ControlReport report = Order(v1::STAGE_UNSPECIFIED, "");

  EXPECT_EQ(report.order_seq(), order_seq_);
  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_SHADOWING);
}

TEST_F(ControlOrdersTest, CountsInShadowWhatTheCandidateWouldHaveDone) {
  Commit(a_);
  source_->ScriptOf(b_)->vx_mps = 5;
  Order(v1::STAGE_SHADOW, b_);

  const v1::Command command = Steps(10);

  EXPECT_LE(command.values(0), 0.3);
  EXPECT_EQ(Report().candidate().ticks(), 10);
  EXPECT_GT(Report().candidate().clamped(), 5);
  EXPECT_GT(Report().candidate().infer_p99_us(), 1000);
}

TEST_F(ControlOrdersTest, NeverAsksTheLastGoodUnitWhileTheShadowThreadHasIt) {
  Commit(a_);
  Commit(b_);
  Order(v1::STAGE_SHADOW, a_);
  Step();
  clock_.Advance(kPeriod);
  core_->Tick(clock_.Now());
  ASSERT_TRUE(core_->TakeShadow(frame_));
  const int runs = source_->ScriptOf(a_)->runs;

  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Order(v1::STAGE_WARM, a_);  // the frame is still out
  Steps(4);
  EXPECT_NE(Report().fallback_state(), "PREVIOUS_MODEL");
  EXPECT_EQ(source_->ScriptOf(a_)->runs, runs);

  agent::control::RunShadow(frame_, result_);
  core_->AcceptShadow(result_, clock_.Now());
  source_->ScriptOf(b_)->vx_mps = 0.2F;
  Steps(60);
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Steps(3);
  EXPECT_EQ(Report().fallback_state(), "PREVIOUS_MODEL");
  EXPECT_EQ(Step().unit_digest(), a_);
}

TEST_F(ControlOrdersTest, QuarantinesACandidateWhoseWorkerDiesWhileShadowing) {
  Commit(a_);
  Order(v1::STAGE_SHADOW, b_);
  source_->Lose(b_, "killed by signal 11");

  Steps(2);

  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_FAILED);
  EXPECT_THAT(Report().candidate_reason(), HasSubstr("signal 11"));
  EXPECT_EQ(Report().quarantine_size(), 1);
}

TEST_F(ControlOrdersTest, KillsACandidateThatHangsWhileShadowing) {
  Commit(a_);
  Order(v1::STAGE_SHADOW, b_);
  source_->ScriptOf(b_)->outcome = RunOutcome::kDeadlineMissed;

  Steps(25);

  EXPECT_EQ(source_->kills, 1);
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_FAILED);
}

TEST_F(ControlOrdersTest, RepeatsEventsUntilTheAgentHasThem) {
  Commit(a_);
  const v1::ControlReport first = Report();
  ASSERT_GT(first.events_size(), 2);

  v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
  order.set_events_acked(first.events(1).seq());
  const v1::ControlReport rest = Apply(order);

  EXPECT_EQ(rest.events_size(), first.events_size() - 2);
  EXPECT_EQ(rest.events(0).seq(), first.events(2).seq());
}

TEST_F(ControlOrdersTest, NumbersEventsUpwardsOverRestarts) {
  Commit(a_);
  const uint64_t before = Report().events(Report().events_size() - 1).seq();

  Start();

  EXPECT_GT(Report().events(0).seq(), before);
}

// Every order to every state of a candidate: what becomes of it, and of the pointer.
struct Case {
  const char* from;
  v1::Stage order;
  v1::CandidateState to;
  v1::PointerPhase phase;
  char committed;
};

class EveryOrderTest : public ControlTest, public testing::WithParamInterface<Case> {
 protected:
  void Bring(const std::string& state) {
    Commit(a_);
    if (state == "none") return;
    if (state == "loading") source_->slow[b_] = 1;
    if (state == "broken") source_->broken[b_] = "no such slot";
    if (state == "loading" || state == "ready" || state == "broken") Order(v1::STAGE_WARM, b_);
    if (state == "shadowing") Order(v1::STAGE_SHADOW, b_);
    if (state == "on trial" || state == "quarantined") Order(v1::STAGE_TRIAL, b_);
    if (state == "committed") Commit(b_);
    if (state == "quarantined") source_->ScriptOf(b_)->vx_mps = std::nanf("");
    Steps(3);
  }
};

constexpr auto kIdle = v1::STAGE_IDLE;
constexpr auto kWarm = v1::STAGE_WARM;
constexpr auto kShadow = v1::STAGE_SHADOW;
constexpr auto kTrial = v1::STAGE_TRIAL;
constexpr auto kCommit = v1::STAGE_COMMIT;

TEST_P(EveryOrderTest, LeadsToTheExpectedState) {
  const Case& c = GetParam();
  Bring(c.from);

  Order(c.order, c.order == kIdle ? "" : b_);
  Steps(2);

  const v1::ControlReport report = Report();
  EXPECT_EQ(report.candidate_state(), c.to) << report.candidate_reason();
  EXPECT_EQ(report.pointer().phase(), c.phase);
  EXPECT_EQ(report.pointer().committed_digest(), DigestOf(c.committed));
  const bool drives = c.to == v1::CANDIDATE_ON_TRIAL;
  EXPECT_EQ(report.running_digest(), drives ? b_ : DigestOf(c.committed));
}

constexpr auto kC = v1::COMMITTED;
constexpr auto kT = v1::ON_TRIAL;
constexpr auto kNone = v1::CANDIDATE_NONE;
constexpr auto kLoading = v1::CANDIDATE_LOADING;
constexpr auto kReady = v1::CANDIDATE_READY;
constexpr auto kShadowing = v1::CANDIDATE_SHADOWING;
constexpr auto kOnTrial = v1::CANDIDATE_ON_TRIAL;
constexpr auto kDone = v1::CANDIDATE_COMMITTED;
constexpr auto kFailed = v1::CANDIDATE_FAILED;

INSTANTIATE_TEST_SUITE_P(
    States, EveryOrderTest,
    testing::Values(
        Case{"none", kIdle, kNone, kC, 'a'}, Case{"none", kWarm, kReady, kC, 'a'},
        Case{"none", kShadow, kShadowing, kC, 'a'}, Case{"none", kTrial, kOnTrial, kT, 'a'},
        Case{"none", kCommit, kDone, kC, 'b'}, Case{"loading", kIdle, kNone, kC, 'a'},
        Case{"loading", kWarm, kLoading, kC, 'a'}, Case{"loading", kShadow, kLoading, kC, 'a'},
        Case{"loading", kTrial, kLoading, kC, 'a'}, Case{"loading", kCommit, kLoading, kC, 'a'},
        Case{"ready", kIdle, kNone, kC, 'a'}, Case{"ready", kWarm, kReady, kC, 'a'},
        Case{"ready", kShadow, kShadowing, kC, 'a'}, Case{"ready", kTrial, kOnTrial, kT, 'a'},
        Case{"ready", kCommit, kDone, kC, 'b'}, Case{"shadowing", kIdle, kNone, kC, 'a'},
        Case{"shadowing", kWarm, kReady, kC, 'a'}, Case{"shadowing", kShadow, kShadowing, kC, 'a'},
        Case{"shadowing", kTrial, kOnTrial, kT, 'a'}, Case{"shadowing", kCommit, kDone, kC, 'b'},
        Case{"on trial", kIdle, kNone, kC, 'a'}, Case{"on trial", kWarm, kReady, kC, 'a'},
        Case{"on trial", kShadow, kShadowing, kC, 'a'}, Case{"on trial", kTrial, kOnTrial, kT, 'a'},
        Case{"on trial", kCommit, kDone, kC, 'b'}, Case{"committed", kIdle, kNone, kC, 'b'},
        Case{"committed", kWarm, kDone, kC, 'b'}, Case{"committed", kShadow, kDone, kC, 'b'},
        Case{"committed", kTrial, kDone, kC, 'b'}, Case{"committed", kCommit, kDone, kC, 'b'},
        Case{"broken", kIdle, kNone, kC, 'a'}, Case{"broken", kWarm, kFailed, kC, 'a'},
        Case{"broken", kShadow, kFailed, kC, 'a'}, Case{"broken", kTrial, kFailed, kC, 'a'},
        Case{"broken", kCommit, kFailed, kC, 'a'}, Case{"quarantined", kIdle, kNone, kC, 'a'},
        Case{"quarantined", kWarm, kFailed, kC, 'a'},
        Case{"quarantined", kShadow, kFailed, kC, 'a'},
        Case{"quarantined", kTrial, kFailed, kC, 'a'},
        Case{"quarantined", kCommit, kFailed, kC, 'a'}));

TEST_F(ControlOrdersTest, TellsWithAFallbackHowHotAndSlowTheComputerWas) {
  Commit(a_);
  core_->SetSignal("soc_temp_degC", 81.5, clock_.Now());
  core_->SetSignal("throttled", 1, clock_.Now());
  estop_pressed_ = true;
  Step();

  const v1::ControlReport report = Report();
  const auto told = std::ranges::find(report.events(), "conditions", &v1::ControlEvent::kind);
  ASSERT_NE(told, report.events().end());
  EXPECT_EQ(told->detail(), "81.5 degC, throttled");
  EXPECT_EQ(std::prev(told)->kind(), "fallback");
}

}  // namespace
}  // namespace tests
