#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <optional>
#include <random>

#include "agent/runtime/arm_contact.h"
#include "agent/runtime/arm_motion.h"
#include "agent/runtime/enforce.h"
#include "agent/runtime/tool_path.h"
#include "agent/runtime/tool_point.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

// What an arm may be commanded: its joints, its tool point, its zones and its contacts.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kPeriod = 0.05;

double In(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
}

P TwoLinks() {
  P policy = tests::NavPolicyDocument();
  tests::MakeArm(policy, {"j1", "j2"});
  return policy;
}

void SetJoints(P& policy, const std::function<void(v1::JointLimit&)>& edit) {
  for (const char* name : {"j1", "j2"}) edit((*policy.mutable_joints())[name]);
}

v1::EnvelopeZone& AddBox(P& policy, const std::string& kind, Vec2 low, Vec2 high,
                         std::pair<double, double> heights) {
  v1::EnvelopeZone& zone = *policy.add_envelope();
  zone.set_id(kind + std::to_string(policy.envelope_size()));
  zone.set_kind(kind);
  zone.set_frame("map");
  for (const auto& [x, y] :
       {std::pair{low.x, low.y}, {high.x, low.y}, {high.x, high.y}, {low.x, high.y}}) {
    v1::Point& point = *zone.add_polygon_m();
    point.set_x(x);
    point.set_y(y);
  }
  zone.add_z_m(heights.first);
  zone.add_z_m(heights.second);
  zone.set_margin_m(0.03);
  if (kind != "speed") zone.set_trigger("envelope_breach");
  return zone;
}

class ArmTest : public testing::Test {
 protected:
  ArmTest() {
    Compile([](P&) {});
  }
  void Compile(const std::function<void(P&)>& edit) {
    P document = TwoLinks();
    edit(document);
    auto policy = Policy::Compile(document);
    ASSERT_TRUE(policy.ok()) << policy.status();
    policy_.emplace(*std::move(policy));
    motion_.Start(policy_->joints().size(), {});
  }
  Enforcement Run(const std::vector<double>& wanted) {
    Enforcement result;
    situation_.last = last_;
    situation_.last_raw = last_raw_;
    situation_.joints_rad = measured_;
    situation_.joints_radps = motion_.speeds_radps();
    situation_.joints_radps2 = motion_.accelerations_radps2();
    Enforce(*policy_, Separation(*policy_), wanted, situation_, result);
    return result;
  }
  // The same, and driven.
  Enforcement Drive(const std::vector<double>& wanted) {
    Enforcement result = Run(wanted);
    Drive(result);
    return result;
  }
  void Drive(const Enforcement& result) {
    before_ = motion_;
    motion_.Follow(last_, result.values, situation_.acc_s);
    last_ = result.values;
  }
  void Brake() {
    std::vector<double> values;
    BrakeAlong(*policy_, last_,
               {.seconds = situation_.acc_s, .joints_radps = motion_.speeds_radps()}, values);
    const std::vector<double> last = last_;
    before_ = motion_;
    motion_.Follow(last, values, situation_.acc_s);
    last_ = values;
  }

  std::optional<Policy> policy_;
  ArmMotion motion_;
  ArmMotion before_;
  std::vector<double> last_ = {0, 0.5};
  std::vector<double> last_raw_;
  std::vector<double> measured_ = {0.5, 0.5};
  Situation situation_{.last = {},
                       .last_raw = {},
                       .acc_s = kPeriod,
                       .dec_s = kPeriod,
                       .motion = {},
                       .joints_rad = {}};
};

TEST_F(ArmTest, LeavesASoundTargetAlone) {
  const Enforcement result = Run({0.04, 0.48});
  EXPECT_THAT(result.values, ElementsAre(DoubleNear(0.04, 1e-12), DoubleNear(0.48, 1e-12)));
  EXPECT_THAT(result.reasons, IsEmpty());
  EXPECT_FALSE(result.clamped);
}

