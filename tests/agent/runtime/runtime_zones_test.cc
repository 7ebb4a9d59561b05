#include <cmath>
#include <functional>
#include <optional>
#include <random>

#include "agent/runtime/enforce.h"
#include "agent/runtime/policy_shape.h"
#include "agent/runtime/rule_id.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

// Footprint, heights and separation: what is refused at compile, and what a command meets.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

v1::SpeedAndSeparation& IndoorSsm(P& p) {
  v1::SpeedAndSeparation& ssm = *p.mutable_separation()->mutable_ssm();
  ssm.set_source("scan");
  ssm.set_v_human_mps(1.6);
  ssm.set_t_react_s(0.25);
  ssm.set_dec_mps2(2.0);
  ssm.set_c_m(0.1);
  ssm.set_z_sensor_m(0.05);
  ssm.set_z_robot_m(0.05);
  return ssm;
}

void SetBox(v1::Footprint& footprint, double front, double back, double half_width) {
  footprint.clear_circle_m();
  for (const auto& [x, y] : {std::pair{front, half_width},
                             {back, half_width},
                             {back, -half_width},
                             {front, -half_width}}) {
    v1::Point& point = *footprint.add_polygon_m();
    point.set_x(x);
    point.set_y(y);
  }
}

void SetHeights(P& p, std::initializer_list<double> heights) {
  p.mutable_envelope(0)->clear_z_m();
  for (double z : heights) p.mutable_envelope(0)->add_z_m(z);
}

struct GroundDefect {
  const char* path;
  const char* rule;
  std::function<void(P&)> seed;
};

void PrintTo(const GroundDefect& defect, std::ostream* out) { *out << defect.path; }

class BadGroundTest : public testing::TestWithParam<GroundDefect> {};

TEST_P(BadGroundTest, IsRefusedByThePathOfTheDefectUnderItsRule) {
  P policy = NavPolicyDocument();
  GetParam().seed(policy);
  const absl::Status status = Policy::Compile(policy).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               StartsWith(std::string("[") + GetParam().path + "] ")));
  EXPECT_EQ(RuleOf(status), GetParam().rule);
}

INSTANTIATE_TEST_SUITE_P(
    Ground, BadGroundTest,
    testing::Values(
        GroundDefect{"footprint", "S11", [](P& p) { p.clear_footprint(); }},
        GroundDefect{"footprint", "S11", [](P& p) { p.mutable_footprint()->clear_circle_m(); }},
        GroundDefect{"footprint.circle_m.r", "S14",
                     [](P& p) { p.mutable_footprint()->mutable_circle_m()->set_r(0); }},
        GroundDefect{
            "footprint.circle_m.c", "S11",
            [](P& p) { p.mutable_footprint()->mutable_circle_m()->mutable_c()->set_x(kNan); }},
        GroundDefect{"footprint.polygon_m", "S11",
                     [](P& p) {
                       SetBox(*p.mutable_footprint(), 0.5, -0.5, 0.3);
                       p.mutable_footprint()->mutable_polygon_m()->SwapElements(0, 1);
                     }},
        GroundDefect{"footprint.polygon_m", "S11",
                     [](P& p) {
                       p.mutable_footprint()->clear_circle_m();
                       for (int i = 0; i < 33; ++i) {
                         v1::Point& point = *p.mutable_footprint()->add_polygon_m();
                         point.set_x(std::cos(i * 0.19));
                         point.set_y(std::sin(i * 0.19));
                       }
                     }},
        GroundDefect{"envelope[0].z_m", "S11", [](P& p) { SetHeights(p, {0.5}); }},
        GroundDefect{"envelope[0].z_m", "S11",
                     [](P& p) {
                       SetHeights(p, {0.5, 0.5});
                     }},
        GroundDefect{"envelope[0].z_m", "S11",
                     [](P& p) {
                       SetHeights(p, {0, 1, 2});
                     }},
        GroundDefect{"envelope[0].z_m", "S11",
                     [](P& p) {
                       SetHeights(p, {0, kInfinity});
                     }},
        GroundDefect{"envelope[0].z_m", "S11",
                     [](P& p) {
                       SetHeights(p, {kNan, 1});
                     }},
        GroundDefect{"envelope[0].pose_sigmas", "S11",
                     [](P& p) { p.mutable_envelope(0)->set_pose_sigmas(-1); }},
        GroundDefect{"envelope[0].pose_sigmas", "S11",
                     [](P& p) { p.mutable_envelope(0)->set_pose_sigmas(kInfinity); }}));

