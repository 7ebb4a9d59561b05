#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/runtime/arm_motion.h"
#include "agent/runtime/enforce.h"
#include "agent/runtime/tool_path.h"
#include "agent/runtime/tool_point.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"

// An arm of two links in a plane, tick by tick.

namespace agent::runtime {

namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

inline P TwoLinks() {
  P policy = tests::NavPolicyDocument();
  tests::MakeArm(policy, {"j1", "j2"});
  return policy;
}

inline void SetJoints(P& policy, const std::function<void(v1::JointLimit&)>& edit) {
  for (const char* name : {"j1", "j2"}) edit((*policy.mutable_joints())[name]);
}

inline v1::EnvelopeZone& AddBox(P& policy, const std::string& kind, Vec2 low, Vec2 high,
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
                       .acc_s = kPeriodS,
                       .dec_s = kPeriodS,
                       .motion = {},
                       .joints_rad = {}};
};

}  // namespace agent::runtime