TEST_F(ArmTest, HoldsSpeedAndPosition) {
  const Enforcement fast = Run({0.06, 0.5});
  EXPECT_THAT(fast.values, ElementsAre(DoubleNear(0.05, 1e-12), 0.5));
  EXPECT_THAT(fast.reasons, ElementsAre("joint_velocity"));
  EXPECT_FALSE(fast.clamped) << "nobody knows what it said before";
  const Enforcement far = Run({0.0, 2.01});
  EXPECT_THAT(far.reasons, Contains("joint_position"));
  EXPECT_TRUE(far.clamped);
}

TEST_F(ArmTest, BlamesTheModelForItsOwnStepOnly) {
  last_raw_ = {1.0, 0.5};
  EXPECT_FALSE(Run({1.0, 0.5}).clamped) << "the arm is on its way";
  last_raw_ = {0.0, 0.5};
  EXPECT_TRUE(Run({1.0, 0.5}).clamped);
}

TEST_F(ArmTest, GathersSpeedAndBrakesNoFasterThanItMay) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  const Enforcement first = Drive({0.5, 0.5});
  EXPECT_NEAR(first.values[0], 4 * kPeriod * kPeriod, 1e-12);
  EXPECT_THAT(first.reasons, ElementsAre("joint_acceleration"));
  EXPECT_FALSE(first.clamped);
  for (int i = 0; i < 3; ++i) Drive({0.5, 0.5});
  EXPECT_NEAR(motion_.speeds_radps()[0], 0.8, 1e-9);
  // Told to stand at once, it sheds 4 rad/s2 a tick.
  Drive(Run(last_));
  EXPECT_NEAR(motion_.speeds_radps()[0], 0.6, 1e-9);
}

TEST_F(ArmTest, SettlesOnATargetThatStands) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  double farthest = 0;
  for (int i = 0; i < 60; ++i) farthest = std::max(farthest, Drive({0.9, -0.5}).values[0]);
  EXPECT_NEAR(last_[0], 0.9, 1e-9);
  EXPECT_NEAR(last_[1], -0.5, 1e-9);
  EXPECT_TRUE(motion_.stands());
  EXPECT_LE(farthest, 0.9 + 4 * kPeriod * kPeriod) << "beyond it by one tick's shedding at most";
}

TEST_F(ArmTest, FollowsATargetThatMovesAtItsSpeed) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  double target = 0.02;  // beyond what it can do in its first tick
  for (int i = 0; i < 20; ++i, target += 0.8 * kPeriod) {
    Drive({target, 0.5});
    last_raw_ = {target, 0.5};
  }
  EXPECT_NEAR(motion_.speeds_radps()[0], 0.8, 1e-6);
  EXPECT_NEAR(last_[0], target - 0.8 * kPeriod, 1e-6) << "without a lag";
}

TEST_F(ArmTest, HoldsTheJerkOfGatheringSpeedAndNotOfBraking) {
  Compile([](P& p) {
    SetJoints(p, [](v1::JointLimit& j) {
      j.set_qdd_abs_max_radps2(4);
      j.set_qddd_abs_max_radps3(20);
    });
  });
  Drive({1.5, 0.5});
  EXPECT_NEAR(motion_.accelerations_radps2()[0], 1, 1e-9);
  Drive({1.5, 0.5});
  EXPECT_NEAR(motion_.accelerations_radps2()[0], 2, 1e-9);
  for (int i = 0; i < 4; ++i) Drive({1.5, 0.5});
  const double before = motion_.speeds_radps()[0];
  Drive(Run(last_));
  EXPECT_NEAR(motion_.speeds_radps()[0], before - 0.2, 1e-9) << "all of its braking at once";
}

