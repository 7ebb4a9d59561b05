#include <gmock/gmock.h>

#include "agent/control/two_slot_file.h"
#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

// Every stop is told with the trigger that holds the robot there and that trigger's layer.

namespace tests {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class StopTest : public ControlTest {
 protected:
  StopTest() { Commit(a_); }
  std::vector<v1::ControlEvent> Told(const std::string& kind) {
    std::vector<v1::ControlEvent> told;
    const v1::ControlReport report = Report();
    for (const v1::ControlEvent& event : report.events()) {
      if (event.kind() == kind) told.push_back(event);
    }
    return told;
  }
  // The agent has written down all events up to `seq`.
  void Keep(uint64_t seq) {
    v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
    order.set_events_acked(seq);
    Apply(order);
  }
  v1::LatchRecord Record() {
    v1::LatchRecord record;
    const auto slot = agent::control::TwoSlotFile(files_, "state/control/latch").Load();
    EXPECT_TRUE(slot.ok() && slot->has_value() && record.ParseFromString((*slot)->payload));
    return record;
  }
  void Remember(const v1::LatchRecord& record) {
    ASSERT_OK(agent::control::TwoSlotFile(files_, "state/control/latch")
                  .Store(record.SerializeAsString()));
  }
  void RunEmpty() {
    core_->SetSignal("supply_V", 20, clock_.Now());
    Steps(20);
    core_->SetSignal("supply_V", 24, clock_.Now());
    Step();
  }
};

TEST_F(StopTest, IsToldOnceTheRobotRestsWithItsCauseAndLayer) {
  core_->SetSignal("supply_V", 20, clock_.Now());
  EXPECT_EQ(Step().state(), "CONTROLLED_STOP");
  EXPECT_THAT(Told("stopped"), IsEmpty()) << "it brakes";
  Steps(100);

  ASSERT_THAT(Told("stopped"), SizeIs(1));
  const v1::ControlEvent stop = Told("stopped")[0];
  EXPECT_EQ(stop.cause(), "hardware_limit");
  EXPECT_EQ(stop.layer(), "circuit");
  EXPECT_EQ(stop.unit_digest(), a_);
  EXPECT_EQ(stop.detail(), "hardware_limit (layer circuit) in SAFE_STOPPED");
}

TEST_F(StopTest, BlamesTheTriggerThatHoldsTheRobotAndNoOtherThatIsActive) {
  source_->ScriptOf(a_)->vx_mps = std::nanf("");  // to PREVIOUS_MODEL, and there is none
  Steps(100);
  ASSERT_THAT(Told("stopped"), SizeIs(1));
  EXPECT_EQ(Told("stopped")[0].cause(), "nonfinite");
  EXPECT_EQ(Told("stopped")[0].layer(), "model");

  source_->ScriptOf(a_)->vx_mps = 0.2F;
  Steps(60);
  Commit(b_);
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Steps(3);
  EXPECT_EQ(Report().fallback_state(), "PREVIOUS_MODEL");
  RunEmpty();
  ASSERT_THAT(Told("stopped"), SizeIs(2));
  EXPECT_EQ(Told("stopped")[1].cause(), "hardware_limit");
}

TEST_F(StopTest, AnotherCauseWhileItRestsIsNoOtherStop) {
  RunEmpty();
  source_->ScriptOf(a_)->vx_mps = std::nanf("");
  Steps(50);
  EXPECT_THAT(Told("stopped"), SizeIs(1));
}

TEST_F(StopTest, TheSameCauseAfterADriveIsAnotherStop) {
  for (size_t stops = 1; stops <= 3; ++stops) {
    RunEmpty();
    EXPECT_THAT(Told("stopped"), SizeIs(stops));
    v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
    order.set_acknowledge(true);
    Apply(order);
    Steps(3);
  }
}

TEST_F(StopTest, AStartIsNone) {
  RunEmpty();
  const uint64_t life = Told("stopped")[0].seq() >> 20;
  Start();
  Steps(100);
  EXPECT_EQ(Report().fallback_state(), "SAFE_STOPPED");
  for (const v1::ControlEvent& stop : Told("stopped")) EXPECT_EQ(stop.seq() >> 20, life);
}

TEST_F(StopTest, AnEmergencyStopIsAnEventOfItsOwnWithItsCauseAndLayer) {
  estop_pressed_ = true;
  Steps(60);
  EXPECT_THAT(Told("stopped"), IsEmpty());
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].cause(), "estop_button");
  EXPECT_EQ(Told("estop")[0].layer(), "circuit");
  EXPECT_EQ(Told("estop")[0].detail(),
            "estop_button (layer circuit), incident " + Record().incident());
  EXPECT_THAT(Record().incident(), SizeIs(32));
}

