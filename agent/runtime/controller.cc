#include "agent/runtime/controller.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;

// Without a unit there is no policy to read numbers from.
constexpr double kRulesOnlyDecMps2 = 0.8;  // a stop that no load on an indoor robot notices
constexpr std::string_view kRulesOnlyState = "SAFE";
constexpr std::string_view kRulesOnlyLatched = "SAFE_LATCHED";
constexpr Nanos kFirstPeriod =
    milliseconds(50);  // time before the first tick, when nothing is known

using base::Seconds;

}  // namespace

Controller::Controller(LatchState initial) : latch_(std::move(initial)) {
  if (latch_.latched) latch_.awaiting_start = false;
  latch_.probation = latch_.probation || latch_.awaiting_start;
  if (latch_.awaiting_start) start_ = Start::kAwaitingRelease;
}

void Controller::Observe(const gatekeeper::v1::Observation& observation, Nanos received) {
  board_.Accept(observation, received);
  estop_seen_ = estop_seen_ || observation.estop_pressed();
  FollowStart(observation.want_command(), received);
}

void Controller::SetLink(bool up, Nanos) { link_up_ = up; }

void Controller::SwapTo(const Pilot* active, const Pilot* previous, Nanos now) {
  const std::string previous_digest = previous == nullptr ? "" : previous->digest;
  if (previous_digest != previous_digest_) {
    previous_digest_ = previous_digest;
    previous_faulty_ = false;
    previous_misses_ = 0;
  }
  const bool same = active != nullptr && rules_ != nullptr && active->digest == active_digest_;
  active_ = active;
  if (!same) {
    const std::shared_ptr<const UnitRules> old = rules_;
    if (tick_rules_ == nullptr) tick_rules_ = old;
    // A model's faults go with it; all else that waits for a person stays.
    if (old != nullptr && active != nullptr) NameHeld(named_ & ~of_model_);
    rules_ = active == nullptr ? nullptr : active->rules;
    active_digest_ = active == nullptr ? "" : active->digest;
    status_ = old != nullptr && rules_ != nullptr
                  ? CarriedOver(old->fallback, status_, rules_->fallback, now)
                  : FallbackStatus{};
    // What a robot without rules, or one that was switched off, still owes.
    if (old == nullptr && rules_ != nullptr && latch_.probation) {
      status_.probation = rules_->fallback.probation().duration;
    }
    if (active != nullptr) {
      TakeRules(*active);
      Hold(rules_->fallback, latch_.held, now,
           status_);  // and takes the state of all that is active
      NameHeld(WaitingForPerson());
      transition_until_ = now + rules_->policy.transition_for();
    }
  }
  const bool fits = previous != nullptr && rules_ != nullptr &&
                    previous->digest != active_digest_ &&
                    previous->rules->policy.command().type == rules_->policy.command().type &&
                    previous->rules->policy.command().fields == rules_->policy.command().fields;
  previous_ = fits ? previous : nullptr;
}

void Controller::TakeRules(const Pilot& active) {
  const Policy& policy = active.rules->policy;
  const Fallback& fallback = active.rules->fallback;
  latching_ = operator_ = of_model_ = 0;
  for (size_t i = 0; i < fallback.triggers().size(); ++i) {
    const TriggerRule& rule = fallback.triggers()[i];
    if (rule.clear == ClearBy::kRearm) latching_ |= MaskOf(i);
    if (rule.clear == ClearBy::kOperator) operator_ |= MaskOf(i);
    if (rule.layer == Layer::kModel) of_model_ |= MaskOf(i);
  }
  freshness_.emplace(policy);
  separation_.emplace(policy);
  deadline_.emplace(policy.deadline());
  confidence_.reset();
  if (policy.confidence()) confidence_.emplace(*policy.confidence());
  uncertainty_.reset();
  if (policy.uncertainty()) uncertainty_.emplace(*policy.uncertainty());
  derating_.emplace(policy);
  clamps_.emplace(policy.clamp_budget());
  requirements_.emplace(policy);
  late_ = 0;
  last_raw_.clear();
  const bool twist = policy.command().type == CommandType::kTwist2d;
  if (twist && (!twist_ || last_.size() != 2)) {
    last_.assign(2, 0);
    acc_mps2_ = 0;
  }
  if (!twist && (twist_ || last_.size() != policy.command().fields.size())) {
    last_.clear();
    arm_motion_ = {};
  }
  twist_ = twist;
  if (!latch_.latched) return;
  // A latch outlives every unit: under new rules it stands at once where they latch.
  TriggerStatus& latched = status_.triggers[fallback.latched()];
  status_.active |= MaskOf(fallback.latched());
  latched.place = fallback.latch_state();
}

