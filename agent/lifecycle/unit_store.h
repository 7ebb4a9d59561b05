#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/files.h"
#include "agent/lifecycle/blob_store.h"
#include "agent/lifecycle/machine.h"
#include "agent/trust/trust_policy.h"
#include "proto/fleet.pb.h"
#include "proto/unit.pb.h"

namespace agent::lifecycle {

// What an agent keeps of units under its state folder:
//   STATE/trust.json             which keys may say what; written at enrolment, read at each
//   verification STATE/agent/papers/<digest>  a unit's manifest and seals (UnitPapers), verified
//   before they are kept STATE/blobs/<sha256>         its files while they arrive
//   STATE/slots/<digest>/        the whole unit; the folder's existence means that it was verified
//   whole
// One thread at a time, except Has*, which only look.
class UnitStore {
 public:
  UnitStore(base::Files& files, std::string state_folder);

  BlobStore& blobs() { return blobs_; }
  OnDisk Holds(const std::string& digest) const;
  absl::StatusOr<trust::TrustPolicy> Trust() const;

  absl::Status SavePapers(const std::string& digest, const gatekeeper::v1::UnitPapers& papers);
  // Verified again, by the trust of now. kDataLoss when they are damaged.
  absl::StatusOr<gatekeeper::v1::Manifest> Manifest(const std::string& digest) const;

  // Is there room for what is missing of the unit, for its slot, and for `reserve_bytes` beside
  // them? kResourceExhausted with the figures when not.
  absl::Status FindSpace(const gatekeeper::v1::Manifest& manifest, uint64_t reserve_bytes) const;
  // Builds the slot from papers and blobs in a temporary folder, verifies it as a whole, syncs,
  // renames. Nothing is left behind on failure. A slot that stands already is left alone.
  absl::Status BuildSlot(const std::string& digest);
  // Drops every slot and papers not in `keep`, half-built slots, and all blobs but those of the
  // unit `arriving` (may be empty).
  absl::Status KeepOnly(const std::set<std::string>& keep, const std::string& arriving);

  std::string SlotOf(const std::string& digest) const { return slots_ + "/" + digest; }

 private:
  absl::StatusOr<gatekeeper::v1::UnitPapers> Papers(const std::string& digest) const;
  absl::Status FillSlot(const std::string& folder, const std::string& digest);

  base::Files& files_;
  std::string state_;
  std::string papers_;
  std::string slots_;
  BlobStore blobs_;
};

}  // namespace agent::lifecycle
