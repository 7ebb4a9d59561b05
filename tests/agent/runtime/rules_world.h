#pragma once

#include <string>

#include "agent/runtime/fallback.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

// Fallback rules for tests: those of the demo robot, and richer ones in which every kind of state,
// trigger and clear rule occurs.

namespace tests {

using Rules = v1::FallbackRules;

inline v1::FallbackState& State(Rules& rules, const std::string& name) {
  return (*rules.mutable_states())[name];
}

inline v1::Trigger& Rule(Rules& rules, const std::string& id) {
  for (v1::Trigger& trigger : *rules.mutable_triggers()) {
    if (trigger.id() == id) return trigger;
  }
  v1::Trigger& added = *rules.add_triggers();
  added.set_id(id);
  return added;
}

// The nav policy with a dock to the right of (10, 4.5), where speed is limited, and a model that
// says how sure it is.
inline v1::ControlPolicy RichPolicyDocument() {
  v1::ControlPolicy policy = NavPolicyDocument();
  policy.clear_requirements();
  v1::EnvelopeZone& dock = *policy.add_envelope();
  dock.set_id("dock");
  dock.set_kind("speed");
  dock.set_frame("map");
  dock.mutable_circle_m()->mutable_c()->set_x(10);
  dock.mutable_circle_m()->mutable_c()->set_y(2);
  dock.mutable_circle_m()->set_r(1);
  dock.set_vx_max_mps(0.25);
  v1::Confidence& confidence = *policy.mutable_output()->mutable_confidence();
  confidence.set_enter_below(0.3);
  confidence.set_leave_above(0.5);
  confidence.set_leave_hold_ms(500);
  confidence.set_trigger("low_confidence");
  return policy;
}

// The nav rules; a network that is away for 2 s stops the robot, unless it is at the dock, for 5 s
// more; doubt may clear twice an hour.
inline Rules RichFallbackDocument() {
  Rules rules = NavFallbackDocument();
  for (int i = rules.triggers_size(); i-- > 0;) {
    const bool requirement = rules.triggers(i).id() == "requirement_violated";
    if (requirement) rules.mutable_triggers()->DeleteSubrange(i, 1);
  }
  rules.set_mrc_within_ms(4500);
  State(rules, "DEGRADED").set_max_dwell_s(40);
  State(rules, "DEGRADED").set_else_("CONTROLLED_STOP");
  v1::Trigger& network = Rule(rules, "network_down");
  network.set_to("CONTROLLED_STOP");
  network.set_after_ms(2000);
  network.set_detect_ms(100);
  network.mutable_defer()->set_max_s(5);
  network.mutable_defer()->add_in_zone("dock");
  v1::Trigger& doubt = Rule(rules, "low_confidence");
  doubt.set_layer("model");
  doubt.set_to("DEGRADED");
  doubt.mutable_clear()->set_quiet_ms(1000);
  doubt.mutable_clear()->set_max_per_hour(2);
  doubt.mutable_clear()->set_else_("PREVIOUS_MODEL");
  return rules;
}

// The rich rules for an arm, which has no envelope and drives after no gap.
inline v1::ControlPolicy ArmPolicyDocument() {
  v1::ControlPolicy policy = RichPolicyDocument();
  MakeArm(policy, {"shoulder", "elbow"});
  return policy;
}

inline Rules ArmFallbackDocument() {
  Rules rules = RichFallbackDocument();
  rules.mutable_states()->erase("SIMPLE_CONTROLLER");
  State(rules, "PREVIOUS_MODEL").set_else_("CONTROLLED_STOP");
  Rule(rules, "network_down").clear_defer();
  StopAsJointsDo(rules);
  for (int i = 0; i < rules.triggers_size(); ++i) {
    if (rules.triggers(i).id() == "envelope_breach") rules.mutable_triggers()->DeleteSubrange(i, 1);
  }
  return rules;
}

inline agent::runtime::Fallback NavRules() {
  auto rules =
      agent::runtime::Fallback::Compile(NavFallbackDocument(), Compiled(NavPolicyDocument()));
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

inline agent::runtime::Fallback RichRules() {
  auto rules =
      agent::runtime::Fallback::Compile(RichFallbackDocument(), Compiled(RichPolicyDocument()));
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

}  // namespace tests
