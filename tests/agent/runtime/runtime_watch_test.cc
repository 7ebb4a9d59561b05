#include <limits>

#include "agent/runtime/model_watch.h"
#include "agent/runtime/separation.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

// Whatever counts ticks or scans before it acts.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::NavPolicyDocument;
using ::tests::Packet;
namespace v1 = ::gatekeeper::v1;

TEST(DeadlineWatchTest, IsRaisedByTheMissThatIsTooManyInARow) {
  DeadlineWatch watch({.max_consecutive = 3, .window_ticks = 100, .window_max = 50});
  EXPECT_FALSE(watch.Missed(true));
  EXPECT_FALSE(watch.Missed(true));
  EXPECT_TRUE(watch.Missed(true));
  EXPECT_TRUE(watch.Missed(true));
  EXPECT_FALSE(watch.Missed(false)) << "an answer is calm";
  EXPECT_FALSE(watch.Missed(true)) << "and starts the row anew";
  EXPECT_FALSE(watch.Missed(true));
  EXPECT_TRUE(watch.Missed(true));
}

TEST(DeadlineWatchTest, IsRaisedByTheMissThatIsTooManyInTheWindow) {
  DeadlineWatch watch({.max_consecutive = 9, .window_ticks = 10, .window_max = 2});
  for (bool missed : {true, false, true, false}) EXPECT_FALSE(watch.Missed(missed));
  EXPECT_TRUE(watch.Missed(true));
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(watch.Missed(false));
  EXPECT_FALSE(watch.Missed(true)) << "the two oldest have left the window";
}

TEST(ConfidenceWatchTest, FallsBelowEnterAndRisesAboveLeaveForItsTime) {
  ConfidenceWatch watch({.enter_below = 0.3, .leave_above = 0.5, .leave_hold = milliseconds(100)});
  EXPECT_FALSE(watch.Low(0.3, milliseconds(0)));
  EXPECT_TRUE(watch.Low(0.29, milliseconds(50)));
  EXPECT_TRUE(watch.Low(0.5, milliseconds(100))) << "not above";
  EXPECT_TRUE(watch.Low(0.51, milliseconds(150)));
  EXPECT_TRUE(watch.Low(0.51, milliseconds(249)));
  EXPECT_TRUE(watch.Low(0.45, milliseconds(260))) << "a break starts the time anew";
  EXPECT_TRUE(watch.Low(0.51, milliseconds(300)));
  EXPECT_FALSE(watch.Low(0.51, milliseconds(400)));
  EXPECT_FALSE(watch.Low(0.31, milliseconds(450))) << "between the two it stays what it was";
}

TEST(ConfidenceWatchTest, TakesWhatIsNoNumberAsLow) {
  ConfidenceWatch watch({.enter_below = 0.3, .leave_above = 0.5, .leave_hold = milliseconds(100)});
  EXPECT_TRUE(watch.Low(std::numeric_limits<double>::quiet_NaN(), milliseconds(0)));
}

TEST(ClampBudgetTest, IsSpentByOneTickMoreThanItHolds) {
  ClampBudget budget({.window_ticks = 10, .max_clamped = 2});
  EXPECT_FALSE(budget.Spent(true));
  EXPECT_FALSE(budget.Spent(true));
  EXPECT_TRUE(budget.Spent(true));
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(budget.Spent(false));
  EXPECT_FALSE(budget.Spent(false)) << "the oldest has left the window";
  budget.Spent(true);
  budget.Reset();
  EXPECT_FALSE(budget.Spent(true));
}

TEST(ClampBudgetTest, IsWholeAgainAfterAReset) {
  ClampBudget budget({.window_ticks = 10, .max_clamped = 2});
  for (int i = 0; i < 3; ++i) budget.Spent(true);
  budget.Reset();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(budget.Spent(false)) << "nothing is left to leave";
  EXPECT_FALSE(budget.Spent(true));
  EXPECT_FALSE(budget.Spent(true));
  EXPECT_TRUE(budget.Spent(true));
}