INSTANTIATE_TEST_SUITE_P(
    Ssm, BadGroundTest,
    testing::Values(
        GroundDefect{"separation.ssm.source", "S10", [](P& p) { IndoorSsm(p).set_source("odom"); }},
        GroundDefect{"inputs.scan.min_valid_fraction", "S14",
                     [](P& p) {
                       IndoorSsm(p);
                       (*p.mutable_inputs())["scan"].set_min_valid_fraction(0);
                     }},
        GroundDefect{"separation.ssm.v_human_mps", "S14",
                     [](P& p) { IndoorSsm(p).set_v_human_mps(0); }},
        GroundDefect{"separation.ssm.t_react_s", "S14",
                     [](P& p) { IndoorSsm(p).set_t_react_s(0); }},
        GroundDefect{"separation.ssm.dec_mps2", "S14",
                     [](P& p) { IndoorSsm(p).set_dec_mps2(kInfinity); }},
        GroundDefect{"separation.ssm.dec_mps2", "S10",
                     [](P& p) { IndoorSsm(p).set_dec_mps2(2.01); }},
        GroundDefect{"separation.ssm.c_m", "S10", [](P& p) { IndoorSsm(p).set_c_m(-0.1); }},
        GroundDefect{"separation.ssm.z_sensor_m", "S10",
                     [](P& p) { IndoorSsm(p).set_z_sensor_m(kNan); }},
        GroundDefect{"separation.ssm.z_robot_m", "S10",
                     [](P& p) { IndoorSsm(p).set_z_robot_m(-1); }}));

TEST(GroundTest, CompilesFootprintHeightsAndSeparation) {
  P document = NavPolicyDocument();
  SetBox(*document.mutable_footprint(), 0.5, -0.3, 0.3);
  SetHeights(document, {-0.1, 2});
  document.mutable_envelope(0)->set_pose_sigmas(3);
  IndoorSsm(document).set_dec_mps2(1.5);
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_EQ(policy.footprint().region().edges().size(), 4U);
  EXPECT_EQ(policy.envelope()[0].low_m, -0.1);
  EXPECT_EQ(policy.envelope()[0].high_m, 2);
  EXPECT_EQ(policy.envelope()[0].pose_sigmas, 3);
  EXPECT_EQ(policy.envelope()[1].low_m, -kInfinity) << "not told: all heights";
  EXPECT_EQ(policy.ssm()->dec_mps2, 1.5);
}

// --- enforcement

class GroundEnforceTest : public testing::Test {
 protected:
  void Compile(const std::function<void(P&)>& edit) {
    P document = NavPolicyDocument();
    edit(document);
    auto policy = Policy::Compile(document);
    ASSERT_TRUE(policy.ok()) << policy.status();
    policy_.emplace(*std::move(policy));
    separation_.emplace(*policy_);
  }
  void See(float range_m) {
    v1::LaserScan scan;
    scan.add_ranges_m(range_m);
    separation_->See(scan, ++scans_);
  }
  Enforcement Run(double vx, double wz) {
    Enforcement result;
    const std::vector<double> wanted = {vx, wz};
    situation_.last = last_;
    Enforce(*policy_, *separation_, wanted, situation_, result);
    return result;
  }

  std::optional<Policy> policy_;
  std::optional<Separation> separation_;
  uint64_t scans_ = 0;
  std::vector<double> last_ = {1.0, 0};
  Situation situation_{.last = {},
                       .last_raw = {},
                       .acc_s = 0.05,
                       .dec_s = 0.05,
                       .motion = Motion{.pose = {5, 6, 0}, .vx_mps = 1.0},
                       .joints_rad = {}};
};

TEST_F(GroundEnforceTest, ThePersonWhoComesNearIsMetByARobotThatStands) {
  Compile([](P& p) { IndoorSsm(p); });
  See(8);
  EXPECT_THAT(Run(1.0, 0).values, ElementsAre(1.0, 0));
  See(1.31F);  // 1.06 m from the hull: 0.4 m/s by hand
  const Enforcement near = Run(1.0, 0.2);
  EXPECT_NEAR(near.values[0], 0.4, 1e-6) << "at once";
  EXPECT_NEAR(near.values[1], 0.08, 1e-6) << "on the same curve";
  EXPECT_THAT(near.reasons, Contains("ssm"));
  EXPECT_FALSE(near.clamped) << "not the model's doing";
  EXPECT_THAT(Run(0.3, 0).reasons, Not(Contains("ssm"))) << "slow enough";
  See(0.8F);
  EXPECT_THAT(Run(0.3, 0).values, ElementsAre(0.0, 0.0));
}

TEST_F(GroundEnforceTest, BeforeTheFirstScanNobodyKnowsWhoIsThere) {
  Compile([](P& p) { IndoorSsm(p); });
  EXPECT_THAT(Run(1.0, 0).values, ElementsAre(0.0, 0.0));
}

TEST_F(GroundEnforceTest, NoSpeedEverExceedsThatOfTheNearestReturn) {
  Compile([](P& p) {
    IndoorSsm(p);
    SetBox(*p.mutable_footprint(), 0.5, -0.3, 0.3);
  });
  std::mt19937_64 random(3);
  const auto in = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  };
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    See(static_cast<float>(in(0.4, 4)));
    last_ = {in(0, 1), in(-1, 1)};
    situation_.motion->vx_mps = last_[0];
    const Enforcement result = Run(in(0, 1), in(-1, 1));
    const double speed = std::abs(result.values[0]) +
                         policy_->footprint().turn_reach_m() * std::abs(result.values[1]);
    ASSERT_LE(speed, SsmSpeedMps(*policy_->ssm(), separation_->nearest_m()) + 1e-9);
  }
}

