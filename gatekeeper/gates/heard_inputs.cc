#include "gatekeeper/gates/heard_inputs.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "agent/base/status_macros.h"
#include "gatekeeper/faults/channel.h"
#include "gatekeeper/faults/stream.h"
#include "gatekeeper/gates/fault_actor.h"
#include "gatekeeper/gates/obedient_robot.h"

namespace gatekeeper::gates {
namespace {

using agent::recording::RecordedItem;

// The way of RunReplay's inputs, with ticks that are known already.
class Hearing {
 public:
  Hearing(const agent::runtime::Policy& policy, const Fault& fault,
          const std::vector<v1::TickRecord>& ticks,
          const agent::recording::ObservationReader::Callback& hear)
      : fault_(fault), ticks_(ticks), hear_(hear), robot_(policy), stream_(StagesOf(fault)) {}

  absl::Status Take(const RecordedItem& item) {
    if (std::holds_alternative<v1::TickRecord>(item.content)) return absl::OkStatus();
    const int64_t now = item.log_time_ns;
    RETURN_IF_ERROR(StepBefore(now));
    last_ns_ = std::max(last_ns_, now);
    if (std::holds_alternative<v1::Command>(item.content)) return hear_(item);
    const v1::Observation& observation = std::get<v1::Observation>(item.content);
    return Tell(observation, now);
  }

  // The world stands still behind the recording's end, but its sensors go on.
  absl::Status Finish(bool outlives) {
    RETURN_IF_ERROR(StepBefore(last_ns_ + 1));
    const int64_t end_ns = last_ns_;
    const v1::Observation still = newest_;
    while (outlives && next_ < ticks_.size()) {
      const int64_t now = ticks_[next_].now_ns();
      v1::Observation shifted = still;
      faults::ShiftStamps(now - end_ns, shifted);
      RETURN_IF_ERROR(Tell(std::move(shifted), now));
      RETURN_IF_ERROR(StepBefore(now + 1));
    }
    return StepBefore(INT64_MAX);
  }

 private:
  absl::Status StepBefore(int64_t now) {
    for (; next_ < ticks_.size() && ticks_[next_].now_ns() < now; ++next_) {
      const v1::TickRecord& tick = ticks_[next_];
      RETURN_IF_ERROR(Deliver(tick.now_ns()));
      if (fault_.Obeys(tick.now_ns()))
        robot_.Drive({tick.enforced().begin(), tick.enforced().end()});
    }
    return absl::OkStatus();
  }

  absl::Status Tell(v1::Observation observation, int64_t now) {
    if (fault_.Obeys(now)) robot_.Answer(observation);
    Apply(fault_, now, observation);
    if (fault_.closed()) {
      v1::Observation next = observation;
      faults::FillGaps(newest_, next);
      newest_ = std::move(next);
    }
    TouchPacket(fault_, now, observation);
    stream_.Take({now, now, std::move(observation)});
    return Deliver(now);
  }

  absl::Status Deliver(int64_t now) {
    for (faults::Message& message : stream_.Due(now)) {
      if (!LinkIsUp(fault_, message.at_ns)) message.observation.set_network_up(false);
      RETURN_IF_ERROR(
          hear_({.log_time_ns = message.at_ns, .content = std::move(message.observation)}));
    }
    return absl::OkStatus();
  }

  const Fault& fault_;
  const std::vector<v1::TickRecord>& ticks_;
  const agent::recording::ObservationReader::Callback& hear_;
  ObedientRobot robot_;
  faults::Stream stream_;
  v1::Observation newest_;  // of every channel; with a closed loop only
  size_t next_ = 0;         // of the ticks
  int64_t last_ns_ = 0;
};

}  // namespace

absl::Status ForEachHeard(const Scenario& scenario, const agent::runtime::Policy& policy,
                          const Fault& fault, const std::vector<v1::TickRecord>& ticks,
                          const agent::recording::ObservationReader::Callback& hear) {
  const auto& channels = scenario.document.channels();
  ASSIGN_OR_RETURN(
      const auto reader,
      agent::recording::ObservationReader::Open(
          scenario.recording, agent::recording::ChannelMap(channels.begin(), channels.end())));
  Hearing hearing(policy, fault, ticks, hear);
  const int64_t until_ns = fault.closed() ? fault.until_ns : INT64_MAX;
  RETURN_IF_ERROR(reader.ForEach(fault.from_ns, until_ns,
                                 [&](const RecordedItem& item) { return hearing.Take(item); }));
  return hearing.Finish(fault.closed() && until_ns > reader.end_ns());
}

}  // namespace gatekeeper::gates
