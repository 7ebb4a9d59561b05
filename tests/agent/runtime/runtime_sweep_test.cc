#include <cmath>
#include <functional>
#include <random>

#include "agent/runtime/envelope.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/shapes.h"
#include "tests/support/cases.h"

// A robot that is not round: every part of what it sweeps on its way to a stop must stay inside.

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::Compiled;
namespace v1 = ::gatekeeper::v1;

constexpr double kMargin = 0.05;

void SetPolygon(google::protobuf::RepeatedPtrField<v1::Point>& polygon,
                const std::vector<Vec2>& corners) {
  polygon.Clear();
  for (const Vec2& corner : corners) {
    v1::Point& point = *polygon.Add();
    point.set_x(corner.x);
    point.set_y(corner.y);
  }
}

// A column whose corner points at whoever comes along x.
const std::vector<Vec2> kColumn = {{12, 6}, {13, 5.5}, {13, 6.5}};

v1::ControlPolicy TruckDocument() {
  v1::ControlPolicy document = tests::NavPolicyDocument();
  document.mutable_footprint()->clear_circle_m();
  SetPolygon(*document.mutable_footprint()->mutable_polygon_m(), kTruck);
  v1::EnvelopeZone& column = *document.mutable_envelope(1);
  column.clear_circle_m();
  SetPolygon(*column.mutable_polygon_m(), kColumn);
  column.set_margin_m(kMargin);
  return document;
}

class SweepTest : public testing::Test {
 protected:
  void Rebuild(const std::function<void(v1::ControlPolicy&)>& edit) {
    v1::ControlPolicy document = TruckDocument();
    edit(document);
    policy_ = Compiled(document);
  }
  double Factor(const Motion& motion, double vx, double wz) {
    blocker_ = {};
    return EnvelopeFactor(policy_, motion, vx, wz, blocker_);
  }
  double InZones(const Motion& motion, double vx, double wz = 0) {
    reasons_.clear();
    return vx * SpeedZoneFactor(policy_, motion, vx, wz, reasons_);
  }

  Policy policy_ = Compiled(TruckDocument());
  std::string_view blocker_;
  std::vector<std::string_view> reasons_;
};

TEST_F(SweepTest, ItsNoseKeepsTheMarginNotItsAxle) {
  // At 1 m/s 0.35 m to stop, 0.9 m of nose and the margin.
  EXPECT_EQ(Factor({.pose = {20 - 0.95 - 0.36, 9, 0}}, 1.0, 0), 1);
  EXPECT_LT(Factor({.pose = {20 - 0.95 - 0.34, 9, 0}}, 1.0, 0), 1);
  EXPECT_EQ(blocker_, "envelope:hall");
}

TEST_F(SweepTest, AColumnsCornerMayNotPokeIntoItsFlank) {
  // Its own corners pass the column's on both sides.
  EXPECT_LT(Factor({.pose = {12 - 0.95 - 0.3, 6, 0}}, 1.0, 0), 1);
  EXPECT_EQ(blocker_, "envelope:stairs");
  EXPECT_EQ(Factor({.pose = {12 - 0.95 - 0.3, 6.7, 0}}, 1.0, 0), 1) << "it passes beside";
}

TEST_F(SweepTest, TurningOnTheSpotSweepsToo) {
  // Along the wall, 0.4 m beside its axle: its nose would turn into the wall.
  EXPECT_LT(Factor({.pose = {5, 0.4, 0}}, 0, -1.0), 1);
  EXPECT_EQ(blocker_, "envelope:hall");
  EXPECT_EQ(Factor({.pose = {5, 1.1, 0}}, 0, -1.0), 1) << "room for all of it";
  const double safe = Factor({.pose = {5, 0.48, 0}}, 0, -1.0);
  EXPECT_GT(safe, 0);
  EXPECT_LT(safe, 1);
}

