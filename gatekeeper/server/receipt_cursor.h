#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gatekeeper/server/fleet_core.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::server {

// Reads a rollback's receipts out as robots answer: one a robot, then the summary. Robots that have
// not answered by `deadline_ms` (gatekeeper clock) are named unreachable; their order stands.
class ReceiptCursor {
 public:
  ReceiptCursor(std::string incident, int64_t deadline_ms)
      : incident_(std::move(incident)), deadline_ms_(deadline_ms) {}

  // The receipts that are new since the last call. After the summary came out, nothing more will.
  std::vector<v1::RollbackReceipt> Take(const FleetCore& core, Moment now);
  bool done() const { return done_; }

 private:
  std::string incident_;
  int64_t deadline_ms_;
  std::set<std::string> given_;
  bool done_ = false;
};

}  // namespace gatekeeper::server