const Tick& Controller::Step(Nanos now) {
  if (now_) now = std::max(now, *now_);
  const Nanos period = rules_ != nullptr ? rules_->policy.command().period : kFirstPeriod;
  const Nanos elapsed = now_ ? now - *now_ : period;
  now_ = now;
  tick_.now = now;
  tick_.triggers.clear();
  tick_.reasons.clear();
  tick_rules_.reset();
  if (active_ == nullptr) {
    StepRulesOnly(elapsed);
  } else {
    StepUnit(elapsed);
  }
  acc_mps2_ = RiseOf(last_, tick_.enforced, Seconds(elapsed), acc_mps2_);
  arm_motion_.Follow(last_, tick_.enforced, Seconds(std::min(elapsed, period)));
  last_.assign(tick_.enforced.begin(), tick_.enforced.end());
  estop_seen_ = false;
  if (!CommandIsZero() || MeasuredStanding() != true) {
    standing_since_.reset();
  } else if (!standing_since_) {
    standing_since_ = now;
  }
  return tick_;
}

void Controller::StepRulesOnly(Nanos elapsed) {
  tick_.raw.clear();
  tick_.clamped = tick_.deadline_missed = tick_.nonfinite = tick_.model_fault = false;
  tick_.confidence = 1;
  tick_.uncertainty = 0;
  tick_.derate = 1;
  tick_.nearest_m = std::numeric_limits<double>::quiet_NaN();
  tick_.requirements.clear();
  tick_.clearance_m = std::numeric_limits<double>::quiet_NaN();
  tick_.infer = Nanos{0};
  tick_.digest.clear();
  const bool pressed = estop_seen_ || board_.estop_pressed();
  if (pressed) {
    tick_.triggers.push_back(kEstopButton);
    if (!latch_.latched) {
      latch_ = {.latched = true, .cause = std::string(kEstopButton), .held = latch_.held};
    }
    start_ = Start::kNotAwaited;
  }
  tick_.reasons.push_back("no_unit");
  tick_.state = latch_.latched ? kRulesOnlyLatched : kRulesOnlyState;
  tick_.enforced.assign(last_.begin(), last_.end());
  tick_.stop = true;
  if (!twist_ || last_.empty()) return;
  const double speed = std::abs(last_[0]);
  const double left = speed - kRulesOnlyDecMps2 * Seconds(elapsed);
  const double factor = left > 0 && !latch_.latched ? left / speed : 0;
  for (double& value : tick_.enforced) value = value * factor + 0.0;
  tick_.stop = !(factor > 0);
}

void Controller::StepUnit(Nanos elapsed) {
  const Fallback& fallback = rules_->fallback;
  const StateRule& before = fallback.states()[status_.state];
  const StateIndex rank_before = status_.state;
  TriggerMask raised = Conditions() | late_;
  late_ = 0;
  const bool of_previous = before.driver == Driver::kPreviousUnit;
  const Pilot* pilot = of_previous ? previous_ : active_;
  answer_.kind = AnswerKind::kNotAsked;
  answer_.raw.clear();
  if (pilot != nullptr) {
    const Inputs inputs = of_previous ? InputsOf(pilot->rules->policy, board_, tick_.now)
                          : freshness_->all_required() ? Inputs::kFresh
                                                       : Inputs::kStale;
    Ask(*pilot, board_, inputs, rules_->policy.deadline().hard, answer_);
    if (of_previous) JudgePrevious();
  }
  if (!of_previous) raised |= JudgeActive();
  if (confidence_ && confidence_->low()) raised |= MaskOf(rules_->policy.confidence()->trigger);
  if (uncertainty_ && uncertainty_->low()) raised |= MaskOf(rules_->policy.uncertainty()->trigger);
  tick_.deadline_missed = answer_.kind == AnswerKind::kMissed;
  tick_.nonfinite = answer_.kind == AnswerKind::kNonfinite;

  Decide(raised, elapsed);
  if (status_.state < rank_before) {
    transition_until_ = tick_.now + rules_->policy.transition_for();
  }
  Drive(before, elapsed);
  // Only a defect of our own gets here.
  const bool sound = IsSound(rules_->policy, wanted_, tick_.enforced);
  if (!sound) Decide(raised | MaskOf(fallback.invariant_broken()), elapsed);
  if (!sound) HoldStill(elapsed);
  Publish();
  late_ |= requirements_->Step(board_, *freshness_, tick_);
}

