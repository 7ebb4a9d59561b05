#include "tests/bench/grid_robot.h"

#include "agent/trust/manifest.h"
#include "tests/bench/measure.h"
#include "tests/support/small_robot.h"

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

std::string Policy() {
  return tests::SmallRobotWith(
             {{"inputs:\n  odom:",
               "inputs:\n  image: {required: true, trigger: input_stale, max_age_ms: 300, "
               "max_future_ms: 50, stuck_after_ms: 1000}\n  odom:"},
              {"cmd_vs_measured_mps: 0.75", "cmd_vs_measured_mps: 0.5"},
              {"{window_s: 1, max_fraction: 0.5", "{window_s: 4, max_fraction: 0.9"}})
      .policy;
}

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
          {agent::trust::kPolicyFile, Policy()},
          {agent::trust::kFallbackFile, kFallback}};
}

std::shared_ptr<const agent::runtime::UnitRules> GridRules() {
  return Must(agent::runtime::LoadRules(kCard, Policy(), kFallback));
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
