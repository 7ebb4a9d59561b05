#pragma once

#include <deque>
#include <string>

#include "proto/control.pb.h"

namespace agent::control {

// The trigger that holds a robot where it stopped, and whose layer that is; empty for all events
// but stops.
struct Blame {
  std::string cause = {};
  std::string layer = {};
};

// What happened, kept until the agent has said that it has it. Bounded: the oldest events give way,
// stops only to other stops, and the next report shows that in the gap of their numbers.
class EventRing {
 public:
  // `life` makes numbers rise over restarts too: event n of a life is life * 2^20 + n.
  explicit EventRing(uint64_t life) : next_((life << 20) + 1) {}

  // Returns the event's number. `detail` is cut to kMaxDetail bytes.
  uint64_t Add(int64_t wall_ms, std::string kind, std::string unit_digest, std::string detail,
               Blame blame = {});
  // Drops events up to `seq`. A number that was not given out yet comes from a mixed-up agent:
  // ignored.
  void Acknowledge(uint64_t seq);
  // Whether the event of that number still waits to be acknowledged.
  bool Holds(uint64_t seq) const;
  const std::deque<::gatekeeper::v1::ControlEvent>& pending() const { return events_; }

 private:
  static constexpr size_t kCapacity = 128;
  static constexpr size_t kMaxDetail = 500;  // 128 full events still fit into one packet
  std::deque<::gatekeeper::v1::ControlEvent> events_;
  uint64_t next_;
};

}  // namespace agent::control
