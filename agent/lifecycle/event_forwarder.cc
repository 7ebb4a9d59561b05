#include "agent/lifecycle/event_forwarder.h"

#include <vector>

#include "agent/base/status_macros.h"

namespace agent::lifecycle {
namespace {

constexpr size_t kUnderWay = 64;

}  // namespace

void EventForwarder::OnLinkOpen() {
  under_way_.clear();
  newest_sent_ = 0;
  look_ = true;
}

absl::Status EventForwarder::OnAck(uint64_t id) {
  RETURN_IF_ERROR(journal_.Acknowledge(id));
  under_way_.erase(id);
  look_ = true;
  return absl::OkStatus();
}

absl::Status EventForwarder::Forward() {
  if (!look_ || under_way_.size() >= kUnderWay) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<gatekeeper::v1::RobotEvent> events,
                   journal_.Outbox(newest_sent_, static_cast<int>(kUnderWay - under_way_.size())));
  look_ = false;
  for (const gatekeeper::v1::RobotEvent& event : events) {
    gatekeeper::v1::AgentMessage message;
    *message.mutable_event() = event;
    if (!link_.Send(message).ok()) return absl::OkStatus();  // the next connection sends it again
    under_way_.insert(event.id());
    newest_sent_ = event.id();
  }
  return absl::OkStatus();
}

}  // namespace agent::lifecycle
