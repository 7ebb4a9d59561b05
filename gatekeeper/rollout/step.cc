#include "gatekeeper/rollout/step.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace gatekeeper::rollout {
namespace {

const RobotFacts& FactsOf(const FleetSnapshot& fleet, const std::string& robot) {
  static const RobotFacts kNothingKnown;
  const auto found = fleet.find(robot);
  return found == fleet.end() ? kNothingKnown : found->second;
}

std::string Title(const v1::RolloutState& state) {
  return absl::StrFormat("%s@%s", state.unit_name(), state.unit_version());
}

const v1::Wave& PresentWave(const v1::RolloutState& state) {
  return state.plan().waves(static_cast<int>(state.wave()));
}

// Healthy seconds each robot must show in the present phase.
double Demanded(const v1::RolloutState& state) {
  const v1::Wave& wave = PresentWave(state);
  switch (state.phase()) {
    case v1::SHADOW:
      return wave.shadow_s();
    case v1::TRIAL:
      return wave.trial_s();
    case v1::SOAK:
      return wave.soak_s();
    default:
      return 0;
  }
}

SetDesired Forward(const v1::RolloutState& state, const v1::RolloutRobot& robot) {
  const v1::Stage stage = StageFor(state, robot);
  return {.robot = robot.robot(),
          .digest = state.unit_digest(),
          .stage = stage,
          .lease_ms = stage == v1::STAGE_TRIAL
                          ? static_cast<uint32_t>(state.plan().health().lease_s() * 1000)
                          : 0,
          .rollback = false,
          .reason = absl::StrFormat("rollout %s, wave %s", state.id(), PresentWave(state).name())};
}

SetDesired Back(const v1::RolloutState& state, const v1::RolloutRobot& robot) {
  return {.robot = robot.robot(),
          .digest = robot.previous_digest(),
          .stage = robot.previous_digest().empty() ? v1::STAGE_IDLE : v1::STAGE_COMMIT,
          .lease_ms = 0,
          .rollback = true,
          .reason = absl::StrFormat("rollout %s aborted: %s", state.id(), state.reason())};
}

void EnterPhase(v1::RolloutState& state, v1::RolloutPhase phase, int64_t now_ms) {
  state.set_phase(phase);
  state.set_phase_since_ms(now_ms);
  for (v1::RolloutRobot& robot : *state.mutable_robots()) robot.set_healthy_since_ms(0);
}

// A robot is told to do something only once it is there and has said what it runs: one that is away
// stays untouched, and its way back is known before it leaves it.
void TouchArrivals(Next& next, const FleetSnapshot& fleet) {
  if (next.state.phase() != v1::SHADOW) return;
  for (v1::RolloutRobot& robot : *next.state.mutable_robots()) {
    if (robot.touched() || robot.wave() != next.state.wave()) continue;
    const RobotFacts& facts = FactsOf(fleet, robot.robot());
    if (!facts.connected || facts.report_ms < 0 || !facts.observed.has_control()) continue;
    robot.set_touched(true);
    robot.set_previous_digest(facts.observed.control().pointer().committed_digest());
    next.actions.emplace_back(Forward(next.state, robot));
  }
}

void BeginAbort(Next& next, std::string reason, const Judgement& verdict, int64_t now_ms) {
  next.state.set_reason(std::move(reason));
  EnterPhase(next.state, v1::ABORTING, now_ms);
  for (const v1::RolloutRobot& robot : next.state.robots()) {
    // A robot that ran the unit before this rollout is where it was.
    if (!robot.touched() || robot.previous_digest() == next.state.unit_digest()) continue;
    next.actions.emplace_back(Back(next.state, robot));
  }
  if (verdict.unit_fault) {
    next.actions.emplace_back(HoldUnit{next.state.reason()});
  }
  next.actions.emplace_back(
      Note{absl::StrFormat("aborting %s: %s", Title(next.state), next.state.reason())});
}

void OpenAbortIncident(Next& next) {
  next.actions.emplace_back(OpenIncident{
      absl::StrFormat("Rollout of %s to fleet %s aborted in wave %s", Title(next.state),
                      next.state.fleet(), PresentWave(next.state).name())});
}

void FinishAbort(Next& next, const FleetSnapshot& fleet, int64_t now_ms) {
  for (const v1::RolloutRobot& robot : next.state.robots()) {
    if (!robot.touched() || robot.previous_digest() == next.state.unit_digest()) continue;
    if (!Restored(next.state, robot, FactsOf(fleet, robot.robot()))) return;
  }
  EnterPhase(next.state, v1::ABORTED, now_ms);
  next.actions.emplace_back(Note{"every touched robot reports its previous unit running"});
}

struct WaveView {
  const Judgement* bad = nullptr;
  std::string laggard;  // why the first unsatisfied robot is not there yet
  bool satisfied = true;
};

// Judges every robot of the waves begun so far and keeps the healthy stretches up to date.
WaveView LookAtRobots(v1::RolloutState& state, const FleetSnapshot& fleet,
                      std::vector<Judgement>& judgements, int64_t now_ms) {
  WaveView view;
  const int64_t demanded_ms = static_cast<int64_t>(Demanded(state) * 1000);
  judgements.resize(static_cast<size_t>(state.robots_size()));
  for (int i = 0; i < state.robots_size(); ++i) {
    v1::RolloutRobot& robot = *state.mutable_robots(i);
    if (robot.wave() > state.wave()) continue;
    const RobotFacts& facts = FactsOf(fleet, robot.robot());
    Judgement& verdict = judgements[static_cast<size_t>(i)];
    verdict = Judge(state, robot, facts, now_ms);
    const bool healthy = verdict.health == Health::kHealthy;
    if (verdict.health == Health::kBad && view.bad == nullptr) view.bad = &verdict;
    if (!healthy) {
      robot.set_healthy_since_ms(0);
    } else if (robot.healthy_since_ms() == 0) {
      robot.set_healthy_since_ms(std::max<int64_t>(facts.report_ms, state.phase_since_ms()));
    }
    // Robots of earlier waves hold up only the end of a soak, where the next wave would begin.
    const bool must_hold = robot.wave() == state.wave() || state.phase() == v1::SOAK;
    const bool stretch_done =
        robot.wave() < state.wave() || facts.report_ms - robot.healthy_since_ms() >= demanded_ms;
    if (!must_hold || (healthy && stretch_done)) continue;
    view.satisfied = false;
    if (!view.laggard.empty()) continue;
    view.laggard =
        healthy ? absl::StrFormat(
                      "%s has been healthy for %.1f of %.1f s", robot.robot(),
                      static_cast<double>(facts.report_ms - robot.healthy_since_ms()) / 1000.0,
                      Demanded(state))
                : verdict.why;
  }
  return view;
}

// The next wave that adds robots, or none.
bool EnterNextWave(v1::RolloutState& state, int64_t now_ms) {
  for (const v1::RolloutRobot& robot : state.robots()) {
    if (robot.wave() <= state.wave()) continue;
    state.set_wave(robot.wave());
    EnterPhase(state, v1::SHADOW, now_ms);
    return true;
  }
  return false;
}

void EnterNextPhase(Next& next, const FleetSnapshot& fleet, int64_t now_ms) {
  v1::RolloutState& state = next.state;
  const std::string from = absl::StrFormat("wave %s %s", PresentWave(state).name(),
                                           v1::RolloutPhase_Name(state.phase()));
  if (state.phase() == v1::SHADOW) {
    EnterPhase(state, v1::TRIAL, now_ms);
  } else if (state.phase() == v1::TRIAL) {
    EnterPhase(state, v1::COMMITTING, now_ms);
  } else if (state.phase() == v1::COMMITTING) {
    EnterPhase(state, v1::SOAK, now_ms);
  } else if (!EnterNextWave(state, now_ms)) {
    EnterPhase(state, v1::DONE, now_ms);
  }
  if (state.phase() == v1::TRIAL || state.phase() == v1::COMMITTING) {
    for (const v1::RolloutRobot& robot : state.robots()) {
      const bool there_already = robot.previous_digest() == state.unit_digest();
      if (robot.wave() != state.wave() || there_already) continue;
      next.actions.emplace_back(Forward(state, robot));
    }
  }
  next.actions.emplace_back(
      Note{absl::StrFormat("%s held on every robot: now %s of wave %s", from,
                           v1::RolloutPhase_Name(state.phase()), PresentWave(state).name())});
  TouchArrivals(next, fleet);
}

void Append(std::string& list, const std::string& item) {
  list += (list.empty() ? "" : ", ") + item;
}

// Who of an aborted rollout's robots is not back, and why.
std::string WaitingForReturn(const v1::RolloutState& state, const FleetSnapshot& fleet) {
  std::string returning, unable, unreachable;
  for (const v1::RolloutRobot& robot : state.robots()) {
    const RobotFacts& facts = FactsOf(fleet, robot.robot());
    const bool was_there = robot.previous_digest() == state.unit_digest();
    if (!robot.touched() || was_there || Restored(state, robot, facts)) continue;
    const bool refused = facts.observed.lifecycle() == v1::REFUSED &&
                         facts.observed.generation() >= facts.desired.generation();
    if (!facts.connected) {
      Append(unreachable, robot.robot());
    } else if (refused) {
      Append(unable, absl::StrFormat("%s (%s)", robot.robot(), facts.observed.reason()));
    } else {
      Append(returning, robot.robot());
    }
  }
  std::string text;
  for (const auto& [word, names] :
       {std::pair{"on their way back: ", returning}, std::pair{"cannot go back: ", unable},
        std::pair{"unreachable: ", unreachable}}) {
    if (!names.empty()) text += (text.empty() ? "" : "; ") + (word + names);
  }
  return text;
}

}  // namespace

