#include <bit>

#include "tests/agent/runtime/rich_machine.h"

// How a robot drives on probation after a re-arm, by the rich rules.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::tests::kPeriod;

class ProbationTest : public RichMachineTest {
 protected:
  void SetUp() override {
    Once(Mask("estop_button"));
    standing_ = true;
    Live(0, seconds(4));
    ASSERT_EQ(state(), "ESTOP_LATCHED");
    ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, seconds(4)));
    standing_ = false;
  }
};

TEST_F(ProbationTest, EndsAfterItsTimeOfDrivingAndNotBefore) {
  Live(0, milliseconds(59'950));
  EXPECT_EQ(status_.probation, kPeriod);
  Once(0);
  EXPECT_EQ(status_.probation, Nanos{0});
  Once(0);
  EXPECT_EQ(status_.probation, Nanos{0});
}

TEST_F(ProbationTest, DoesNotPassWhileTheRobotStands) {
  driven_ = Nanos{0};
  Live(0, seconds(120));
  EXPECT_EQ(status_.probation, seconds(60));
}

TEST_F(ProbationTest, AnyTriggerStopsTheRobotAndStartsItAnew) {
  Live(0, seconds(30));
  Once(Mask("low_confidence"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  EXPECT_EQ(status_.probation, seconds(60));
  Live(0, milliseconds(950));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  EXPECT_EQ(status_.probation, seconds(60)) << "not while a trigger is active";
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
  Once(0);
  EXPECT_LT(status_.probation, seconds(60));
}

TEST_F(ProbationTest, AMoreRestrictiveTriggerGoesWhereItAlwaysGoes) {
  Once(Mask("envelope_breach"));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
}

TEST_F(ProbationTest, AfterItATriggerGoesWhereItAlwaysGoes) {
  Live(0, seconds(60));
  Once(Mask("low_confidence"));
  EXPECT_EQ(state(), "DEGRADED");
}

TEST_F(ProbationTest, BeginsWithTheStart) {
  const TriggerMask waiting = MaskOf(rules_.awaiting_start());
  Once(waiting);
  EXPECT_EQ(state(), "SAFE_STOPPED") << "where it waits";
  Live(waiting | Mask("low_confidence"), seconds(1));
  const TriggerIndex doubt = static_cast<TriggerIndex>(std::countr_zero(Mask("low_confidence")));
  EXPECT_EQ(rules_.states()[status_.triggers[doubt].place].name, "DEGRADED")
      << "a robot that nobody started is on no probation";
  EXPECT_EQ(status_.probation, seconds(60));
}

TEST_F(ProbationTest, StartsAnewUnderNewRules) {
  Live(0, seconds(30));
  const FallbackStatus carried = CarriedOver(rules_, status_, rules_, now_);
  EXPECT_EQ(carried.probation, seconds(60));
  EXPECT_EQ(CarriedOver(rules_, FallbackStatus{}, rules_, now_).probation, Nanos{0});
}

TEST_F(ProbationTest, FlappingOnProbationEndsWhereBothDemand) {
  for (int i = 0; i < 6; ++i) {
    Once(Mask("low_confidence"));
    Live(0, seconds(1));
  }
  EXPECT_TRUE(status_.IsActive(rules_.flapping()) || status_.held == Mask("low_confidence"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
}

TEST_F(ProbationTest, TheMachinesOwnLatchIsNoCauseThatMustGoFirst) {
  status_ = {};
  standing_ = true;
  Once(MaskOf(rules_.latched()));
  EXPECT_EQ(state(), "ESTOP_LATCHED");
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, seconds(4)));
  EXPECT_EQ(status_.raised, 0U);
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
}

}  // namespace
}  // namespace agent::runtime
