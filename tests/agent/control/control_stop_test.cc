#include <gmock/gmock.h>

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
  EXPECT_EQ(Told("estop")[0].detail(), "estop_button (layer circuit)");
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
