#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "agent/lifecycle/links.h"
#include "agent/lifecycle/machine.h"
#include "agent/lifecycle/unit_store.h"

namespace agent::lifecycle {

// A piece of slow work for one unit.
struct Task {
  TaskKind kind = TaskKind::kGetPapers;
  gatekeeper::v1::DesiredState desired;  // names the unit
  uint64_t ticket = 0;                   // tells an answer that nobody waits for any more
  std::set<std::string> keep = {};       // kCollectGarbage: digests of units that must stay
};

// Does the tasks: gets papers and files from the gatekeeper, builds slots. Blocks; one task at a
// time, on the thread of whoever drives the agent (a thread of its own in the daemon, inline in
// tests).
class Porter {
 public:
  // `reserve_bytes` stay free whatever a unit needs, for the journal, recordings and everybody
  // else.
  Porter(UnitStore& store, GatekeeperLink& link, uint64_t reserve_bytes)
      : store_(store), link_(link), reserve_bytes_(reserve_bytes) {}

  // OK, kUnavailable (try again later, nothing is lost), or why this unit can not be had. Ends with
  // kCancelled soon after `cancelled` became true.
  absl::Status Run(const Task& task, const std::atomic<bool>& cancelled);

 private:
  absl::Status GetPapers(const Task& task);
  absl::Status FetchFiles(const Task& task, const std::atomic<bool>& cancelled);
  absl::Status FetchFile(const gatekeeper::v1::UnitFile& file, const std::atomic<bool>& cancelled);

  UnitStore& store_;
  GatekeeperLink& link_;
  uint64_t reserve_bytes_;
};

}  // namespace agent::lifecycle