TriggerMask Controller::Conditions() {
  const Policy& policy = rules_->policy;
  const Fallback& fallback = rules_->fallback;
  std::vector<std::string_view>& reasons = enforcement_.reasons;
  TriggerMask raised = freshness_->Judge(board_, tick_.now, reasons);
  raised |= derating_->Judge(board_, tick_.now, reasons);
  tick_.derate = derating_->scale();
  if (estop_seen_ || board_.estop_pressed()) raised |= MaskOf(fallback.estop_button());
  if (!link_up_ || !board_.network_up()) raised |= MaskOf(fallback.network_down());
  if (start_ != Start::kNotAwaited) raised |= MaskOf(fallback.awaiting_start());
  if (latch_.latched && !LatchHolds()) raised |= MaskOf(fallback.latched());
  // Known without asking, which nobody does while the previous unit drives.
  if (active_->model == nullptr) raised |= MaskOf(fallback.model_failed());
  tick_.clearance_m = std::numeric_limits<double>::quiet_NaN();
  motion_.reset();
  if (freshness_->IsFresh(ChannelKind::kOdom)) motion_ = MotionOf(board_, tick_.now);
  if (twist_ && motion_) {
    const Standing standing = StandingAt(policy, motion_->pose, reasons);
    tick_.clearance_m = standing.clearance_m;
    raised |= standing.breached;
  }
  const ChannelRecord& scan = board_.RecordOf(ChannelKind::kScan);
  separation_->See(board_.scan(), scan.messages);
  tick_.nearest_m = separation_->nearest_m();
  return twist_ ? raised : raised | ArmConditions();
}

TriggerMask Controller::JudgeActive() {
  const Policy& policy = rules_->policy;
  const Fallback& fallback = rules_->fallback;
  TriggerMask raised = 0;
  const bool answered = answer_.kind == AnswerKind::kUsable ||
                        answer_.kind == AnswerKind::kMissed ||
                        answer_.kind == AnswerKind::kNonfinite;
  if (answered && deadline_->Missed(answer_.kind == AnswerKind::kMissed)) {
    raised |= MaskOf(policy.deadline().trigger);
  }
  if (answer_.kind == AnswerKind::kFailed) raised |= MaskOf(fallback.model_failed());
  if (answer_.kind == AnswerKind::kNonfinite) raised |= MaskOf(policy.nonfinite_trigger());
  if (answer_.kind == AnswerKind::kBroken) raised |= MaskOf(fallback.invariant_broken());
  if (!answer_.usable()) return raised;
  if (confidence_) confidence_->Low(answer_.report.confidence, tick_.now);
  if (uncertainty_) uncertainty_->Low(-answer_.report.uncertainty, tick_.now);
  return raised;
}

void Controller::JudgePrevious() {
  if (answer_.kind == AnswerKind::kMissed) {
    ++previous_misses_;
  } else {
    previous_misses_ = 0;
  }
  const bool missed_out = previous_misses_ >= rules_->policy.deadline().max_consecutive;
  // Doubt is not waited out here: nobody would ask the model while another drives.
  const Policy& policy = rules_->policy;
  const SelfReport& report = answer_.report;
  const bool sure =
      (!policy.confidence() || report.confidence >= policy.confidence()->enter_below) &&
      (!policy.uncertainty() || -report.uncertainty >= policy.uncertainty()->enter_below);
  const bool tolerated = (answer_.usable() && sure) || answer_.kind == AnswerKind::kNotAsked ||
                         (answer_.kind == AnswerKind::kMissed && !missed_out);
  if (!tolerated) previous_faulty_ = true;
}