TEST_F(ArmTest, StopsBeforeTheEndOfItsRange) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(2); }); });
  last_ = {1.5, 0.5};
  bool held = false;
  for (int i = 0; i < 100; ++i) {
    const double ahead = last_[0] + 0.05;  // a model that looks at the next tick only
    const Enforcement result = Drive({std::min(ahead, 2.0), 0.5});
    ASSERT_LE(last_[0], 2.0);
    ASSERT_GE(motion_.accelerations_radps2()[0], -2 - 1e-6);
    for (std::string_view reason : result.reasons) held = held || reason == "joint_position";
  }
  EXPECT_TRUE(held);
  EXPECT_GT(last_[0], 1.99);
}

TEST_F(ArmTest, DegradedTransitionAndDeratingScaleSpeeds) {
  situation_.degraded = true;
  const Enforcement degraded = Run({1.0, 0.5});
  EXPECT_NEAR(degraded.values[0], 0.025, 1e-12);
  EXPECT_THAT(degraded.reasons, ElementsAre("degraded"));
  situation_.degraded = false;
  situation_.transition = true;
  last_raw_ = {0, 0.5};
  const Enforcement transition = Run({1.0, 0.5});
  EXPECT_THAT(transition.reasons, ElementsAre("transition"));
  EXPECT_FALSE(transition.clamped) << "not the model's doing";
  situation_.derate = 0.2;
  situation_.derate_reason = "derate:x";
  const Enforcement derated = Run({1.0, 0.5});
  EXPECT_NEAR(derated.values[0], 0.005, 1e-12);
  EXPECT_THAT(derated.reasons, ElementsAre("derate:x"));
}

TEST_F(ArmTest, StartsFromWhatIsMeasured) {
  last_.clear();
  EXPECT_THAT(Run({1.0, 0.0}).values,
              ElementsAre(DoubleNear(0.55, 1e-12), DoubleNear(0.45, 1e-12)));
}

TEST_F(ArmTest, CommandsNothingWhenNobodyKnowsWhereItIs) {
  last_.clear();
  measured_.clear();
  const Enforcement result = Run({1.0, 0.0});
  EXPECT_THAT(result.values, IsEmpty());
  EXPECT_THAT(result.reasons, ElementsAre("joints:unknown"));
  measured_ = {kNan, 0.5};
  EXPECT_THAT(Run({1.0, 0.0}).values, IsEmpty());
}

TEST_F(ArmTest, WhatIsNotFiniteBrakes) {
  EXPECT_THAT(Run({kNan, 0.0}).values, ElementsAre(0, 0.5)) << "at rest it stays";
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  for (int i = 0; i < 3; ++i) Drive({0.5, 0.5});
  const double before = motion_.speeds_radps()[0];
  Drive(Run({kNan, 0.0}));
  EXPECT_NEAR(motion_.speeds_radps()[0], before - 0.2, 1e-9);
}

TEST_F(ArmTest, NoTimeMovesNothing) {
  situation_.acc_s = 0;
  EXPECT_THAT(Run({0.04, 0.5}).values, ElementsAre(0, 0.5));
}

TEST_F(ArmTest, AStopShedsEveryJointsSpeedAsFastAsItMay) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  for (int i = 0; i < 8; ++i) Drive({1.0, -1.0});
  int ticks = 0;
  while (!motion_.stands()) {
    Brake();
    ASSERT_GE(motion_.accelerations_radps2()[0], -4 - 1e-9);
    ASSERT_LE(motion_.accelerations_radps2()[1], 4 + 1e-9);
    ASSERT_LT(++ticks, 20);
  }
  EXPECT_EQ(ticks, 5) << "1 rad/s";
}

// --- the tool point

