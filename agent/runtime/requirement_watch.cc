#include "agent/runtime/requirement_watch.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {
namespace {

using monitor::Outcome;
using monitor::Reading;
using monitor::Verdict;
using Source = RequirementSignal::Source;

// What a tick and its inputs tell.
struct Told {
  const Policy& policy;
  const InputBoard& board;
  const Freshness& freshness;
  const Tick& tick;

  Reading IfKnown(double value) const { return std::isnan(value) ? Reading{} : Reading{value}; }
  Reading IfOdometry(double value) const {
    return freshness.IsFresh(ChannelKind::kOdom) ? Reading{value} : Reading{};
  }
  Reading IfAnswered(double value) const { return tick.raw.empty() ? Reading{} : Reading{value}; }
  static Reading Field(const std::vector<double>& values, size_t index) {
    return index < values.size() ? Reading{values[index]} : Reading{};
  }
  Reading Nearest() const {
    if (!freshness.IsFresh(ChannelKind::kScan)) return {};
    return std::isnan(tick.nearest_m) ? monitor::kInfinity : tick.nearest_m;
  }
  Reading Channel(size_t input) const {
    if (!freshness.IsFresh(input)) return {};
    return board.FindSignal(policy.inputs()[input].channel)->value;
  }
  Reading Of(const RequirementSignal& signal) const;
};

Reading Told::Of(const RequirementSignal& signal) const {
  switch (signal.source) {
    case Source::kEnforced:
      return Field(tick.enforced, signal.index);
    case Source::kRaw:
      return Field(tick.raw, signal.index);
    case Source::kStop:
      return tick.stop ? 1.0 : 0.0;
    case Source::kSpeed:
      return IfOdometry(board.odom().vx_mps());
    case Source::kYawRate:
      return IfOdometry(board.odom().wz_radps());
    case Source::kX:
      return IfOdometry(board.odom().x_m());
    case Source::kY:
      return IfOdometry(board.odom().y_m());
    case Source::kClearance:
      return IfKnown(tick.clearance_m);
    case Source::kNearest:
      return Nearest();
    case Source::kConfidence:
      return IfAnswered(tick.confidence);
    case Source::kUncertainty:
      return IfAnswered(tick.uncertainty);
    case Source::kDerate:
      return tick.derate;
    default:  // kChannel
      return Channel(signal.index);
  }
}

bool IsWorse(const Outcome& one, const Outcome& other) {
  if (one.verdict == other.verdict) return one.robustness < other.robustness;
  return one.verdict == Verdict::kViolated || other.verdict == Verdict::kHolds;
}

}  // namespace

RequirementWatch::RequirementWatch(const Policy& policy)
    : policy_(&policy), readings_(policy.requirement_signals().size()) {
  for (const RequirementRule& rule : policy.requirements()) {
    watched_.push_back({monitor::Monitor(rule.formula), {.id = rule.id}});
  }
}

TriggerMask RequirementWatch::Step(const InputBoard& board, const Freshness& freshness,
                                   Tick& tick) {
  tick.requirements.clear();
  const Told told{*policy_, board, freshness, tick};
  for (size_t i = 0; i < readings_.size(); ++i) {
    readings_[i] = told.Of(policy_->requirement_signals()[i]);
  }
  TriggerMask raised = 0;
  for (size_t i = 0; i < watched_.size(); ++i) {
    Watched& watched = watched_[i];
    const auto outcomes = watched.monitor.Step(tick.now, readings_);
    if (!outcomes.empty()) {
      // A violation is never hidden by what came after it.
      const Outcome& worst = *std::min_element(outcomes.begin(), outcomes.end(), IsWorse);
      watched.state.verdict = worst.verdict;
      watched.state.robustness = worst.robustness;
      if (worst.verdict == Verdict::kViolated) raised |= MaskOf(policy_->requirements()[i].trigger);
    }
    tick.requirements.push_back(watched.state);
  }
  return raised;
}

}  // namespace agent::runtime
