#include "gatekeeper/rollout/health.h"

#include <optional>

#include "absl/strings/str_format.h"

namespace gatekeeper::rollout {
namespace {

Judgement Waiting(std::string why) { return {Health::kWaiting, false, std::move(why)}; }
Judgement UnitFault(std::string why) { return {Health::kBad, true, std::move(why)}; }
Judgement Healthy() { return {Health::kHealthy, false, ""}; }

double Fraction(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

int64_t Ms(double seconds) { return static_cast<int64_t>(seconds * 1000); }

const char* StageWord(v1::Stage stage) {
  switch (stage) {
    case v1::STAGE_SHADOW:
      return "shadow";
    case v1::STAGE_TRIAL:
      return "trial";
    default:
      return "service";
  }
}

std::string Short(const std::string& digest) {
  return digest.empty() ? "no unit (rules only)" : digest.substr(0, 12);
}

// What control holds against the unit: it failed under the present order, or is in quarantine.
std::optional<std::string> FaultOf(const v1::RolloutState& state, const std::string& robot,
                                   const RobotFacts& facts) {
  const v1::ControlReport& control = facts.observed.control();
  const bool fails = control.candidate_digest() == state.unit_digest() &&
                     control.candidate_state() == v1::CANDIDATE_FAILED;
  if (fails || facts.failed_digest == state.unit_digest()) {
    return absl::StrFormat("%s reports the unit failed: %s", robot, control.candidate_reason());
  }
  // A released unit's old quarantine stands until control has forgotten it.
  if (facts.desired.release_quarantine() && state.phase() == v1::SHADOW) return std::nullopt;
  for (const v1::Quarantined& entry : control.quarantine()) {
    if (entry.digest() == state.unit_digest()) {
      return absl::StrFormat("%s has quarantined the unit: %s", robot, entry.reason());
    }
  }
  return std::nullopt;
}

// Has the robot itself turned the unit down, or gone back from it?
std::optional<Judgement> TurnedDown(const v1::RolloutState& state, const std::string& robot,
                                    const RobotFacts& facts) {
  const v1::ObservedState& seen = facts.observed;
  const bool speaks_of_unit = seen.candidate_digest() == state.unit_digest();
  const std::optional<std::string> fault = FaultOf(state, robot, facts);
  if (speaks_of_unit && seen.lifecycle() == v1::REFUSED) {
    return Judgement{Health::kBad, fault.has_value(),
                     absl::StrFormat("%s refused the unit: %s", robot, seen.reason())};
  }
  if (speaks_of_unit &&
      (seen.lifecycle() == v1::ROLLING_BACK || seen.lifecycle() == v1::ROLLED_BACK ||
       seen.lifecycle() == v1::SAFE_FALLBACK)) {
    return UnitFault(
        absl::StrFormat("%s went back from the unit by itself: %s", robot, seen.reason()));
  }
  if (fault) return UnitFault(*fault);
  return std::nullopt;
}

std::optional<std::string> OverLimit(const std::string& robot, v1::Stage stage,
                                     const v1::UnitHealth& health, const v1::HealthLimits& limits) {
  const char* word = StageWord(stage);
  if (health.nonfinite() > 0) {
    return absl::StrFormat("%s: %d of %d outputs in %s were not finite (limit 0)", robot,
                           health.nonfinite(), health.ticks(), word);
  }
  if (health.fallback_episodes() > limits.max_fallback_episodes()) {
    return absl::StrFormat(
        "%s left the nominal state %d times in %s because of the unit (limit %d)", robot,
        health.fallback_episodes(), word, limits.max_fallback_episodes());
  }
  if (health.ticks() < limits.min_ticks()) return std::nullopt;  // 1 of 3 says little
  const double clamped = Fraction(health.clamped(), health.ticks());
  if (clamped > limits.max_clamp_fraction()) {
    return absl::StrFormat(
        "%s: the policy clamped %d of %d commands in %s (%.1f %%, limit %.1f %%)", robot,
        health.clamped(), health.ticks(), word, clamped * 100, limits.max_clamp_fraction() * 100);
  }
  const double missed = Fraction(health.deadline_misses(), health.ticks());
  if (missed > limits.max_deadline_miss_fraction()) {
    return absl::StrFormat(
        "%s missed the deadline on %d of %d ticks in %s (%.1f %%, limit %.1f %%)", robot,
        health.deadline_misses(), health.ticks(), word, missed * 100,
        limits.max_deadline_miss_fraction() * 100);
  }
  return std::nullopt;
}

// Did the robot start on this rollout at all? One that was never heard of is waited for instead.
bool Engaged(const v1::RolloutState& state, const v1::RolloutRobot& robot,
             const RobotFacts& facts) {
  if (state.phase() != v1::SHADOW || robot.wave() < state.wave()) return true;
  return facts.observed.generation() >= facts.desired.generation();
}

std::optional<Judgement> Silence(const v1::RolloutState& state, const v1::RolloutRobot& robot,
                                 const RobotFacts& facts, int64_t now_ms) {
  if (!Engaged(state, robot, facts)) return std::nullopt;
  const int64_t heard = facts.report_ms >= 0 ? facts.report_ms : state.phase_since_ms();
  const int64_t quiet = now_ms - heard;
  const double limit = state.plan().health().silent_after_s();
  if (quiet <= Ms(limit)) return std::nullopt;
  return Judgement{Health::kBad, false,
                   absl::StrFormat("%s has been silent for %.1f s (limit %.1f s)", robot.robot(),
                                   static_cast<double>(quiet) / 1000, limit)};
}

// The counters that speak for the unit in `stage`; null when the report has none.
const v1::UnitHealth* HealthOf(const v1::RolloutState& state, v1::Stage stage,
                               const v1::ControlReport& control) {
  if (stage != v1::STAGE_COMMIT && control.candidate_digest() == state.unit_digest() &&
      control.has_candidate() && control.candidate().ticks() > 0) {
    return &control.candidate();
  }
  const bool drives = stage != v1::STAGE_SHADOW && control.running_digest() == state.unit_digest();
  return drives && control.has_active() ? &control.active() : nullptr;
}

// Is the unit where `stage` wants it? Otherwise one sentence that says where it is.
std::optional<std::string> NotThere(const v1::RolloutState& state, const std::string& robot,
                                    v1::Stage stage, const RobotFacts& facts) {
  const v1::ControlReport& control = facts.observed.control();
  const bool ours = control.candidate_digest() == state.unit_digest();
  if (stage == v1::STAGE_SHADOW) {
    if (ours && control.candidate_state() == v1::CANDIDATE_SHADOWING) return std::nullopt;
    return absl::StrFormat("%s has not begun its shadow run (%s)", robot,
                           v1::LifecycleState_Name(facts.observed.lifecycle()));
  }
  if (stage == v1::STAGE_TRIAL) {
    if (ours && control.candidate_state() == v1::CANDIDATE_ON_TRIAL &&
        control.running_digest() == state.unit_digest()) {
      return std::nullopt;
    }
  } else if (RunsUnit(state, facts)) {
    return std::nullopt;
  }
  return absl::StrFormat("%s reports %s running in %s (%s)", robot, Short(control.running_digest()),
                         control.fallback_state(),
                         v1::LifecycleState_Name(facts.observed.lifecycle()));
}

// What every judged robot must show before its numbers are looked at.
std::optional<Judgement> Unready(const v1::RolloutState& state, const std::string& robot,
                                 const RobotFacts& facts, int64_t now_ms) {
  if (facts.observed.generation() < facts.desired.generation()) {
    return Waiting(absl::StrFormat("%s has not taken in its order yet", robot));
  }
  if (auto turned_down = TurnedDown(state, robot, facts)) return turned_down;
  if (!facts.observed.has_control() || facts.report_ms < 0) {
    return Waiting(absl::StrFormat("%s: gatekeeper-control does not answer", robot));
  }
  if (facts.observed.control().latched()) {
    return Waiting(absl::StrFormat("%s stands in an emergency stop and waits for re-arm", robot));
  }
  if (facts.tick_ms < 0 || now_ms - facts.tick_ms > Ms(state.plan().health().silent_after_s())) {
    return Waiting(absl::StrFormat("%s: gatekeeper-control has stopped ticking", robot));
  }
  return std::nullopt;
}

Judgement JudgeCommitted(const v1::RolloutState& state, const std::string& robot,
                         const RobotFacts& facts) {
  const v1::Pointer& pointer = facts.observed.control().pointer();
  const bool went_elsewhere = pointer.phase() == v1::COMMITTED &&
                              pointer.committed_digest() != state.unit_digest() &&
                              state.phase() != v1::COMMITTING;
  if (went_elsewhere) {
    return UnitFault(absl::StrFormat("%s went back to %s after the commit", robot,
                                     Short(pointer.committed_digest())));
  }
  if (auto where = NotThere(state, robot, v1::STAGE_COMMIT, facts)) return Waiting(*where);
  return Healthy();
}

}  // namespace

v1::Stage StageFor(const v1::RolloutState& state, const v1::RolloutRobot& robot) {
  if (robot.wave() < state.wave() || robot.previous_digest() == state.unit_digest()) {
    return v1::STAGE_COMMIT;
  }
  if (state.phase() == v1::SHADOW) return v1::STAGE_SHADOW;
  if (state.phase() == v1::TRIAL) return v1::STAGE_TRIAL;
  return v1::STAGE_COMMIT;
}

bool RunsUnit(const v1::RolloutState& state, const RobotFacts& facts) {
  const v1::ControlReport& control = facts.observed.control();
  return facts.observed.generation() >= facts.desired.generation() &&
         control.running_digest() == state.unit_digest() &&
         control.pointer().phase() == v1::COMMITTED &&
         control.pointer().committed_digest() == state.unit_digest();
}

Judgement Judge(const v1::RolloutState& state, const v1::RolloutRobot& robot,
                const RobotFacts& facts, int64_t now_ms) {
  const std::string& name = robot.robot();
  if (!robot.touched()) {
    return Waiting(absl::StrFormat("%s %s", name,
                                   facts.connected ? "has not reported yet" : "is not connected"));
  }
  if (auto silent = Silence(state, robot, facts, now_ms)) return *silent;
  if (auto unready = Unready(state, name, facts, now_ms)) return *unready;
  const v1::Stage stage = StageFor(state, robot);
  const v1::ControlReport& control = facts.observed.control();
  if (stage == v1::STAGE_COMMIT) {
    const Judgement place = JudgeCommitted(state, name, facts);
    if (place.health != Health::kHealthy) return place;
    if (state.phase() == v1::COMMITTING && robot.wave() == state.wave()) return Healthy();
  }
  // Numbers are looked at before the place: a unit that has just been thrown out shows both.
  const v1::UnitHealth* health = HealthOf(state, stage, control);
  if (health != nullptr) {
    if (auto fault = OverLimit(name, stage, *health, state.plan().health())) {
      return UnitFault(*fault);
    }
  }
  if (auto where = NotThere(state, name, stage, facts)) return Waiting(*where);
  if (health == nullptr || health->ticks() < state.plan().health().min_ticks()) {
    return Waiting(absl::StrFormat("%s has shown %d of %d ticks in %s", name,
                                   health == nullptr ? 0 : health->ticks(),
                                   state.plan().health().min_ticks(), StageWord(stage)));
  }
  return Healthy();
}

bool Restored(const v1::RolloutState& state, const v1::RolloutRobot& robot,
              const RobotFacts& facts) {
  const v1::ControlReport& control = facts.observed.control();
  if (!facts.observed.has_control() || facts.observed.generation() < facts.desired.generation()) {
    return false;
  }
  const v1::Pointer& pointer = control.pointer();
  if (robot.previous_digest().empty()) {
    if (pointer.committed_digest() == state.unit_digest()) return true;  // nowhere to go back to
    return pointer.phase() != v1::ON_TRIAL && control.running_digest() != state.unit_digest();
  }
  return pointer.phase() == v1::COMMITTED &&
         pointer.committed_digest() == robot.previous_digest() &&
         control.running_digest() == robot.previous_digest();
}

}  // namespace gatekeeper::rollout