TEST_F(SweepTest, ATurnThatIsFasterThanToldNeedsItsOwnStoppingAngle) {
  const Motion slow{.pose = {5, 0.5, 0}};
  Motion fast = slow;
  fast.wz_radps = -3;
  EXPECT_EQ(Factor(slow, 0, -0.2), 1);
  EXPECT_EQ(Factor(fast, 0, -0.2), 0);
  fast.wz_radps = 3;
  EXPECT_EQ(Factor(fast, 0, -0.2), 1) << "it turns the other way";
}

TEST_F(SweepTest, AFullTurnIsAllThatATightCurveCanSweep) {
  EXPECT_EQ(Factor({.pose = {5, 9, 0}, .vx_mps = 1.0}, 1e-4, 1.5), 1);
}

TEST_F(SweepTest, AnUncertainPoseWidensTheMargin) {
  Rebuild([](v1::ControlPolicy& p) { p.mutable_envelope(0)->set_pose_sigmas(3); });
  const Pose2 pose{20 - 0.95 - 0.36, 9, 0};
  EXPECT_EQ(Factor({.pose = pose, .pose_sigma_m = 0}, 1.0, 0), 1);
  EXPECT_LT(Factor({.pose = pose, .pose_sigma_m = 0.01}, 1.0, 0), 1);
  EXPECT_EQ(Factor({.pose = {pose.x_m - 0.03, 9, 0}, .pose_sigma_m = 0.01}, 1.0, 0), 1);
}

TEST_F(SweepTest, APoseServesWhenItsUncertaintyIsToldWhereThatCounts) {
  EXPECT_TRUE(PoseServes(policy_, {.pose = {5, 5, 0}})) << "no zone asks for it";
  Rebuild([](v1::ControlPolicy& p) { p.mutable_envelope(0)->set_pose_sigmas(3); });
  EXPECT_TRUE(PoseServes(policy_, {.pose = {5, 5, 0}, .pose_sigma_m = 0.02}));
  EXPECT_TRUE(PoseServes(policy_, {.pose = {5, 5, 0}, .pose_sigma_m = 0}));
  EXPECT_FALSE(PoseServes(policy_, {.pose = {5, 5, 0}}));
  EXPECT_FALSE(PoseServes(policy_, {.pose = {5, 5, 0}, .pose_sigma_m = -0.01}));
  EXPECT_FALSE(PoseServes(policy_, {.pose = {5, 5, 0}, .pose_sigma_m = kNan}));
}

// --- speed zones

v1::EnvelopeZone& AddSpeedZone(v1::ControlPolicy& document, double cap, double radius) {
  v1::EnvelopeZone& zone = *document.add_envelope();
  zone.set_id("dock" + std::to_string(document.envelope_size()));
  zone.set_kind("speed");
  zone.set_frame("map");
  zone.mutable_circle_m()->mutable_c()->set_x(5);
  zone.mutable_circle_m()->mutable_c()->set_y(9);
  zone.mutable_circle_m()->set_r(radius);
  zone.set_vx_max_mps(cap);
  return zone;
}

TEST_F(SweepTest, ASpeedZoneHoldsFromTheFootprintsTouchOn) {
  Rebuild([](v1::ControlPolicy& p) { AddSpeedZone(p, 0.3, 1); });
  EXPECT_DOUBLE_EQ(InZones({.pose = {5, 9, 0}}, 1.0), 0.3);
  EXPECT_THAT(reasons_, ElementsAre("speed_zone:dock3"));
  EXPECT_DOUBLE_EQ(InZones({.pose = {6.25, 9, 0}}, 1.0), 0.3) << "its tail is still in";
  EXPECT_EQ(InZones({.pose = {6.31, 9, 0}}, 1.0), 1.0) << "it leaves";
  EXPECT_EQ(InZones({.pose = {5, 9, 0}}, 0.3), 0.3);
  EXPECT_THAT(reasons_, IsEmpty()) << "slow enough";
  EXPECT_DOUBLE_EQ(InZones({.pose = {5, 9, 0}}, -0.4), -0.3) << "backwards too";
}