class ZoneWatchTest : public testing::Test {
 protected:
  static Policy Nav() {
    v1::ControlPolicy document = NavPolicyDocument();
    document.mutable_separation()->mutable_zones(0)->set_trigger_consecutive(2);
    auto policy = Policy::Compile(document);
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *std::move(policy);
  }
  // A scan with `points` returns straight ahead at this range, 8 m elsewhere.
  void See(int points, float range_m) {
    v1::LaserScan scan;
    scan.set_angle_min_rad(-0.02);
    scan.set_angle_increment_rad(0.001);
    for (int i = 0; i < 40; ++i) scan.add_ranges_m(i < points ? range_m : 8.0F);
    separation_.See(scan, ++message_);
  }
  bool Stops() {
    reasons_.clear();
    return separation_.MustStop(reasons_);
  }
  double Cap() {
    reasons_.clear();
    return separation_.CapMps(reasons_);
  }

  const Policy policy_ = Nav();
  Separation separation_{policy_};
  std::vector<std::string_view> reasons_;
  uint64_t message_ = 0;
};

TEST_F(ZoneWatchTest, IsOccupiedAfterEnoughScansInARow) {
  See(10, 0.4F);
  EXPECT_FALSE(Stops());
  See(10, 0.4F);
  EXPECT_TRUE(Stops());
  EXPECT_THAT(reasons_, ElementsAre("stop_zone:touch"));
}

TEST_F(ZoneWatchTest, AGapStartsTheRowAnew) {
  See(10, 0.4F);
  See(0, 0.4F);
  See(10, 0.4F);
  EXPECT_FALSE(Stops());
}

TEST_F(ZoneWatchTest, IsFreeAfterEnoughScansWithoutAndNotBefore) {
  See(10, 0.4F);
  See(10, 0.4F);
  for (int i = 0; i < 7; ++i) See(0, 0.4F);
  EXPECT_TRUE(Stops());
  See(0, 0.4F);
  EXPECT_FALSE(Stops());
  EXPECT_THAT(reasons_, IsEmpty());
}

TEST_F(ZoneWatchTest, NeedsItsMinPoints) {
  for (int i = 0; i < 5; ++i) See(3, 0.4F);
  EXPECT_FALSE(Stops());
  for (int i = 0; i < 2; ++i) See(4, 0.4F);
  EXPECT_TRUE(Stops());
}

TEST_F(ZoneWatchTest, EndsAtItsEdge) {
  for (int i = 0; i < 5; ++i) See(10, 0.451F);
  EXPECT_FALSE(Stops());
  EXPECT_EQ(Cap(), 0.4) << "but is inside the slow zone";
  EXPECT_THAT(reasons_, ElementsAre("slow_zone:near"));
  for (int i = 0; i < 5; ++i) See(10, 0.901F);
  EXPECT_TRUE(std::isinf(Cap()));
}

TEST_F(ZoneWatchTest, CountsAScanOnce) {
  See(10, 0.4F);
  v1::LaserScan same;
  separation_.See(same, message_);
  EXPECT_FALSE(Stops());
  See(10, 0.4F);
  EXPECT_TRUE(Stops());
}

TEST_F(ZoneWatchTest, IgnoresReturnsThatAreNone) {
  for (float none : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(),
                     std::numeric_limits<float>::infinity()}) {
    for (int i = 0; i < 3; ++i) See(40, none);
    EXPECT_FALSE(Stops()) << none;
  }
}

TEST_F(ZoneWatchTest, FollowsAScannerThatLooksElsewhere) {
  v1::LaserScan scan;
  scan.set_angle_increment_rad(0.001);
  for (int i = 0; i < 6; ++i) scan.add_ranges_m(0.4F);
  const auto see = [&](double from_rad, double step_rad) {
    scan.set_angle_min_rad(from_rad);
    scan.set_angle_increment_rad(step_rad);
    separation_.See(scan, ++message_);
  };
  for (int i = 0; i < 2; ++i) see(0, 0.001);
  EXPECT_TRUE(Stops());
  for (int i = 0; i < 8; ++i) see(3, 0.001);
  EXPECT_FALSE(Stops()) << "the same returns, behind the robot";
  for (int i = 0; i < 2; ++i) see(0, 0.001);
  EXPECT_TRUE(Stops());
  for (int i = 0; i < 8; ++i) see(0, 1.0472);
  EXPECT_FALSE(Stops()) << "all round, and but few in the zone";
}

}  // namespace
}  // namespace agent::runtime