void Controller::Drive(const StateRule& before, Nanos elapsed) {
  const Policy& policy = rules_->policy;
  const StateRule& state = rules_->fallback.states()[status_.state];
  if (state.driver != Driver::kModel) clamps_->Reset();
  if (state.driver == Driver::kHold) {
    HoldStill(elapsed);
    return;
  }
  const bool driven =
      (state.driver == Driver::kModel || state.driver == Driver::kPreviousUnit) &&
      answer_.usable() &&
      (state.driver == Driver::kPreviousUnit) == (before.driver == Driver::kPreviousUnit);
  if (driven) {
    wanted_.assign(answer_.raw.begin(), answer_.raw.end());
  } else if (state.driver == Driver::kStop) {
    Brake(state, elapsed);
  } else if (state.driver == Driver::kFollowGap) {
    FollowTheGap(state, elapsed);
  } else {
    // No answer to drive on: brake along the last command, so that nothing is ever repeated
    // blindly.
    BrakeAt(twist_ ? policy.nominal().dec_max_mps2.At(std::abs(last_[0])) : 0, elapsed);
    enforcement_.reasons.push_back("substituted");
  }
  const auto& joints = board_.joints().q_rad();
  const Nanos usable = std::min(elapsed, policy.command().period);
  Situation situation{.last = last_,
                      .last_raw = last_raw_,
                      .acc_s = Seconds(usable),
                      .dec_s = Seconds(elapsed),
                      .acc_mps2 = acc_mps2_,
                      .degraded = state.degraded_limits,
                      .transition = tick_.now < transition_until_ || status_.probation > Nanos{0},
                      .derate = derating_->scale(),
                      .derate_reason = derating_->reason(),
                      .motion = motion_,
                      .joints_rad = {joints.data(), static_cast<size_t>(joints.size())},
                      .joints_radps = arm_motion_.speeds_radps(),
                      .joints_radps2 = arm_motion_.accelerations_radps2()};
  Enforce(policy, *separation_, wanted_, situation, enforcement_);
  tick_.enforced.assign(enforcement_.values.begin(), enforcement_.values.end());
  tick_.stop = tick_.enforced.empty();
  tick_.clamped = driven && enforcement_.clamped;
  if (state.driver == Driver::kModel && clamps_->Spent(tick_.clamped)) {
    late_ |= MaskOf(policy.clamp_budget().trigger);
  }
}

void Controller::BrakeAt(double dec_mps2, Nanos elapsed) {
  // An arm that got no target for longer than a period stands at its last one.
  const Nanos usable = twist_ ? elapsed : std::min(elapsed, rules_->policy.command().period);
  BrakeAlong(rules_->policy, last_,
             {.dec_mps2 = dec_mps2,
              .seconds = Seconds(usable),
              .joints_radps = arm_motion_.speeds_radps()},
             wanted_);
}

// An arm that still moves brakes first: its joints cannot jump to a halt.
void Controller::HoldStill(Nanos elapsed) {
  if (twist_) last_.assign(2, 0);
  tick_.stop = CommandIsZero();
  tick_.clamped = false;
  BrakeAt(0, elapsed);
  tick_.enforced.assign(wanted_.begin(), wanted_.end());
}

void Controller::Publish() {
  const Fallback& fallback = rules_->fallback;
  const StateRule& state = fallback.states()[status_.state];
  tick_.state = state.name;
  tick_.model_fault = false;
  for (TriggerMask left = status_.active; left != 0; left &= left - 1) {
    const TriggerRule& rule = fallback.triggers()[static_cast<size_t>(std::countr_zero(left))];
    tick_.triggers.push_back(rule.id);
    if (rule.layer == Layer::kModel) tick_.model_fault = true;
  }
  // They only trade their memory: what comes back was cleared when the tick began.
  tick_.reasons.swap(enforcement_.reasons);
  tick_.raw.swap(answer_.raw);
  tick_.confidence = answer_.report.confidence;
  tick_.uncertainty = answer_.report.uncertainty;
  tick_.infer = answer_.took;
  tick_.digest = state.driver == Driver::kPreviousUnit ? previous_digest_ : active_digest_;
  last_raw_.assign(tick_.raw.begin(), tick_.raw.end());
}

bool Controller::CommandIsZero() const {
  if (!twist_) return arm_motion_.stands();
  return std::all_of(last_.begin(), last_.end(), [](double v) { return v == 0; });
}

}  // namespace agent::runtime
