#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "agent/runtime/separation.h"
#include "agent/runtime/stop_ramp.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"

// Which returns are in a zone, and which zones stop or slow.

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace v1 = ::gatekeeper::v1;

v1::BodyZone Zone(const char* id, const char* action) {
  v1::BodyZone zone;
  zone.set_id(id);
  zone.set_action(action);
  zone.set_source("scan");
  zone.set_min_points(4);
  zone.set_trigger_consecutive(1);
  zone.set_release_consecutive(1);
  return zone;
}

void SetCircle(v1::BodyZone& zone, double radius_m) {
  zone.mutable_circle_m()->mutable_c();
  zone.mutable_circle_m()->set_r(radius_m);
}

Policy Around(std::initializer_list<v1::BodyZone> zones) {
  v1::ControlPolicy document = tests::NavPolicyDocument();
  document.mutable_separation()->clear_zones();
  for (const v1::BodyZone& zone : zones) *document.mutable_separation()->add_zones() = zone;
  auto policy = Policy::Compile(document);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

v1::LaserScan Ahead(int count, float range_m) {
  v1::LaserScan scan;
  for (int i = 0; i < count; ++i) scan.add_ranges_m(range_m);
  return scan;
}

class SeparationTest : public testing::Test {
 protected:
  bool MustStop(const Separation& separation) {
    reasons_.clear();
    return separation.MustStop(reasons_);
  }
  double CapMps(const Separation& separation) {
    reasons_.clear();
    return separation.CapMps(reasons_);
  }

  std::vector<std::string_view> reasons_;
};

TEST_F(SeparationTest, AReturnOnTheEdgeOfTheOnlyZoneIsInIt) {
  v1::BodyZone ring = Zone("ring", "stop");
  SetCircle(ring, 0.5);
  const Policy policy = Around({ring});
  Separation separation(policy);
  separation.See(Ahead(3, 0.5F), 1);
  EXPECT_FALSE(MustStop(separation)) << "three are too few";
  separation.See(Ahead(4, 0.5F), 2);
  EXPECT_TRUE(MustStop(separation));
  separation.See(Ahead(4, std::nextafter(0.5F, 1.0F)), 3);
  EXPECT_FALSE(MustStop(separation));
}

TEST_F(SeparationTest, AReturnOnTheFarthestCornerOfAZoneIsInItWhereverThatPoints) {
  int just_beyond = 0;
  for (int i = 0; i < 64; ++i) {
    v1::LaserScan scan;
    scan.set_angle_min_rad(0.1 + 0.02 * i);
    scan.add_ranges_m(1.5F);
    const SinCos beam = ExactSinCos(scan.angle_min_rad());
    v1::BodyZone wedge = Zone("wedge", "stop");
    wedge.set_min_points(1);
    for (const Vec2& corner : {Vec2{0, 0}, Vec2{0.5, 0}, Vec2{1.5 * beam.cos, 1.5 * beam.sin}}) {
      v1::Point& point = *wedge.add_polygon_m();
      point.set_x(corner.x);
      point.set_y(corner.y);
    }
    const Policy policy = Around({wedge});
    const bool contained = policy.separation()[0].region.Contains({1.5 * beam.cos, 1.5 * beam.sin});
    just_beyond += contained && policy.separation()[0].region.reach_m() < 1.5 ? 1 : 0;
    Separation separation(policy);
    separation.See(scan, 1);
    EXPECT_EQ(MustStop(separation), contained) << i;
  }
  EXPECT_GT(just_beyond, 0) << "corners that rounding has put nearer than the return";
}

TEST_F(SeparationTest, ASlowZoneCapsWhereverItStandsInTheList) {
  v1::BodyZone slow = Zone("slow", "limit");
  SetCircle(slow, 0.8);
  slow.set_vx_max_mps(0.3);
  v1::BodyZone slower = Zone("slower", "limit");
  SetCircle(slower, 0.6);
  slower.set_vx_max_mps(0.2);
  const Policy policy = Around({slow, slower});
  Separation separation(policy);
  separation.See(Ahead(4, 0.7F), 1);
  EXPECT_EQ(CapMps(separation), 0.3);
  EXPECT_THAT(reasons_, ElementsAre("slow_zone:slow"));
  separation.See(Ahead(4, 0.6F), 2);
  EXPECT_EQ(CapMps(separation), 0.3) << "as a double that float is beyond the circle";
  separation.See(Ahead(4, 0.59F), 3);
  EXPECT_EQ(CapMps(separation), 0.2);
  EXPECT_THAT(reasons_, ElementsAre("slow_zone:slow", "slow_zone:slower"));
  EXPECT_FALSE(MustStop(separation));
}

TEST_F(SeparationTest, AStopZoneStopsAndCapsNothing) {
  v1::BodyZone stop = Zone("stop", "stop");
  SetCircle(stop, 0.5);
  const Policy policy = Around({stop});
  Separation separation(policy);
  separation.See(Ahead(4, 0.4F), 1);
  EXPECT_EQ(CapMps(separation), kInfinity);
  EXPECT_THAT(reasons_, IsEmpty());
  EXPECT_TRUE(MustStop(separation));
  EXPECT_THAT(reasons_, ElementsAre("stop_zone:stop"));
}

TEST_F(SeparationTest, ABeamWithoutReturnIsNeitherNearNorInAZone) {
  v1::BodyZone stop = Zone("stop", "stop");
  SetCircle(stop, 0.5);
  const Policy policy = Around({stop});
  Separation separation(policy);
  separation.See(Ahead(4, std::numeric_limits<float>::infinity()), 1);
  EXPECT_FALSE(MustStop(separation));
  EXPECT_TRUE(std::isnan(separation.nearest_m()));
}

TEST(SlowRampTest, AStopThatGrowsSlowlyIsNoFullStop) {
  const StopRamp ramp{.dec_mps2 = 1, .jerk_mps3 = 0.5};
  EXPECT_DOUBLE_EQ(ramp.MeanDecMps2(0, 0.1), 0.025);
  EXPECT_DOUBLE_EQ(ramp.SpeedLostMps(0.1), 0.0025);
  EXPECT_DOUBLE_EQ(ramp.StopSeconds(0.0025), 0.1);
}

}  // namespace
}  // namespace agent::runtime
