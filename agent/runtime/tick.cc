#include "agent/runtime/tick.h"

#include <string>

namespace agent::runtime {

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
