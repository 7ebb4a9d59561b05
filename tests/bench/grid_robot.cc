#include "tests/bench/grid_robot.h"

#include "agent/trust/manifest.h"
#include "tests/bench/measure.h"

namespace bench {
namespace {

namespace v1 = gatekeeper::v1;

constexpr char kCard[] = R"(schema: model_card/1
description: drives straight on, whatever the grid shows
inputs:
  - {tensor: features, channel: image, image: {width: 8, height: 8, color: mono}, scale: 0.0039}
outputs:
  - {tensor: command, index: 0, field: vx_mps}
  - {tensor: command, index: 1, field: wz_radps}
)";

constexpr char kPolicy[] = R"(schema: control_policy/1
id: grid
version: 1
robot_class: diff_drive
units: SI
frames: {body: base_link, odom: odom, site: map}
command: {type: twist2d, rate_hz: 20, fields: [vx_mps, wz_radps]}
inputs:
  image: {required: true, trigger: input_stale, max_age_ms: 300, max_future_ms: 50, stuck_after_ms: 1000}
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
    cmd_vs_measured_mps: 0.5
  transition: {for_ms: 500, vx_max_mps: 0.5, acc_max_mps2: [0.5]}
  degraded: {vx_max_mps: 0.3, wz_abs_max_radps: [0.5]}
  clamp_budget: {window_s: 4, max_fraction: 0.9, trigger: policy_saturated}
)";

constexpr char kFallback[] = R"(schema: fallback_rules/1
mrc_within_ms: 4000
states:
  NOMINAL: {rank: 0, controller: model}
  DEGRADED: {rank: 1, controller: model, limits: degraded}
  CONTROLLED_STOP: {rank: 2, controller: stop, dec_mps2: 0.8, complete_within_ms: 2500, then: SAFE_STOPPED}
  SAFE_STOPPED: {rank: 3, controller: hold, minimal_risk_condition: true}
  EMERGENCY_STOP: {rank: 4, controller: stop, dec_mps2: 1.0, complete_within_ms: 1500, then: ESTOP_LATCHED}
  ESTOP_LATCHED: {rank: 5, controller: hold, minimal_risk_condition: true, latch: persistent}
triggers:
  - {id: input_stale, layer: firmware, to: CONTROLLED_STOP, detect_ms: 1050, clear: {quiet_ms: 200}}
  - {id: deadline_miss, layer: model, to: CONTROLLED_STOP, detect_ms: 500, clear: {quiet_ms: 200}}
  - {id: nonfinite, layer: model, to: CONTROLLED_STOP, detect_ms: 50, clear: {quiet_ms: 200}}
  - {id: policy_saturated, layer: model, to: DEGRADED, clear: {quiet_ms: 500}}
  - {id: model_failed, layer: model, to: CONTROLLED_STOP, detect_ms: 50, clear: {quiet_ms: 200}}
  - {id: network_down, layer: firmware, to: DEGRADED, after_ms: 60000, clear: {quiet_ms: 500}}
  - {id: estop_button, layer: circuit, to: EMERGENCY_STOP, detect_ms: 50, clear: {rearm: true}}
flap: {window_s: 10, max_transitions: 30, to: SAFE_STOPPED}
rearm:
  standstill_ms: 500
  approvals: [local_operator, safety_officer]
  ttl_s: 600
  probation: {for_s: 1, to: SAFE_STOPPED}
)";

}  // namespace

Documents GridDocuments() {
  return {{agent::trust::kCardFile, kCard},
          {agent::trust::kPolicyFile, kPolicy},
          {agent::trust::kFallbackFile, kFallback}};
}

std::shared_ptr<const agent::runtime::UnitRules> GridRules() {
  return Must(agent::runtime::LoadRules(kCard, kPolicy, kFallback));
}

v1::Observation GridPacket() {
  v1::Observation packet;
  packet.set_want_command(true);
  packet.set_network_up(true);
  packet.mutable_odom()->set_vx_mps(0.3);
  v1::Image& grid = *packet.mutable_image();
  grid.set_width(8);
  grid.set_height(8);
  grid.set_encoding("mono8");
  for (int i = 0; i < 64; ++i) grid.mutable_data()->push_back(static_cast<char>(3 * i));
  return packet;
}

// One stamp for all that is in the packet.
void StampGrid(v1::Observation& packet, agent::base::Nanos now) {
  packet.set_seq(packet.seq() + 1);
  packet.set_stamp_ns(now.count());
}

}  // namespace bench
