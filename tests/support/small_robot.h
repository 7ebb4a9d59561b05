#pragma once

#include <cstdlib>
#include <map>
#include <string>

namespace tests {

// The documents of a small robot that drives by odometry at 20 Hz, no faster than 1 m/s and 1
// rad/s, and falls back to the unit before: for tests that need rules and not these very numbers.
struct SmallRobot {
  std::string card = R"(schema: model_card/1
description: drives by what the odometry says
inputs:
  - {tensor: features, channel: odom, fields: [vx_mps, wz_radps]}
outputs:
  - {tensor: command, index: 0, field: vx_mps}
  - {tensor: command, index: 1, field: wz_radps}
)";

  std::string policy = R"(schema: control_policy/1
id: small-robot
version: 1
robot_class: diff_drive
units: SI
frames: {body: base_link, odom: odom, site: map}
command: {type: twist2d, rate_hz: 20, fields: [vx_mps, wz_radps]}
inputs:
  odom: {required: true, trigger: input_stale, max_age_ms: 300, max_future_ms: 50, stuck_after_ms: 1000}
deadline: {hard_ms: 30, max_consecutive: 5, window: {n: 100, max: 20}, trigger: deadline_miss}
output: {nonfinite: reject, trigger: nonfinite}
footprint: {circle_m: {c: [0, 0], r: 0.25}}
limits:
  nominal:
    speed_points_mps: [0.0]
    vx_max_mps: 1.0
    vx_min_mps: -0.2
    wz_abs_max_radps: [1.0]
    acc_max_mps2: [1.0]
    dec_max_mps2: [1.0]
    wz_acc_max_radps2: 4.0
    jerk_max_mps3: [50.0]
    cmd_vs_measured_mps: 0.75
  transition: {for_ms: 500, vx_max_mps: 0.5, acc_max_mps2: [0.5]}
  degraded: {vx_max_mps: 0.3, wz_abs_max_radps: [0.5]}
  clamp_budget: {window_s: 1, max_fraction: 0.5, trigger: policy_saturated}
)";

  std::string fallback = R"(schema: fallback_rules/1
mrc_within_ms: 4000
states:
  NOMINAL: {rank: 0, controller: model}
  DEGRADED: {rank: 1, controller: model, limits: degraded}
  PREVIOUS_MODEL: {rank: 2, controller: 'unit:previous', limits: degraded, max_dwell_s: 30, else: CONTROLLED_STOP}
  CONTROLLED_STOP: {rank: 3, controller: stop, dec_mps2: 0.8, complete_within_ms: 2500, then: SAFE_STOPPED}
  SAFE_STOPPED: {rank: 4, controller: hold, minimal_risk_condition: true}
  EMERGENCY_STOP: {rank: 5, controller: stop, dec_mps2: 2.0, complete_within_ms: 1500, then: ESTOP_LATCHED}
  ESTOP_LATCHED: {rank: 6, controller: hold, minimal_risk_condition: true, latch: persistent}
triggers:
  - {id: input_stale, layer: firmware, to: CONTROLLED_STOP, detect_ms: 1050, clear: {quiet_ms: 200}}
  - {id: deadline_miss, layer: model, to: PREVIOUS_MODEL, clear: {quiet_ms: 500}}
  - {id: nonfinite, layer: model, to: PREVIOUS_MODEL, clear: {quiet_ms: 500}}
  - {id: policy_saturated, layer: model, to: PREVIOUS_MODEL, clear: {quiet_ms: 500}}
  - {id: model_failed, layer: model, to: PREVIOUS_MODEL, clear: {quiet_ms: 500}}
  - {id: network_down, layer: firmware, to: DEGRADED, after_ms: 5000, clear: {quiet_ms: 500}}
  - {id: estop_button, layer: circuit, to: EMERGENCY_STOP, detect_ms: 50, clear: {rearm: true}}
flap: {window_s: 60, max_transitions: 4, to: SAFE_STOPPED}
rearm:
  standstill_ms: 500
  approvals: [local_operator, safety_officer]
  ttl_s: 600
  probation: {for_s: 1, to: SAFE_STOPPED}
)";
};

// The same with each of `edits` (what stands there -> what stands there instead) made once in every
// document where it stands. One that stands nowhere is broken set-up.
inline SmallRobot SmallRobotWith(const std::map<std::string, std::string>& edits) {
  SmallRobot robot;
  for (const auto& [from, to] : edits) {
    bool made = false;
    for (std::string* document : {&robot.card, &robot.policy, &robot.fallback}) {
      const size_t at = document->find(from);
      if (at == std::string::npos) continue;
      document->replace(at, from.size(), to);
      made = true;
    }
    if (!made) std::abort();
  }
  return robot;
}

}  // namespace tests
