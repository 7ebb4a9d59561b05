#pragma once

#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "agent/lifecycle/journal.h"
#include "agent/lifecycle/links.h"

namespace agent::lifecycle {

// Sends what stands in the journal's outbox, oldest first, until the gatekeeper has acknowledged
// it; all of it again over each new connection. A few are under way at a time, so that a long list
// after weeks away does not stand before fresh reports.
class EventForwarder {
 public:
  EventForwarder(Journal& journal, GatekeeperLink& link) : journal_(journal), link_(link) {}

  void OnLinkOpen();
  absl::Status OnAck(uint64_t id);
  // There may be something new in the outbox.
  void Look() { look_ = true; }
  // Call while the link is open. Errors are the journal's.
  absl::Status Forward();

 private:
  Journal& journal_;
  GatekeeperLink& link_;
  std::set<uint64_t> under_way_;
  uint64_t newest_sent_ = 0;  // over the present connection
  bool look_ = true;
};

}  // namespace agent::lifecycle
