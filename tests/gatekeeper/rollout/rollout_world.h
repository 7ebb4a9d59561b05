#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "gatekeeper/rollout/plan.h"
#include "gatekeeper/rollout/step.h"
#include "tests/gatekeeper/rollout/obedient_robot.h"

namespace tests {

namespace rollout = gatekeeper::rollout;

inline const std::string kOld(64, 'a');
inline const std::string kNew(64, 'b');

inline v1::RolloutPlan ShortPlan() {
  v1::RolloutPlan plan;
  plan.set_schema("rollout_plan/1");
  plan.set_id("test");
  for (const auto& [name, percent] : {std::pair{"half", 50.0}, std::pair{"all", 100.0}}) {
    v1::Wave* wave = plan.add_waves();
    wave->set_name(name);
    wave->set_percent(percent);
    wave->set_shadow_s(3);
    wave->set_trial_s(4);
    wave->set_soak_s(2);
  }
  plan.mutable_waves(0)->set_name("canary");
  plan.mutable_waves(0)->clear_percent();
  plan.mutable_waves(0)->set_count(1);
  v1::HealthLimits* health = plan.mutable_health();
  health->set_min_ticks(20);
  health->set_max_clamp_fraction(0.1);
  health->set_max_deadline_miss_fraction(0.1);
  health->set_silent_after_s(5);
  health->set_step_deadline_s(20);
  health->set_lease_s(10);
  return plan;
}

// A rollout and its robots without a server: time moves in steps, robots obey what Step orders.
class RolloutWorld {
 public:
  explicit RolloutWorld(int robots, const std::string& before = kOld) {
    rollout::NewRollout wanted{.id = "rollout-1",
                               .fleet = "north",
                               .unit_digest = kNew,
                               .unit_name = "nav",
                               .unit_version = "1.1.0",
                               .actor = "operator/mara",
                               .plan = ShortPlan(),
                               .robots = {}};
    for (int i = 0; i < robots; ++i) wanted.robots.push_back("r" + std::to_string(i));
    state = *rollout::Begin(wanted, now_ms, 0);
    for (const std::string& robot : wanted.robots) {
      rollout::RobotFacts& facts = fleet[robot];
      facts.connected = true;
      facts.observed.set_generation(0);
      v1::Pointer* pointer = facts.observed.mutable_control()->mutable_pointer();
      pointer->set_phase(before.empty() ? v1::EMPTY : v1::COMMITTED);
      pointer->set_committed_digest(before);
      facts.observed.mutable_control()->set_running_digest(before);
    }
    ReportAll();
  }

  // Robot `name` obeys its newest order at once and reports.
  void Report(const std::string& name) {
    rollout::RobotFacts& facts = fleet[name];
    Obey(facts.desired, facts.observed);
    facts.report_ms = facts.tick_ms = now_ms;
  }
  void ReportAll() {
    for (auto& [name, facts] : fleet) {
      if (facts.connected) Report(name);
    }
  }

  std::vector<rollout::Action> Step() {
    rollout::Next next = rollout::Step(state, fleet, now_ms);
    state = next.state;
    Carry(next.actions);
    return next.actions;
  }
  void Carry(const std::vector<rollout::Action>& actions) {
    for (const rollout::Action& action : actions) {
      if (const auto* order = std::get_if<rollout::SetDesired>(&action)) {
        v1::DesiredState& desired = fleet[order->robot].desired;
        desired.set_generation(desired.generation() + 1);
        desired.set_unit_digest(order->digest);
        desired.set_stage(order->stage);
        desired.set_lease_ms(order->lease_ms);
        desired.set_rollback(order->rollback);
      }
    }
  }
  // Every connected robot reports and the rollout steps, each half second, until `done` or
  // `seconds`.
  template <class Done>
  bool RunUntil(double seconds, Done done) {
    const int64_t end = now_ms + static_cast<int64_t>(seconds * 1000);
    while (now_ms < end) {
      if (done()) return true;
      now_ms += 500;
      ReportAll();
      Step();
    }
    return done();
  }
  bool RunUntilPhase(v1::RolloutPhase phase, double seconds = 60) {
    return RunUntil(seconds, [&] { return state.phase() == phase; });
  }
  bool RunUntilWave(uint32_t wave, v1::RolloutPhase phase) {
    return RunUntil(120, [&] { return state.wave() == wave && state.phase() == phase; });
  }
  v1::ControlReport& Control(const std::string& name) {
    return *fleet[name].observed.mutable_control();
  }

  v1::RolloutState state;
  rollout::FleetSnapshot fleet;
  int64_t now_ms = 3'600'000;
};

}  // namespace tests
