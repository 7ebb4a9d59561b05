#include "agent/runtime/tick.h"

#include <string>

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

const char* NameOf(monitor::Verdict verdict) {
  if (verdict == monitor::Verdict::kHolds) return "holds";
  return verdict == monitor::Verdict::kViolated ? "violated" : "unknown";
}

// The field keeps the memory of elements that are gone.
void Assign(const std::vector<std::string_view>& words,
            google::protobuf::RepeatedPtrField<std::string>& field) {
  field.Clear();
  for (const std::string_view word : words) field.Add()->assign(word);
}

void Assign(const std::vector<double>& numbers, google::protobuf::RepeatedField<double>& field) {
  field.Clear();
  field.Add(numbers.begin(), numbers.end());
}

}  // namespace

// Field by field, because Clear would give the memory of messages inside back.
void WriteRecord(const Tick& tick, v1::TickRecord& record) {
  record.set_now_ns(tick.now.count());
  Assign(tick.raw, *record.mutable_raw());
  Assign(tick.enforced, *record.mutable_enforced());
  record.set_state(tick.state);
  Assign(tick.triggers, *record.mutable_triggers());
  Assign(tick.reasons, *record.mutable_reasons());
  record.set_confidence(tick.confidence);
  record.set_clearance_m(tick.clearance_m);
  record.set_infer_ns(tick.infer.count());
  record.set_deadline_missed(tick.deadline_missed);
  record.set_clamped(tick.clamped);
  record.set_unit_digest(tick.digest);
  record.set_uncertainty(tick.uncertainty);
  record.set_nearest_m(tick.nearest_m);
  record.set_derate(tick.derate);
  record.mutable_requirements()->Clear();
  for (const RequirementState& state : tick.requirements) {
    v1::RequirementState& written = *record.add_requirements();
    written.mutable_id()->assign(state.id);
    written.set_verdict(NameOf(state.verdict));
    written.set_robustness(state.robustness);
  }
}

void WriteCommand(const Tick& tick, uint64_t seq, int64_t stamp_ns, v1::Command& command) {
  command.set_seq(seq);
  command.set_stamp_ns(stamp_ns);
  Assign(tick.enforced, *command.mutable_values());
  command.set_stop(tick.stop);
  command.set_state(tick.state);
  command.set_unit_digest(tick.digest);
  Assign(tick.reasons, *command.mutable_reasons());
}

v1::TickRecord ToRecord(const Tick& tick) {
  v1::TickRecord record;
  WriteRecord(tick, record);
  return record;
}

}  // namespace agent::runtime
