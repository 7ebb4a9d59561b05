#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/lifecycle/links.h"
#include "proto/control.pb.h"

namespace agent::lifecycle {

using base::Nanos;

// The newest order to control, and when it was last said. A repeat keeps its number; another
// content gets the next one, so that an answer to an older order is never taken for one to the
// present order.
class OrderBook {
 public:
  // `life` counts the agent's starts: numbers rise over restarts.
  OrderBook(ControlLink& link, uint32_t life) : link_(link), life_(life) {}

  // What changes without making it another order.
  struct Flags {
    bool link_up = false;
    uint64_t events_acked = 0;
    std::optional<gatekeeper::v1::Recall> recall = {};
  };
  // Says `order` when it is new, when the flags changed, or when `every` went by.
  void Say(gatekeeper::v1::ControlOrder order, Flags flags, Nanos every, Nanos now);
  // Over a new connection everything is said again.
  void OnControlOpen() { said_at_.reset(); }
  // Did control act on the newest order? Before the first one any report counts.
  bool Answers(const gatekeeper::v1::ControlReport& report) const {
    return newest_.seq() == 0 || report.order_seq() == newest_.seq();
  }

 private:
  ControlLink& link_;
  const uint32_t life_;
  uint32_t count_ = 0;
  gatekeeper::v1::ControlOrder newest_;  // seq 0: none yet
  std::optional<Nanos> said_at_;
};

}  // namespace agent::lifecycle
