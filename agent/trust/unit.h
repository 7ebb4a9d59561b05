#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/trust/hash.h"
#include "agent/trust/trust_policy.h"
#include "proto/unit.pb.h"

namespace agent::trust {

inline constexpr char kSealFolder[] = "seal";
inline constexpr char kUnitBundle[] = "unit.sigstore.json";
inline constexpr char kVerdictBundle[] = "vsa.sigstore.json";

// A unit folder in which every byte is what manifest.json says. Nobody has vouched for it yet.
class IntactUnit {
 public:
  const Digest& digest() const { return digest_; }  // SHA-256 of manifest.json: the unit's identity
  const gatekeeper::v1::Manifest& manifest() const { return manifest_; }
  const std::string& manifest_bytes() const { return manifest_bytes_; }
  const std::string& folder() const { return folder_; }
  // Bytes of one file of the manifest, hashed again as they were read: a file swapped since the
  // check is kDataLoss. kNotFound when the manifest lists no such path.
  absl::StatusOr<std::string> Read(std::string_view path) const;

 private:
  friend absl::StatusOr<IntactUnit> VerifyFiles(const std::string& folder);
  friend class VerifiedUnit;
  IntactUnit() = default;

  Digest digest_;
  gatekeeper::v1::Manifest manifest_;
  std::string manifest_bytes_;
  std::string folder_;
};

// A unit that a robot may run: intact, signed by a build key, and judged PASSED by a gate key.
class VerifiedUnit {
 public:
  const Digest& digest() const { return files_.digest(); }
  const gatekeeper::v1::Manifest& manifest() const { return files_.manifest(); }
  const std::string& manifest_bytes() const { return files_.manifest_bytes(); }
  const std::string& folder() const { return files_.folder(); }
  absl::StatusOr<std::string> Read(std::string_view path) const { return files_.Read(path); }

 private:
  friend absl::StatusOr<VerifiedUnit> VerifyUnit(const std::string& folder,
                                                 const TrustPolicy& trust);
  explicit VerifiedUnit(IntactUnit files) : files_(std::move(files)) {}

  IntactUnit files_;
};

// Structure and digests without signatures: manifest.json, each file's size and SHA-256, nothing
// else in the folder but seal/ with its two files, no links, devices or set-id bits. kDataLoss
// names the file and what was found and wanted; kInvalidArgument: manifest.json itself is
// malformed; kNotFound: no such folder.
absl::StatusOr<IntactUnit> VerifyFiles(const std::string& folder);

// The same, and both bundles: kPermissionDenied when a signature, key, verdict, level or subject is
// not what `trust` demands. The papers are verified before manifest.json is parsed.
absl::StatusOr<VerifiedUnit> VerifyUnit(const std::string& folder, const TrustPolicy& trust);

// Before anything is downloaded: do these papers let the unit `expected` be believed?
// `seal`: file name under seal/ -> bytes. kDataLoss when the manifest is not `expected`.
absl::StatusOr<gatekeeper::v1::Manifest> VerifyPapers(
    std::string_view manifest, const std::map<std::string, std::string>& seal,
    const Digest& expected, const TrustPolicy& trust);

}  // namespace agent::trust