TEST_F(ArmTest, TheToolIsNeverFasterThanItMay) {
  Compile([](P& p) { p.mutable_arm()->set_tcp_v_max_mps(0.25); });
  last_raw_ = {0.0, 0.5};
  const Enforcement result = Run({0.05, 0.55});
  EXPECT_THAT(result.reasons, ElementsAre("tool_speed"));
  EXPECT_TRUE(result.clamped) << "its own step was too fast";
  const auto& chain = policy_->arm().chain;
  EXPECT_NEAR(Distance(ToolPoint(chain, last_), ToolPoint(chain, result.values)), 0.25 * kPeriod,
              1e-4);
  EXPECT_NEAR(result.values[0] / (result.values[1] - 0.5), 1, 1e-9) << "on the same way";
  last_raw_ = {0.05, 0.55};
  EXPECT_FALSE(Run({0.05, 0.55}).clamped) << "it only waits for the arm";
  situation_.degraded = true;
  const Enforcement degraded = Run({0.01, 0.5});
  EXPECT_THAT(degraded.reasons, IsEmpty()) << "half the speed is 6.25 mm a tick";
  EXPECT_THAT(Run({0.025, 0.525}).reasons, ElementsAre("degraded"));
}

TEST_F(ArmTest, TheToolStopsBeforeAnEdge) {
  // Reaches 0.6 m; the cell ends at x = 0.5 m.
  Compile([](P& p) {
    SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); });
    p.mutable_arm()->set_tcp_v_max_mps(0.5);
    AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5});
  });
  last_ = {0, 1.6};
  bool blocked = false;
  for (int i = 0; i < 100; ++i) {
    const Enforcement result = Drive({0, last_[1] - 0.04});
    ASSERT_LE(ToolPoint(policy_->arm().chain, last_).x, 0.5 - 0.03 + 1e-9);
    for (std::string_view reason : result.reasons) {
      blocked = blocked || reason == "envelope:inclusion1";
    }
  }
  EXPECT_TRUE(blocked);
  EXPECT_GT(ToolPoint(policy_->arm().chain, last_).x, 0.46);
  EXPECT_TRUE(Run({0, last_[1] - 0.04}).clamped);
  EXPECT_THAT(Drive({0, last_[1] + 0.005}).reasons, IsEmpty()) << "and back";
}

TEST_F(ArmTest, NearerThanTheMarginOnlyWaysThatLeadNoNearerAreOpen) {
  Compile([](P& p) { AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5}); });
  last_ = {0, std::acos(0.19 / 0.3)};  // x = 0.49, a centimetre before the edge
  EXPECT_THAT(Run({0, last_[1] - 0.01}).values, ElementsAre(0, DoubleNear(last_[1], 1e-6)));
  EXPECT_THAT(Run({0, last_[1] + 0.01}).reasons, IsEmpty());
}

TEST_F(ArmTest, ZonesHoldForTheirHeightsOnly) {
  for (const auto& [heights, blocked] : {std::pair{std::pair{-0.2, 0.2}, true},
                                         {std::pair{0.1, 0.5}, false},
                                         {std::pair{-0.5, -0.1}, false}}) {
    Compile([&](P& p) { AddBox(p, "exclusion", {0.5, -1}, {1, 1}, heights); });
    last_ = {0, 1.0};
    for (int i = 0; i < 40; ++i) Drive({0, std::max(0.0, last_[1] - 0.04)});
    EXPECT_EQ(ToolPoint(policy_->arm().chain, last_).x < 0.5, blocked) << heights.first;
  }
}

TEST_F(ArmTest, ASpeedZoneIsEnteredAtItsSpeed) {
  Compile([](P& p) {
    SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(2); });
    p.mutable_arm()->set_tcp_v_max_mps(0.5);
    AddBox(p, "speed", {0.55, -1}, {1, 1}, {-0.5, 0.5}).set_vx_max_mps(0.1);
  });
  last_ = {0, 1.8};
  double fastest_outside = 0;
  for (int i = 0; i < 200; ++i) {
    const Vec3 before = ToolPoint(policy_->arm().chain, last_);
    const std::vector<double> wanted = {0, std::max(0.0, last_[1] - 0.05)};
    Drive(wanted);
    last_raw_ = wanted;
    const Vec3 after = ToolPoint(policy_->arm().chain, last_);
    const double speed = Distance(before, after) / kPeriod;
    if (after.x > 0.55 - 0.03) {
      ASSERT_LE(speed, 0.1 + 1e-6) << i;
    } else {
      fastest_outside = std::max(fastest_outside, speed);
    }
  }
  EXPECT_GT(fastest_outside, 0.2);
  EXPECT_GT(ToolPoint(policy_->arm().chain, last_).x, 0.59);
}

