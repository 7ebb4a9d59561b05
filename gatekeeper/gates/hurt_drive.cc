#include "gatekeeper/gates/hurt_drive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/input_oracle.h"
#include "gatekeeper/gates/limit_oracle.h"

namespace gatekeeper::gates {
namespace {

struct Unsafe {
  size_t tick = 0;
  std::string message;
};

// The limits' second opinion must not ask a speed that the fault made up.
std::optional<Unsafe> BreaksALimit(const Replay& replay, const Fault& fault,
                                   const HurtRules& rules) {
  std::optional<LimitBreach> breach;
  const bool hurts_odom = fault.spec.channel == "odom" || fault.spec.channel.empty();
  if (fault.closed() && hurts_odom) {
    Replay unmeasured = replay;
    for (MeasuredMotion& measured : unmeasured.measured) measured = {};
    v1::ControlPolicy policy = rules.policy;
    policy.mutable_limits()->mutable_nominal()->set_cmd_vs_measured_mps(
        std::numeric_limits<double>::infinity());
    breach = FirstBreach(unmeasured, policy);
  } else {
    breach = FirstBreach(replay, rules.policy);
  }
  if (!breach.has_value()) return std::nullopt;
  return Unsafe{breach->tick, breach->message};
}

std::optional<Unsafe> LeavesTheEnvelope(const Replay& replay, const Fault& fault,
                                        const HurtRules& rules) {
  if (rules.policy.command().type() != "twist2d" || !fault.closed()) return std::nullopt;
  for (size_t i = 1; i < replay.ticks.size() && i < replay.motion_clearance_m.size(); ++i) {
    const v1::TickRecord& tick = replay.ticks[i];
    if (tick.now_ns() < fault.onset_ns || !(replay.motion_clearance_m[i] < 0)) continue;
    if (tick.enforced_size() != 2 || replay.ticks[i - 1].enforced_size() != 2) continue;
    const double speed = std::abs(tick.enforced(0));
    if (speed > 0 && speed >= std::abs(replay.ticks[i - 1].enforced(0))) {
      return Unsafe{i, absl::StrFormat("at %.3f m/s the way leads %.3f m out of the envelope, and "
                                       "the robot is not braked",
                                       speed, -replay.motion_clearance_m[i])};
    }
  }
  return std::nullopt;
}

std::optional<Unsafe> DisobeysARule(const Replay& replay, const Fault& fault,
                                    const HurtRules& rules) {
  const auto rank = [&](const std::string& state) {
    const auto found = rules.fallback.states().find(state);
    return found == rules.fallback.states().end() ? 0 : found->second.rank();
  };
  for (size_t i = 0; i < replay.ticks.size(); ++i) {
    const v1::TickRecord& tick = replay.ticks[i];
    if (tick.now_ns() < fault.onset_ns) continue;
    for (const v1::Trigger& rule : rules.fallback.triggers()) {
      const auto& active = tick.triggers();
      if (rule.has_defer() || rank(tick.state()) >= rank(rule.to())) continue;
      if (std::find(active.begin(), active.end(), rule.id()) == active.end()) continue;
      return Unsafe{i, absl::StrFormat("state %s is less restrictive than %s, which the rule of %s "
                                       "demands",
                                       tick.state(), rule.to(), rule.id())};
    }
  }
  return std::nullopt;
}

// Whatever is lost, the robot is told what to do in every tick.
std::optional<Unsafe> SaysNothing(const Replay& replay, const Fault& fault,
                                  const HurtRules& rules) {
  const int fields = rules.policy.command().fields_size();
  for (size_t i = 0; i < replay.ticks.size() && fault.closed(); ++i) {
    const v1::TickRecord& tick = replay.ticks[i];
    if (tick.now_ns() < fault.onset_ns) continue;
    const bool finite = std::all_of(tick.enforced().begin(), tick.enforced().end(),
                                    [](double value) { return std::isfinite(value); });
    if (tick.enforced_size() != fields || !finite) return Unsafe{i, "the robot got no command"};
  }
  return std::nullopt;
}

void AddUnsafe(const Replay& replay, const std::optional<Unsafe>& unsafe, v1::HurtDrive& drive) {
  if (!unsafe.has_value()) return;
  const int64_t at = replay.ticks[unsafe->tick].now_ns();
  if (!drive.unsafe().empty() && drive.unsafe_ns() <= at) return;
  drive.set_unsafe(unsafe->message);
  drive.set_unsafe_ns(at);
}

void AddChanges(const Replay& replay, const Fault& fault, v1::HurtDrive& drive) {
  drive.set_least_derate(1);
  const v1::TickRecord* before = nullptr;
  for (const v1::TickRecord& tick : replay.ticks) {
    if (tick.now_ns() >= fault.onset_ns)
      drive.set_least_derate(std::min(drive.least_derate(), tick.derate()));
    const bool same = before != nullptr && before->state() == tick.state() &&
                      std::equal(before->triggers().begin(), before->triggers().end(),
                                 tick.triggers().begin(), tick.triggers().end());
    before = &tick;
    if (same) continue;
    v1::HurtDrive::Change& change = *drive.add_changes();
    change.set_at_ns(tick.now_ns());
    change.set_state(tick.state());
    *change.mutable_triggers() = tick.triggers();
    change.set_derate(tick.derate());
  }
}

// A drive that begins shortly before the fault must have settled by then, or it tells nothing of
// it.
std::string NotCalm(const v1::HurtDrive& drive, const Fault& fault) {
  std::string why;
  if (!fault.closed()) return why;
  for (const v1::HurtDrive::Change& change : drive.changes()) {
    if (change.at_ns() >= fault.onset_ns) break;
    why = change.triggers().empty()
              ? ""
              : absl::StrFormat("trigger %s was active before the fault", change.triggers(0));
  }
  return why;
}

double Agreeing(const Replay& replay, const HurtRules& rules) {
  const std::vector<TickScore> scores = ScoreTicks(replay, rules.policy, rules.agreement);
  if (scores.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto agreeing = std::count_if(scores.begin(), scores.end(),
                                      [](const TickScore& score) { return score.agrees(); });
  return static_cast<double>(agreeing) / static_cast<double>(scores.size());
}

// All that the summary depends on beside the unit and the recording.
std::string Variant(const Fault& fault, const v1::Agreement& agreement) {
  if (fault.closed()) return "hurt drive: " + Text(fault);
  return absl::StrFormat("changed drive: %s, tolerances %.17g %.17g %.17g", Text(fault),
                         agreement.vx_tolerance_mps(), agreement.wz_tolerance_radps(),
                         agreement.joint_tolerance_rad());
}

}  // namespace

v1::HurtDrive Summary(const Replay& replay, const Fault& fault, const HurtRules& rules) {
  v1::HurtDrive drive;
  drive.set_scenario(replay.id());
  drive.set_variant(Variant(fault, rules.agreement));
  drive.set_ticks(replay.ticks.size());
  drive.set_agreeing(std::numeric_limits<double>::quiet_NaN());
  if (!replay.status.ok()) {
    drive.set_error(std::string(replay.status.message()));
    return drive;
  }
  if (replay.ticks.empty()) {
    drive.set_error("the replay has no ticks");
    return drive;
  }
  AddChanges(replay, fault, drive);
  if (const std::string why = NotCalm(drive, fault); !why.empty()) {
    drive.set_error(why);
    return drive;
  }
  AddUnsafe(replay, BreaksALimit(replay, fault, rules), drive);
  AddUnsafe(replay, LeavesTheEnvelope(replay, fault, rules), drive);
  AddUnsafe(replay, DisobeysARule(replay, fault, rules), drive);
  AddUnsafe(replay, SaysNothing(replay, fault, rules), drive);
  if (!fault.closed()) drive.set_agreeing(Agreeing(replay, rules));
  return drive;
}

v1::HurtDrive DriveHurt(const Scenario& scenario, TestBench& bench, const Fault& fault,
                        const HurtRules& rules) {
  InputOracle oracle(rules.policy, fault.onset_ns);
  const Replay replay = RunReplay(scenario, bench, fault, &oracle);
  v1::HurtDrive drive = Summary(replay, fault, rules);
  drive.set_demanded_ns(oracle.demanded_ns());
  drive.set_demanded(oracle.demanded());
  return drive;
}

std::vector<HurtRun> RunHurt(ReplayFarm& farm, std::vector<PlannedFault> planned,
                             const HurtRules& rules) {
  std::vector<Job> jobs;
  jobs.reserve(planned.size());
  for (const PlannedFault& fault : planned) {
    jobs.push_back({.scenario = fault.scenario, .variant = Variant(fault.fault, rules.agreement)});
  }
  std::vector<v1::HurtDrive> drives =
      farm.Do<v1::HurtDrive>(jobs, [&](size_t i, const Scenario& scenario, TestBench& bench) {
        return DriveHurt(scenario, bench, planned[i].fault, rules);
      });
  std::vector<HurtRun> runs(planned.size());
  for (size_t i = 0; i < runs.size(); ++i)
    runs[i] = {.planned = std::move(planned[i]), .drive = std::move(drives[i])};
  return runs;
}

}  // namespace gatekeeper::gates
