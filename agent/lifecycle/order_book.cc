#include "agent/lifecycle/order_book.h"

#include <algorithm>
#include <utility>

namespace agent::lifecycle {
namespace {

using gatekeeper::v1::ControlOrder;

bool SameContent(const ControlOrder& a, const ControlOrder& b) {
  return a.candidate_digest() == b.candidate_digest() && a.stage() == b.stage() &&
         a.reason() == b.reason() && a.release_quarantine() == b.release_quarantine() &&
         a.acknowledge() == b.acknowledge() &&
         std::ranges::equal(a.rearm_approvals(), b.rearm_approvals());
}

}  // namespace

void OrderBook::Say(ControlOrder order, Flags flags, Nanos every, Nanos now) {
  const bool repeat = newest_.seq() != 0 && SameContent(order, newest_);
  if (!repeat) ++count_;
  order.set_seq(uint64_t{life_} << 32 | count_);
  order.set_link_up(flags.link_up);
  order.set_events_acked(flags.events_acked);
  if (flags.recall) *order.mutable_recall() = *std::move(flags.recall);
  const bool news = !repeat || order.link_up() != newest_.link_up() ||
                    order.events_acked() != newest_.events_acked() ||
                    order.recall().SerializeAsString() != newest_.recall().SerializeAsString() ||
                    order.has_recall() != newest_.has_recall();
  if (!news && said_at_ && now < *said_at_ + every) return;
  newest_ = order;
  // Not there or its queue is full: the order stands, and is said again when it is due.
  if (link_.Send(order).ok() || said_at_) said_at_ = now;
}

}  // namespace agent::lifecycle