bool IsFinal(v1::RolloutPhase phase) {
  return phase == v1::DONE || phase == v1::ABORTED || phase == v1::SUPERSEDED;
}

Next Step(const v1::RolloutState& state, const FleetSnapshot& fleet, int64_t now_ms) {
  Next next{state, {}};
  if (IsFinal(state.phase())) return next;
  if (state.phase() == v1::ABORTING) {
    FinishAbort(next, fleet, now_ms);
    return next;
  }
  TouchArrivals(next, fleet);
  if (!next.actions.empty()) return next;  // saved first; their reports are read at the next step
  std::vector<Judgement> judgements;
  const WaveView view = LookAtRobots(next.state, fleet, judgements, now_ms);
  if (view.bad != nullptr) {
    OpenAbortIncident(next);
    BeginAbort(next, view.bad->why, *view.bad, now_ms);
    return next;
  }
  if (view.satisfied) {
    EnterNextPhase(next, fleet, now_ms);
    return next;
  }
  const double allowed = Demanded(state) + state.plan().health().step_deadline_s();
  const double spent = static_cast<double>(now_ms - state.phase_since_ms()) / 1000;
  if (spent > allowed) {
    OpenAbortIncident(next);
    BeginAbort(next,
               absl::StrFormat("%s of wave %s was not through after %.1f s (limit %.1f s): %s",
                               v1::RolloutPhase_Name(state.phase()), PresentWave(state).name(),
                               spent, allowed, view.laggard),
               Judgement{}, now_ms);
  }
  return next;
}