TEST_F(SweepTest, ARobotBrakesInTimeForASpeedZone) {
  Rebuild([](v1::ControlPolicy& p) { AddSpeedZone(p, 0.3, 1); });
  // From 1.0 to 0.3 m/s: 0.1 m of reaction and (1 - 0.09) / 4 of braking before its nose is in.
  const double way = 0.1 + 0.91 / 4;
  EXPECT_EQ(InZones({.pose = {4 - 0.9 - way - 0.01, 9, 0}}, 1.0), 1.0);
  const double held = InZones({.pose = {4 - 0.9 - way + 0.05, 9, 0}}, 1.0);
  EXPECT_LT(held, 1.0);
  EXPECT_NEAR(held * 0.1 + (held * held - 0.09) / 4, way - 0.05, 1e-5);
  EXPECT_EQ(InZones({.pose = {4 - 0.9 - 0.05, 9, kPi}}, 1.0), 1.0) << "it drives away";
  EXPECT_DOUBLE_EQ(InZones({.pose = {4 - 0.9 - 1e-4, 9, 0}}, 1.0), 0.3)
      << "and is never slower before the zone than in it";
}

TEST_F(SweepTest, TheSlowestZoneOnTheWayHolds) {
  Rebuild([](v1::ControlPolicy& p) {
    AddSpeedZone(p, 0.4, 1);
    AddSpeedZone(p, 0.2, 0.5).set_margin_m(0.2);
  });
  EXPECT_DOUBLE_EQ(InZones({.pose = {5, 9, 0}}, 1.0), 0.2);
  EXPECT_DOUBLE_EQ(InZones({.pose = {3.2, 9, 0}}, 1.0), 0.4) << "in one, the other is 0.2 m ahead";
}

TEST_F(SweepTest, AZoneOfNoSpeedIsNeverEntered) {
  Rebuild([](v1::ControlPolicy& p) { AddSpeedZone(p, 0.0, 1); });
  double x = 1.5;
  for (int tick = 0; tick < 400; ++tick) x += 0.05 * InZones({.pose = {x, 9, 0}}, 1.0);
  EXPECT_LT(x + 0.9, 4.0);
  EXPECT_GT(x + 0.9, 3.9);
}

TEST_F(SweepTest, TurningOnTheSpotIsNoSpeed) {
  Rebuild([](v1::ControlPolicy& p) { AddSpeedZone(p, 0.0, 1); });
  EXPECT_EQ(SpeedZoneFactor(policy_, {.pose = {5, 9, 0}}, 0, 1.0, reasons_), 1);
}

// --- an oracle: plain trigonometry, small steps, and points all along both outlines

struct Segment {
  Vec2 a;
  Vec2 b;
};

