#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/runtime/controller.h"
#include "tests/agent/runtime/nav_world.h"

namespace tests {

// What a controller that may not start, or may not be re-armed, answers.
inline constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;

// For Unit::Edit: a model whose third and fourth output say how sure it is.
inline void WithDoubt(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  v1::Confidence& confidence = *policy.mutable_output()->mutable_confidence();
  confidence.set_enter_below(0.3);
  confidence.set_leave_above(0.5);
  confidence.set_leave_hold_ms(200);
  confidence.set_trigger("doubt");
  v1::Uncertainty& uncertainty = *policy.mutable_output()->mutable_uncertainty();
  uncertainty.set_enter_above(0.3);
  uncertainty.set_leave_below(0.2);
  uncertainty.set_leave_hold_ms(200);
  uncertainty.set_trigger("doubt");
  v1::Trigger& trigger = *rules.add_triggers();
  trigger.set_id("doubt");
  trigger.set_layer("model");
  trigger.set_to("DEGRADED");
  trigger.mutable_clear()->set_quiet_ms(50);
  uint32_t index = 2;
  for (const char* field : {"confidence", "uncertainty"}) {
    v1::OutputBinding& output = *card.add_outputs();
    output.set_tensor("command");
    output.set_index(index++);
    output.set_field(field);
  }
}

// A controller with its units, ticked at 20 Hz with a full packet before each tick.
class DrivenRobot {
 public:
  explicit DrivenRobot(const Unit::Edit& edit = {}, agent::runtime::LatchState latch = {})
      : unit(std::string(64, 'a'), edit), previous(std::string(64, 'b'), edit), controller(latch) {
    controller.SetLink(true, now);
    controller.SwapTo(unit.pilot.get(), nullptr, now);
  }

  // One period later: a packet (after `edit`), then a tick.
  const agent::runtime::Tick& Tick(const std::function<void(v1::Observation&)>& edit = {}) {
    now += kPeriod;
    v1::Observation packet = Packet(now);
    packet.mutable_odom()->set_vx_mps(measured_mps.value_or(told_mps));
    packet.set_estop_pressed(estop);
    packet.set_want_command(asking);
    if (edit) edit(packet);
    controller.Observe(packet, now);
    return Step();
  }
  // A tick without any packet.
  const agent::runtime::Tick& Silence() {
    now += kPeriod;
    return Step();
  }
  const agent::runtime::Tick& Ticks(int count) {
    for (int i = 1; i < count; ++i) Tick();
    return Tick();
  }
  // Drives straight at 0.8 m/s, the transition after the start being over.
  void DriveAtEight() {
    unit.model->says = {0.8F, 0.0F};
    Ticks(100);
  }
  void GivePrevious() { controller.SwapTo(unit.pilot.get(), previous.pilot.get(), now); }

  Unit unit;
  Unit previous;
  agent::runtime::Controller controller;
  Nanos now = kStartOfTime;
  std::optional<double> measured_mps;  // otherwise the robot does what it was told last
  bool estop = false;
  bool asking = true;

 private:
  const agent::runtime::Tick& Step() {
    const agent::runtime::Tick& tick = controller.Step(now);
    told_mps = tick.enforced.empty() ? 0 : tick.enforced[0];
    return tick;
  }
  double told_mps = 0;
};

}  // namespace tests