TEST_F(ArmTest, RoomIsTheDistanceToTheZonesWallsFloorAndCeiling) {
  Compile([](P& p) {
    AddBox(p, "inclusion", {-1, -1}, {1, 1}, {0, 2});
    AddBox(p, "exclusion", {0.2, 0.2}, {0.4, 0.4}, {0.5, 1});
  });
  const MapZone& cell = policy_->envelope()[0];
  const MapZone& post = policy_->envelope()[1];
  EXPECT_NEAR(ToolRoomM(cell, {0, 0, 0.3}), 0.3, 1e-12) << "the floor";
  EXPECT_NEAR(ToolRoomM(cell, {0, 0, 1.9}), 0.1, 1e-12) << "the ceiling";
  EXPECT_NEAR(ToolRoomM(cell, {0.9, 0, 1}), 0.1, 1e-12) << "a wall";
  EXPECT_NEAR(ToolRoomM(cell, {0, 0, -0.2}), -0.2, 1e-12);
  EXPECT_NEAR(ToolRoomM(cell, {1.3, 0, 2.4}), -0.5, 1e-12) << "beyond wall and ceiling";
  EXPECT_NEAR(ToolRoomM(post, {0.3, 0.3, 1.2}), 0.2, 1e-12) << "above the post";
  EXPECT_NEAR(ToolRoomM(post, {0.3, 0.3, 0.9}), -0.1, 1e-12) << "in it";
  EXPECT_NEAR(ToolRoomM(post, {0.7, 0.3, 1.4}), 0.5, 1e-12);
  const std::vector<double> straight = {0, 0};
  EXPECT_NEAR(ToolClearanceM(*policy_, straight), 0, 1e-12) << "on the floor";
}

TEST_F(ArmTest, AToolOverAnEdgeIsABreach) {
  Compile([](P& p) { AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5}); });
  std::vector<std::string_view> reasons;
  EXPECT_EQ(ToolBreaches(*policy_, std::vector<double>{0, 1.3}, reasons), 0U);
  EXPECT_NE(ToolBreaches(*policy_, std::vector<double>{0, 0.5}, reasons), 0U);
  EXPECT_THAT(reasons, ElementsAre("outside:inclusion1"));
  EXPECT_LT(ToolClearanceM(*policy_, std::vector<double>{0, 0.5}), 0);
  Compile([](P&) {});
  EXPECT_TRUE(std::isnan(ToolClearanceM(*policy_, std::vector<double>{0, 0})));
}

// --- contact

class ContactTest : public ArmTest {
 protected:
  ContactTest() {
    Compile([](P& p) {
      (*p.mutable_joints())["j2"].set_tau_abs_max_nm(20);
      p.mutable_arm()->set_contact_trigger("contact");
    });
  }
  TriggerMask Feel(std::initializer_list<double> torques) {
    v1::JointState joints;
    for (double tau : torques) joints.add_tau_nm(tau);
    reasons_.clear();
    return Contacts(*policy_, joints, reasons_);
  }
  std::vector<std::string_view> reasons_;
};

TEST_F(ContactTest, IsATorqueBeyondTheLimit) {
  EXPECT_EQ(Feel({900, 20}), 0U) << "j1 has no limit";
  EXPECT_EQ(Feel({0, -20}), 0U);
  EXPECT_EQ(Feel({0, 20.01}), MaskOf(*policy_->arm().contact_trigger));
  EXPECT_THAT(reasons_, ElementsAre("contact:j2"));
  EXPECT_NE(Feel({0, -20.01}), 0U);
  EXPECT_NE(Feel({0, kNan}), 0U);
}