TEST_F(GroundEnforceTest, ASpeedZoneCapsAndIsBrakedForOnTheSameCurve) {
  Compile([](P& p) {
    v1::EnvelopeZone& zone = *p.add_envelope();
    zone.set_id("dock");
    zone.set_kind("speed");
    zone.set_frame("map");
    zone.mutable_circle_m()->mutable_c()->set_x(6);
    zone.mutable_circle_m()->mutable_c()->set_y(6);
    zone.mutable_circle_m()->set_r(0.5);
    zone.set_vx_max_mps(0.2);
  });
  const Enforcement before = Run(1.0, 0.1);
  EXPECT_GT(before.values[0], 0.2);
  EXPECT_LT(before.values[0], 1.0);
  EXPECT_NEAR(before.values[1] / before.values[0], 0.1, 1e-9);
  EXPECT_THAT(before.reasons, Contains("speed_zone:dock"));
  EXPECT_FALSE(before.clamped);
  situation_.motion->pose.x_m = 6;
  EXPECT_NEAR(Run(1.0, 0.1).values[0], 0.2, 1e-12);
}

TEST_F(GroundEnforceTest, WithoutAnUncertaintyThatAMarginNeedsThereIsNoPose) {
  Compile([](P& p) { p.mutable_envelope(0)->set_pose_sigmas(3); });
  last_ = {0.5, 0.1};
  situation_.motion->vx_mps = 0.5;
  const Enforcement unsure = Run(0.5, 0.1);
  EXPECT_THAT(unsure.reasons, ElementsAre("envelope:no_pose"));
  EXPECT_NEAR(unsure.values[0], 0.4, 1e-12) << "braking by 2 m/s2";
  EXPECT_NEAR(unsure.values[1], 0.08, 1e-12);
  situation_.motion->pose_sigma_m = 0.02;
  EXPECT_THAT(Run(0.5, 0.1).reasons, IsEmpty());
}

TEST_F(GroundEnforceTest, WithoutAPoseOnlyTheCurveThatWasCheckedIsOpen) {
  Compile([](P& p) { SetBox(*p.mutable_footprint(), 0.5, -0.3, 0.3); });
  situation_.motion.reset();
  last_ = {0.4, 0.2};
  EXPECT_THAT(Run(0.1, 0.2).values, ElementsAre(0.1, 0.05)) << "slower, but on it";
  EXPECT_THAT(Run(0.4, -0.2).values, ElementsAre(0.0, 0.0)) << "another curve";
  last_ = {0, 0.5};
  const Enforcement turning = Run(0.1, 0.5);
  EXPECT_EQ(turning.values[0], 0) << "nothing starts";
  EXPECT_NEAR(turning.values[1], 0.5 - 6.0 * 0.05, 1e-12) << "a turn ends as hard as it can";
}

TEST_F(GroundEnforceTest, ATruckBesideAWallMayNotTurnIntoIt) {
  Compile([](P& p) { SetBox(*p.mutable_footprint(), 0.9, -0.3, 0.3); });
  situation_.motion->pose = {5, 0.36, 0};
  situation_.motion->vx_mps = 0;
  last_ = {0, -0.3};
  const Enforcement result = Run(0, -0.5);
  EXPECT_LT(result.values[1], 0) << "a little is free";
  EXPECT_GT(result.values[1], -0.5);
  EXPECT_THAT(result.reasons, Contains("envelope:hall"));
  EXPECT_TRUE(result.clamped);
}

// --- any shape

using Corners = google::protobuf::RepeatedPtrField<v1::Point>;

Corners Circular(int corners) {
  Corners polygon;
  for (int i = 0; i < corners; ++i) {
    v1::Point& point = *polygon.Add();
    point.set_x(std::cos(i * 6.28 / corners));
    point.set_y(std::sin(i * 6.28 / corners));
  }
  return polygon;
}

TEST(ShapeTest, HasAsManyCornersAsItMay) {
  EXPECT_OK(CompileShape("ground", Circular(256), nullptr).status());
  EXPECT_THAT(CompileShape("ground", Circular(257), nullptr).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must have at most 256 corners, has 257")));
}

TEST(ShapeTest, HasFiniteCorners) {
  for (const double outside : {kNan, kInfinity, -kInfinity}) {
    for (const auto edit : {&v1::Point::set_x, &v1::Point::set_y}) {
      Corners polygon = Circular(4);
      (polygon[3].*edit)(outside);
      EXPECT_THAT(CompileShape("ground", polygon, nullptr).status(),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           HasSubstr("[ground.polygon_m] must be finite")));
    }
  }
}

}  // namespace
}  // namespace agent::runtime