// --- told until the agent keeps it

TEST_F(StopTest, AnEmergencyStopThatNobodyKeepsIsToldAgainByTheNextLife) {
  estop_pressed_ = true;
  Steps(60);
  const v1::ControlEvent before = Told("estop")[0];
  for (int life = 0; life < 3; ++life) {
    clock_.Advance(std::chrono::hours(1));
    Start();

    ASSERT_THAT(Told("estop"), SizeIs(1));
    const v1::ControlEvent again = Told("estop")[0];
    EXPECT_NE(again.seq(), before.seq());
    EXPECT_EQ(again.wall_ms(), before.wall_ms()) << "when it happened, not when it is told";
    EXPECT_EQ(again.cause(), "estop_button");
    EXPECT_EQ(again.unit_digest(), a_);
    EXPECT_EQ(again.detail(), "estop_button, incident " + Record().incident());
    EXPECT_TRUE(before.detail().ends_with(", incident " + Record().incident()));
    EXPECT_THAT(Steps(60).state(), "ESTOP_LATCHED");
    EXPECT_THAT(Told("estop"), SizeIs(1));
  }
}

TEST_F(StopTest, AnEmergencyStopThatTheAgentKeepsIsToldNoMore) {
  estop_pressed_ = true;
  Steps(60);
  Keep(Told("estop")[0].seq() - 1);
  EXPECT_FALSE(Record().told()) << "only what happened before it";
  Start();
  ASSERT_THAT(Told("estop"), SizeIs(1));
  Step();

  Keep(Told("estop")[0].seq());
  EXPECT_TRUE(Record().told());
  Start();
  EXPECT_THAT(Told("estop"), IsEmpty());
  EXPECT_TRUE(Report().latched());
}

TEST_F(StopTest, ARobotThatBrakesIsNotHeldUpByWritingDownThatTheAgentKeepsTheStop) {
  estop_pressed_ = true;
  EXPECT_FALSE(Step().stop()) << "it brakes";
  const size_t writes = files_.writes();
  Keep(Told("estop")[0].seq());
  EXPECT_EQ(files_.writes(), writes);
  EXPECT_FALSE(Record().told());

  Steps(60);
  EXPECT_TRUE(Record().told());
  const size_t standing = files_.writes();
  Steps(60);
  EXPECT_EQ(files_.writes(), standing) << "once is enough";
}

TEST_F(StopTest, ADiskThatRefusesIsAskedAgainWhetherTheStopIsKept) {
  estop_pressed_ = true;
  Steps(60);
  const std::string nonce = Report().rearm().nonce();
  ASSERT_THAT(nonce, SizeIs(32));
  files_.FailOverwrites(true);
  Keep(Told("estop")[0].seq());
  EXPECT_FALSE(Record().told());
  const size_t before = files_.overwrites();
  Steps(20 * 5);
  EXPECT_EQ(Report().rearm().nonce(), nonce) << "the stop stands on the disk: sign on";
  EXPECT_GE(files_.overwrites() - before, 4u);
  EXPECT_LE(files_.overwrites() - before, 6u);

  files_.FailOverwrites(false);
  Steps(21);
  EXPECT_TRUE(Record().told());
}

TEST_F(StopTest, AnotherEmergencyStopIsOneThatNobodyHasBeenToldOf) {
  v1::LatchRecord kept_once;
  kept_once.set_told(true);
  kept_once.set_incident(std::string(32, '0'));
  Remember(kept_once);
  Start();
  EXPECT_THAT(Told("estop"), IsEmpty()) << "it is not latched";

  estop_pressed_ = true;
  Steps(60);
  EXPECT_FALSE(Record().told());
  EXPECT_NE(Record().incident(), kept_once.incident());
  Start();
  EXPECT_THAT(Told("estop"), SizeIs(1));
}

