#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/files.h"
#include "proto/unit.pb.h"

namespace agent::lifecycle {

// FOLDER/<sha256>: files of units by their digest, while a unit is on its way. A name without a
// suffix exists only when every byte is there and hashes; what is not complete yet is
// <sha256>.part, and how far a transfer got is nothing but its length. One thread at a time.
class BlobStore {
 public:
  BlobStore(base::Files& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  bool Has(const std::string& sha256) const { return files_.Exists(PathOf(sha256)); }
  std::string PathOf(const std::string& sha256) const { return folder_ + "/" + sha256; }
  // Where to resume a transfer; 0 to begin. A partial file as long as `size` or longer was never
  // finished properly: it is removed.
  absl::StatusOr<uint64_t> Resume(const gatekeeper::v1::UnitFile& file);
  // kDataLoss when the bytes would pass the size the manifest gives; the partial file is removed
  // then, also when the disk is full (kResourceExhausted).
  absl::Status Append(const gatekeeper::v1::UnitFile& file, std::string_view bytes);
  // Hashes, syncs, renames. kDataLoss: other bytes than the digest says; the partial file is
  // removed. kUnavailable: bytes are missing still.
  absl::Status Finish(const gatekeeper::v1::UnitFile& file);
  // Bytes of `manifest` that are not here yet.
  uint64_t MissingBytes(const gatekeeper::v1::Manifest& manifest) const;
  // Removes every blob, whole or partial, whose digest is not in `keep`.
  absl::Status KeepOnly(const std::set<std::string>& keep);

 private:
  std::string PartOf(const std::string& sha256) const { return PathOf(sha256) + ".part"; }
  absl::Status Drop(const std::string& sha256, absl::Status why);

  base::Files& files_;
  std::string folder_;
  uint64_t unsynced_ = 0;  // bytes appended since the last sync
};

}  // namespace agent::lifecycle