double PointToSegment(Vec2 p, const Segment& s) {
  const double dx = s.b.x - s.a.x;
  const double dy = s.b.y - s.a.y;
  const double t =
      std::clamp(((p.x - s.a.x) * dx + (p.y - s.a.y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
  const double x = p.x - s.a.x - t * dx;
  const double y = p.y - s.a.y - t * dy;
  return std::sqrt(x * x + y * y);
}

// Outlines as points 4 cm apart; the hall's inner side and the column's outer one are judged by
// plain inequalities.
class Oracle {
 public:
  Oracle() {
    Spread(kTruck, body_);
    Spread(kColumn, column_);
  }

  // The least room of the truck at this pose; below 0 only by its sign.
  double Room(const Pose2& pose) const {
    const double c = std::cos(pose.yaw_rad);
    const double s = std::sin(pose.yaw_rad);
    double room = 1e9;
    for (const Vec2& p : body_) {
      const Vec2 w{pose.x_m + c * p.x - s * p.y, pose.y_m + s * p.x + c * p.y};
      room = std::min({room, w.x, 20 - w.x, w.y, 12 - w.y, ToColumn(w)});
    }
    for (const Vec2& p : column_) {
      const Vec2 b{c * (p.x - pose.x_m) + s * (p.y - pose.y_m),
                   c * (p.y - pose.y_m) - s * (p.x - pose.x_m)};
      if (b.x > -0.3 && b.x < 0.9 && std::abs(b.y) < 0.3) return -1;
    }
    return room;
  }

 private:
  static void Spread(const std::vector<Vec2>& corners, std::vector<Vec2>& points) {
    for (size_t i = 0; i < corners.size(); ++i) {
      const Vec2 a = corners[i];
      const Vec2 b = corners[(i + 1) % corners.size()];
      const int count = static_cast<int>(std::hypot(b.x - a.x, b.y - a.y) / 0.04) + 1;
      for (int k = 0; k < count; ++k) {
        const double t = static_cast<double>(k) / count;
        points.push_back({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)});
      }
    }
  }
  static double ToColumn(Vec2 p) {
    double nearest = 1e9;
    for (size_t i = 0; i < 3; ++i) {
      nearest = std::min(nearest, PointToSegment(p, {kColumn[i], kColumn[(i + 1) % 3]}));
    }
    const bool inside = p.x > 12 && p.x < 13 && std::abs(p.y - 6) < (p.x - 12) / 2;
    return inside ? -nearest : nearest;
  }

  std::vector<Vec2> body_;
  std::vector<Vec2> column_;
};

TEST_F(SweepTest, TheVerdictOnAnySweepEqualsAnOracles) {
  const Oracle oracle;
  std::mt19937_64 random(21);
  constexpr double kFuzzy = 0.02;  // points 4 cm apart, and half a step of the sweep
  int free = 0;
  int blocked = 0;
  int cases = 0;
  const int all = tests::Cases(100'000);
  for (int i = 0; cases < all; ++i) {
    const bool near_column = random() % 2 == 0;
    const Pose2 start{near_column ? In(random, 10.3, 14.2) : In(random, 0.4, 1.6),
                      near_column ? In(random, 4, 8) : In(random, 0.4, 4), In(random, -kPi, kPi)};
    // Where it matters: near an edge, but not nearer than the margin.
    const double room = oracle.Room(start);
    if (!(room > kMargin + 0.001 && room < kMargin + 0.25)) continue;
    const double vx = random() % 4 == 0 ? 0 : In(random, -1, 1);
    const double wz = In(random, -2, 2);
    ++cases;
    const Course course = CourseOf(policy_.footprint(), vx, wz);
    const double wanted = In(random, 0.05, 0.5);
    const double got = FreeWayM(policy_, {.pose = start}, course, wanted, blocker_);

    double least = 1e9;
    constexpr int kSteps = 16;
    for (int k = 0; k <= kSteps; ++k) {
      const double way = wanted * k / kSteps;
      least = std::min(least, oracle.Room(Moved(start, course.ahead * way, course.turn * way)));
    }
    if (least > kMargin + 1e-6 + kFuzzy) {
      ASSERT_EQ(got, wanted) << i;
      ++free;
    }
    if (least < kMargin - kFuzzy) {
      ASSERT_LT(got, wanted) << i;
      ++blocked;
    }
  }
  EXPECT_GT(free, all / 20);
  EXPECT_GT(blocked, all / 20);
}

TEST_F(SweepTest, NoStopThatItLetsThroughLeavesTheEnvelope) {
  const Oracle oracle;
  std::mt19937_64 random(22);
  for (int i = 0; i < tests::Cases(20'000); ++i) {
    const Pose2 start{In(random, 0.4, 14), In(random, 0.4, 8), In(random, -kPi, kPi)};
    if (ClearanceM(policy_, start) < kMargin) continue;
    const double vx = random() % 4 == 0 ? 0 : In(random, -1, 1);
    const double wz = In(random, -1.5, 1.5);
    const double factor = Factor({.pose = start}, vx, wz);
    const double v = vx * factor;
    const double w = wz * factor;
    // Driven for two periods, then braked on the same curve by 2 m/s2 and 6 rad/s2.
    const double stop_s = 0.1 + std::max(std::abs(v) / 2, std::abs(w) / 6) / 2;
    for (int k = 0; k <= 16; ++k) {
      const double share = k / 16.0;
      ASSERT_GT(oracle.Room(Moved(start, v * stop_s * share, w * stop_s * share)), 0) << i;
    }
  }
}

}  // namespace
}  // namespace agent::runtime
