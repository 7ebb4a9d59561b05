#include "agent/runtime/derate.h"

namespace agent::runtime {
namespace {

// The signal's value; none when nobody measures it or it is too old to be believed.
std::optional<double> Measured(const DerateLimits& rule, const InputBoard& board, Nanos now) {
  const SignalEntry* entry = board.FindSignal(rule.signal);
  if (entry == nullptr || !entry->record.seen) return std::nullopt;
  if (now - entry->record.received > rule.max_age) return std::nullopt;
  return entry->value;
}

bool Released(const DerateLimits& rule, double value) {
  return rule.falls ? value <= rule.release_at : value >= rule.release_at;
}

}  // namespace

TriggerMask Derating::Judge(const InputBoard& board, Nanos now,
                            std::vector<std::string_view>& reasons) {
  TriggerMask raised = 0;
  scale_ = 1;
  reason_ = {};
  for (size_t i = 0; i < stopped_.size(); ++i) {
    const DerateLimits& rule = policy_->derate()[i];
    const std::optional<double> value = Measured(rule, board, now);
    double scale = value ? rule.scale.At(*value) : rule.absent_scale;
    const bool released = value && Released(rule, *value);
    if (stopped_[i] != 0 && !released) scale = 0;
    stopped_[i] = !(scale > 0);
    if (scale < scale_) {
      scale_ = scale;
      reason_ = rule.reason;
    }
    if (stopped_[i] == 0) continue;
    raised |= MaskOf(*rule.trigger);
    reasons.push_back(rule.reason);
  }
  return raised;
}

}  // namespace agent::runtime
