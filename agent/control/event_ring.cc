#include "agent/control/event_ring.h"

#include <algorithm>
#include <utility>

namespace agent::control {

uint64_t EventRing::Add(int64_t wall_ms, std::string kind, std::string unit_digest,
                        std::string detail, Blame blame) {
  if (events_.size() == kCapacity) {
    const auto least = std::ranges::find_if(
        events_, [](const ::gatekeeper::v1::ControlEvent& event) { return event.cause().empty(); });
    events_.erase(least == events_.end() ? events_.begin() : least);
  }
  if (detail.size() > kMaxDetail) {
    size_t end = kMaxDetail;  // never inside a UTF-8 character
    while (end > 0 && (static_cast<uint8_t>(detail[end]) & 0xc0) == 0x80) --end;
    detail.resize(end);
  }
  ::gatekeeper::v1::ControlEvent& event = events_.emplace_back();
  event.set_seq(next_);
  event.set_wall_ms(wall_ms);
  event.set_kind(std::move(kind));
  event.set_unit_digest(std::move(unit_digest));
  event.set_detail(std::move(detail));
  event.set_cause(std::move(blame.cause));
  event.set_layer(std::move(blame.layer));
  return next_++;
}

void EventRing::Acknowledge(uint64_t seq) {
  if (seq >= next_) return;
  while (!events_.empty() && events_.front().seq() <= seq) events_.pop_front();
}

bool EventRing::Holds(uint64_t seq) const {
  return std::ranges::any_of(
      events_, [seq](const ::gatekeeper::v1::ControlEvent& event) { return event.seq() == seq; });
}

}  // namespace agent::control