TEST_F(ContactTest, AMeasurementWithoutTorquesIsAFaultOfTheInput) {
  EXPECT_EQ(Feel({}), MaskOf(policy_->FindInput("joints")->trigger));
  EXPECT_THAT(reasons_, ElementsAre("input:joints:no_torque"));
  EXPECT_EQ(Feel({1}), MaskOf(policy_->FindInput("joints")->trigger));
  Compile([](P&) {});
  EXPECT_EQ(Feel({}), 0U) << "nobody limits them";
}

// --- properties over random drives

class ArmPropertyTest : public ArmTest {
 protected:
  ArmPropertyTest() {
    Compile([](P& p) {
      SetJoints(p, [](v1::JointLimit& j) {
        j.set_qdd_abs_max_radps2(5);
        j.set_qddd_abs_max_radps3(80);
      });
      p.mutable_arm()->set_tcp_v_max_mps(0.3);
      AddBox(p, "inclusion", {-0.2, -0.55}, {0.55, 0.55}, {-1, 1});
      AddBox(p, "exclusion", {0.1, 0.3}, {0.3, 0.6}, {-1, 1});
    });
  }
  bool Inside(const std::vector<double>& q) const { return ToolClearanceM(*policy_, q) > 0.035; }
};

TEST_F(ArmPropertyTest, EveryLimitHoldsOnEveryTickOfAnyDrive) {
  std::mt19937_64 random(5);
  int ticks = 0;
  while (ticks < 100'000) {
    last_ = {In(random, -1, 2), In(random, -1, 2)};
    if (!Inside(last_)) continue;
    motion_.Start(2, {});
    std::vector<double> goal = last_;
    for (int tick = 0; tick < 100; ++tick, ++ticks) {
      if (random() % 20 == 0) goal = {In(random, -3, 3), In(random, -3, 3)};
      std::vector<double> wanted = {goal[0] + In(random, -0.02, 0.02),
                                    goal[1] + In(random, -0.02, 0.02)};
      if (random() % 50 == 0) wanted[random() % 2] = std::bit_cast<double>(random());
      const std::vector<double> from = last_;
      if (random() % 40 == 0) {
        Brake();
      } else {
        Drive(wanted);
      }
      // Along the whole step, with a finer look than the filter's own.
      double way = 0;
      std::vector<double> at = from;
      for (int k = 1; k <= 10; ++k) {
        const std::vector<double> next = {from[0] + (last_[0] - from[0]) * k / 10,
                                          from[1] + (last_[1] - from[1]) * k / 10};
        way += Distance(ToolPoint(policy_->arm().chain, at), ToolPoint(policy_->arm().chain, next));
        at = next;
        ASSERT_GT(ToolClearanceM(*policy_, at), 0.02) << ticks;
      }
      ASSERT_LE(way, 0.3 * kPeriod * 1.001) << ticks;
      for (size_t i = 0; i < 2; ++i) {
        const double speed = motion_.speeds_radps()[i];
        const double before = before_.speeds_radps()[i];
        ASSERT_GE(last_[i], -1 - 1e-9);
        ASSERT_LE(last_[i], 2 + 1e-9);
        ASSERT_LE(std::abs(speed), 1 + 1e-9);
        ASSERT_LE(std::abs(speed - before), 5 * kPeriod + 1e-9) << ticks;
        if (std::abs(speed) > std::abs(before) && speed * before > 0) {
          const double gained = std::copysign(1.0, speed) * motion_.accelerations_radps2()[i];
          const double had = std::copysign(1.0, speed) * before_.accelerations_radps2()[i];
          ASSERT_LE(gained, std::max(0.0, had) + 80 * kPeriod + 1e-6);
        }
      }
    }
  }
}

// --- what is refused at compile

struct Defect {
  const char* path;
  void (*seed)(P&);
};

void PrintTo(const Defect& defect, std::ostream* out) { *out << defect.path; }

class BadArmRuleTest : public testing::TestWithParam<Defect> {};

