#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "agent/base/clock.h"
#include "agent/trust/trust_policy.h"
#include "gatekeeper/server/enroller.h"
#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/store/blob_folder.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::server {

class RobotStream;
class ReceiptStream;

// What all calls share, under one lock: the core decides in microseconds to milliseconds (one
// durable write), so calls queue rather than race. gRPC's own threads, which are bounded, come in
// here; no call waits for another one.
class Hub {
 public:
  Hub(FleetCore& core, Enroller& enroller, store::Store& store, store::BlobFolder& blobs,
      const agent::trust::TrustPolicy& trust, const agent::base::Clock& clock)
      : core(core), enroller(enroller), store(store), blobs(blobs), trust(trust), clock(clock) {}

  Moment Now() const;
  // Gives out what the core wants sent to the robots' streams. Hold the lock.
  void Deliver();
  // Moves time on, delivers, and hands new receipts to rollback calls. Takes the lock.
  absl::Status Poll();

  std::mutex mutex;  // over everything below but blobs, trust and clock
  FleetCore& core;
  Enroller& enroller;
  store::Store& store;
  store::BlobFolder& blobs;
  const agent::trust::TrustPolicy& trust;
  const agent::base::Clock& clock;
  std::map<std::string, RobotStream*> robots;  // the newest stream of each connected robot
  std::set<ReceiptStream*> rollbacks;
};

}  // namespace gatekeeper::server