TEST_F(StopTest, ARecordOfAnOlderControlIsToldAgain) {
  v1::LatchRecord record;  // of one that did not know `told`
  record.set_latched(true);
  record.set_cause("envelope_breach");
  record.set_since_wall_ms(1'700'000'000'000);
  record.set_incident(std::string(32, 'f'));
  Remember(record);
  Start();

  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].wall_ms(), record.since_wall_ms());
  EXPECT_EQ(Told("estop")[0].detail(), "envelope_breach, incident " + record.incident());
}

TEST_F(StopTest, ALatchThatCannotBeReadIsAStopOfNowThatIsToldUntilItIsKept) {
  files_.Damage("state/control/latch", 20);
  files_.Damage("state/control/latch", 512 + 20);
  Start();
  ASSERT_THAT(Told("estop"), SizeIs(1));
  const v1::ControlEvent stop = Told("estop")[0];
  EXPECT_EQ(stop.wall_ms(), clock_.WallMs());
  EXPECT_EQ(stop.detail(), "latch_unreadable, incident " + Record().incident());

  clock_.Advance(std::chrono::hours(1));
  Start();
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].wall_ms(), stop.wall_ms());
  EXPECT_EQ(Told("estop")[0].detail(), stop.detail()) << "the same stop";
  EXPECT_EQ(Told("estop")[0].unit_digest(), "") << "of whichever unit";
}

TEST_F(StopTest, AnEmergencyStopInATrialIsToldAgainOfTheUnitOnTrial) {
  Order(v1::STAGE_TRIAL, b_);
  Steps(3);
  estop_pressed_ = true;
  Steps(2);
  ASSERT_EQ(Told("estop")[0].unit_digest(), b_);
  Start();
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), b_);
}

TEST_F(StopTest, AnEmergencyStopInATrialIsToldOfTheUnitOnTrialThoughItIsPutAwayAtOnce) {
  Order(v1::STAGE_TRIAL, b_);
  Steps(3);
  ASSERT_EQ(Report().running_digest(), b_);
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  estop_pressed_ = true;
  Step();
  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_FAILED);
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), b_);
  EXPECT_EQ(Told("estop")[0].cause(), "estop_button");

  Start();
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), b_) << "the innocent one is committed";
}

TEST_F(StopTest, AnEmergencyStopUnderTheUnitBeforeIsToldAgainOfThatOne) {
  Commit(b_);
  source_->Lose(b_, "killed by signal 9");
  source_->broken[b_] = "card.yaml does not match its digest";
  Steps(40);
  ASSERT_EQ(Report().running_digest(), a_);
  estop_pressed_ = true;
  Steps(2);
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), a_);

  Start();
  ASSERT_EQ(Report().pointer().committed_digest(), b_);
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), a_);
}

TEST_F(StopTest, AnEmergencyStopBeforeAUnitIsLoadedIsToldAgainOfNone) {
  core_.reset();
  source_ = std::make_unique<ScriptedSource>();
  source_->slow[a_] = 1;
  core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  estop_pressed_ = true;
  Steps(2);
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), "");

  Start();
  ASSERT_EQ(Report().pointer().committed_digest(), a_);
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].unit_digest(), "");
}

TEST_F(StopTest, WithoutAUnitTheButtonIsToBlame) {
  files_ = CrashFiles();
  Start();
  estop_pressed_ = true;
  Steps(2);
  ASSERT_THAT(Told("estop"), SizeIs(1));
  EXPECT_EQ(Told("estop")[0].layer(), "circuit");
  EXPECT_THAT(Told("stopped"), IsEmpty());
}

TEST_F(StopTest, ADegradedRobotThatDrivesOnHasNotStopped) {
  Commit(b_);
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Steps(20);
  EXPECT_EQ(Report().fallback_state(), "PREVIOUS_MODEL");
  EXPECT_THAT(Kinds(), Not(Contains("stopped")));
}

}  // namespace
}  // namespace tests