TEST_P(BadArmRuleTest, IsRefusedByThePathOfTheDefect) {
  P policy = TwoLinks();
  GetParam().seed(policy);
  EXPECT_THAT(Policy::Compile(policy).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + GetParam().path + "] ")));
}

v1::JointLimit& J1(P& p) { return (*p.mutable_joints())["j1"]; }

INSTANTIATE_TEST_SUITE_P(
    Arm, BadArmRuleTest,
    testing::Values(
        Defect{"joints.j1.qdd_abs_max_radps2", [](P& p) { J1(p).set_qdd_abs_max_radps2(0); }},
        Defect{"joints.j1.qddd_abs_max_radps3", [](P& p) { J1(p).set_qddd_abs_max_radps3(0); }},
        Defect{"joints.j1.tau_abs_max_nm", [](P& p) { J1(p).set_tau_abs_max_nm(-1); }},
        Defect{"arm.chain", [](P& p) { p.clear_arm(); }},
        Defect{"arm.chain", [](P& p) { p.mutable_arm()->add_chain(); }},
        Defect{"arm.chain",
               [](P& p) {
                 for (int i = 0; i < 2; ++i) p.mutable_arm()->mutable_chain(i)->set_a_m(0);
               }},
        Defect{"arm.chain[1]", [](P& p) { p.mutable_arm()->mutable_chain(1)->set_a_m(kNan); }},
        Defect{"arm.chain[1]",
               [](P& p) { p.mutable_arm()->mutable_chain(1)->set_alpha_rad(kNan); }},
        Defect{"arm.chain[0]", [](P& p) { p.mutable_arm()->mutable_chain(0)->set_d_m(kNan); }},
        Defect{"arm.chain[0]",
               [](P& p) { p.mutable_arm()->mutable_chain(0)->set_theta_offset_rad(kNan); }},
        Defect{"arm.tcp_v_max_mps", [](P& p) { p.mutable_arm()->set_tcp_v_max_mps(0); }},
        Defect{"arm.degraded_scale", [](P& p) { p.mutable_arm()->set_degraded_scale(0); }},
        Defect{"arm.degraded_scale", [](P& p) { p.mutable_arm()->set_degraded_scale(1.01); }},
        Defect{"arm.transition_for_ms", [](P& p) { p.mutable_arm()->set_transition_for_ms(0); }},
        Defect{"arm.contact_trigger", [](P& p) { J1(p).set_tau_abs_max_nm(10); }},
        Defect{"arm.contact_trigger",
               [](P& p) { p.mutable_arm()->set_contact_trigger("contact"); }},
        Defect{"footprint", [](P& p) { p.mutable_footprint()->mutable_circle_m()->set_r(0.2); }},
        Defect{"envelope[0].pose_sigmas",
               [](P& p) {
                 p.mutable_arm()->set_tcp_v_max_mps(1);
                 AddBox(p, "inclusion", {-1, -1}, {1, 1}, {0, 1}).set_pose_sigmas(2);
               }},
        Defect{"envelope[0].margin_m", [](P& p) {
                 p.mutable_arm()->set_tcp_v_max_mps(1.5);  // 7.5 cm a tick
                 AddBox(p, "inclusion", {-1, -1}, {1, 1}, {0, 1}).set_margin_m(0.037);
               }}));

TEST(ArmRuleTest, BelongsToArmsOnly) {
  P policy = tests::NavPolicyDocument();
  policy.mutable_arm()->set_tcp_v_max_mps(1);
  EXPECT_THAT(Policy::Compile(policy).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[arm] ")));
}

TEST(ArmRuleTest, ALongStopIsLookedAtInStrides) {
  P policy = TwoLinks();
  EXPECT_EQ(TicksALook(*Policy::Compile(policy)), 1);
  J1(policy).set_qdd_abs_max_radps2(0.15);  // 133 ticks from 1 rad/s
  EXPECT_EQ(TicksALook(*Policy::Compile(policy)), 3);
}

}  // namespace
}  // namespace agent::runtime
