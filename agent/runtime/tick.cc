#include "agent/runtime/tick.h"

#include <string>

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

const char* NameOf(RequirementVerdict verdict) {
  if (verdict == RequirementVerdict::kHolds) return "holds";
  return verdict == RequirementVerdict::kViolated ? "violated" : "unknown";
}

void Write(const LatencySplit& latency, v1::LatencySplit& record) {
  record.set_wait_ns(latency.wait.count());
  record.set_copy_ns(latency.copy.count());
  record.set_run_ns(latency.run.count());
  record.set_check_ns(latency.check.count());
  record.set_publish_ns(latency.publish.count());
}

}  // namespace

gatekeeper::v1::TickRecord ToRecord(const Tick& tick) {
  gatekeeper::v1::TickRecord record;
  record.set_now_ns(tick.now.count());
  record.mutable_raw()->Add(tick.raw.begin(), tick.raw.end());
  record.mutable_enforced()->Add(tick.enforced.begin(), tick.enforced.end());
  record.set_state(tick.state);
  for (std::string_view trigger : tick.triggers) record.add_triggers(std::string(trigger));
  for (std::string_view reason : tick.reasons) record.add_reasons(std::string(reason));
  record.set_confidence(tick.confidence);
  record.set_clearance_m(tick.clearance_m);
  record.set_infer_ns(tick.infer.count());
  record.set_deadline_missed(tick.deadline_missed);
  record.set_clamped(tick.clamped);
  record.set_unit_digest(tick.digest);
  record.set_uncertainty(tick.uncertainty);
  record.set_nearest_m(tick.nearest_m);
  record.set_derate(tick.derate);
  Write(tick.latency, *record.mutable_latency());
  for (const RequirementState& state : tick.requirements) {
    v1::RequirementState& written = *record.add_requirements();
    written.set_id(std::string(state.id));
    written.set_verdict(NameOf(state.verdict));
    written.set_robustness(state.robustness);
  }
  return record;
}

gatekeeper::v1::Command ToCommand(const Tick& tick, uint64_t seq, int64_t stamp_ns) {
  gatekeeper::v1::Command command;
  command.set_seq(seq);
  command.set_stamp_ns(stamp_ns);
  command.mutable_values()->Add(tick.enforced.begin(), tick.enforced.end());
  command.set_stop(tick.stop);
  command.set_state(tick.state);
  command.set_unit_digest(tick.digest);
  for (std::string_view reason : tick.reasons) command.add_reasons(std::string(reason));
  return command;
}

}  // namespace agent::runtime