Next Abort(const v1::RolloutState& state, const std::string& reason, int64_t now_ms) {
  Next next{state, {}};
  if (IsFinal(state.phase()) || state.phase() == v1::ABORTING) return next;
  OpenAbortIncident(next);
  BeginAbort(next, reason, Judgement{}, now_ms);
  return next;
}

v1::RolloutState Supersede(const v1::RolloutState& state, const std::string& reason,
                           int64_t now_ms) {
  v1::RolloutState taken_over = state;
  if (IsFinal(state.phase())) return taken_over;
  EnterPhase(taken_over, v1::SUPERSEDED, now_ms);
  taken_over.set_reason(reason);
  return taken_over;
}

v1::RolloutState Resume(const v1::RolloutState& saved, int64_t now_ms) {
  v1::RolloutState state = saved;
  if (!IsFinal(state.phase())) EnterPhase(state, state.phase(), now_ms);
  return state;
}

std::string WaitingFor(const v1::RolloutState& state, const FleetSnapshot& fleet, int64_t now_ms) {
  if (IsFinal(state.phase())) return "";
  if (state.phase() == v1::ABORTING) return WaitingForReturn(state, fleet);
  v1::RolloutState scratch = state;
  std::vector<Judgement> judgements;
  return LookAtRobots(scratch, fleet, judgements, now_ms).laggard;
}

}  // namespace gatekeeper::rollout
