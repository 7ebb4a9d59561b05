#include "agent/runtime/freshness.h"

#include <optional>

namespace agent::runtime {
namespace {

std::optional<InputFault> FaultOf(const InputLimits& limits, const ChannelRecord& record,
                                  const InputBoard& board, Nanos now) {
  if (now - record.received > limits.max_age) return InputFault::kOld;
  if (now - record.sent > limits.max_age) return InputFault::kLate;
  if (record.ahead > limits.max_future) return InputFault::kAhead;
  if (now - record.advanced > limits.stuck_after) return InputFault::kStuck;
  if (limits.min_valid_fraction > 0 && board.scan_valid_fraction() < limits.min_valid_fraction) {
    return InputFault::kBlind;
  }
  return std::nullopt;
}

std::optional<InputFault> DroppedSince(const Drops& before, const Drops& drops) {
  if (drops.backward != before.backward) return InputFault::kBackward;
  if (drops.out_of_order != before.out_of_order) return InputFault::kOutOfOrder;
  if (drops.unstamped != before.unstamped) return InputFault::kUnstamped;
  return std::nullopt;
}

}  // namespace

Freshness::Freshness(const Policy& policy) : policy_(&policy), seen_(policy.inputs().size()) {
  for (size_t i = 0; i < policy.inputs().size(); ++i) {
    const InputLimits& limits = policy.inputs()[i];
    kinds_.push_back(KindOf(limits.channel));
    of_kind_[static_cast<size_t>(kinds_[i])] |= uint64_t{1} << i;
    if (limits.required) required_ |= uint64_t{1} << i;
  }
}

TriggerMask Freshness::Judge(const InputBoard& board, Nanos now,
                             std::vector<std::string_view>& reasons) {
  TriggerMask raised = 0;
  fresh_ = 0;
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const InputLimits& limits = policy_->inputs()[i];
    const ChannelRecord* record = board.Heard(kinds_[i], limits.channel);
    std::optional<InputFault> fault;
    if (record != nullptr && record->seen) {
      fault = FaultOf(limits, *record, board, now);
      if (!fault) fresh_ |= uint64_t{1} << i;
    } else if (limits.required) {
      fault = InputFault::kMissing;
    }
    // What came with a bad stamp says more than what that led to.
    if (record != nullptr) {
      if (const auto dropped = DroppedSince(seen_[i], record->drops)) fault = dropped;
      seen_[i] = record->drops;
    }
    if (!fault) continue;
    raised |= MaskOf(limits.trigger);
    reasons.push_back(limits.reasons[static_cast<size_t>(*fault)]);
  }
  return raised;
}

bool IsFresh(const InputLimits& limits, const InputBoard& board, Nanos now) {
  const ChannelRecord* record = board.Find(limits.channel);
  return record != nullptr && !FaultOf(limits, *record, board, now);
}

}  // namespace agent::runtime
