#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/trust/statements.h"
#include "agent/trust/trust_policy.h"
#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/store/blob_folder.h"
#include "gatekeeper/store/store.h"
#include "proto/fleet.pb.h"
#include "proto/unit.pb.h"

namespace gatekeeper::server {

// One unit arriving: papers first, then the files the gatekeeper does not have yet. Nothing of a
// unit whose papers do not hold is kept, and a unit is known only once every file is here, byte for
// byte.
class UnitUpload {
 public:
  UnitUpload(store::BlobFolder& blobs, const agent::trust::TrustPolicy& trust)
      : blobs_(blobs), trust_(trust) {}

  // kInvalidArgument: order of parts, a file the manifest does not name. kPermissionDenied: papers.
  // kDataLoss: bytes. Needs no lock: it touches only this upload's own files.
  absl::Status Accept(const v1::PushUnitRequest& part);
  // Makes the unit known; of one that is known already it keeps what its papers say of a step to a
  // looser unit (a unit may be judged beside several). kFailedPrecondition: files are missing.
  // kAlreadyExists: the version is taken by another unit. Hold the core's lock.
  absl::StatusOr<v1::PushUnitReply> Finish(store::Store& store, const std::string& actor,
                                           Moment now);

 private:
  absl::Status AcceptPapers(const v1::UnitPapers& papers);
  absl::Status AcceptBlob(const v1::BlobPart& part);
  absl::Status EndBlob();
  absl::Status KeepStep(store::Store& store, const std::string& actor, Moment now) const;

  store::BlobFolder& blobs_;
  const agent::trust::TrustPolicy& trust_;
  v1::UnitPapers papers_;
  v1::Manifest manifest_;
  std::string digest_;  // empty: no papers yet
  std::optional<agent::trust::LooserStep> looser_;
  std::string current_sha256_;
  std::unique_ptr<store::BlobWriter>
      current_;  // null while a file we have already is being skipped
};

}  // namespace gatekeeper::server
