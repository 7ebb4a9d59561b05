#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/store/blob_folder.h"
#include "gatekeeper/store/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sealed_unit.h"

namespace tests::journeys {

namespace v1 = ::gatekeeper::v1;

// The gatekeeper's half of a journey: the real FleetCore over a real SQLite file and a real blob
// folder; what `gatekeeper serve` wraps in gRPC is called directly.
class Headquarters {
 public:
  Headquarters(std::string folder, const FakeClock& clock);

  // kill -9 and a new process on the same files; its own monotonic clock begins anew.
  void Restart();

  gatekeeper::server::FleetCore& core() { return *core_; }
  gatekeeper::server::Moment Now() const;

  // As CI pushes it: papers first, then the files; everything is verified.
  absl::Status Push(const SealedUnit& unit);
  // As somebody who can write the gatekeeper's disk would put it there: nothing is verified.
  absl::Status Smuggle(const SealedUnit& unit);

  // What a robot's bulk connection asks for.
  absl::StatusOr<v1::UnitPapers> Papers(const std::string& digest);
  absl::StatusOr<std::string> Blob(const std::string& sha256) const;

 private:
  void Open();

  const std::string folder_;
  const FakeClock& clock_;
  agent::base::Nanos began_{};
  std::unique_ptr<gatekeeper::store::Store> store_;
  std::optional<gatekeeper::store::BlobFolder> blobs_;
  std::unique_ptr<gatekeeper::server::FleetCore> core_;
};

}  // namespace tests::journeys
