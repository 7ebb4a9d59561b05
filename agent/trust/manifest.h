#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/unit.pb.h"

namespace agent::trust {

inline constexpr size_t kMaxManifestBytes = size_t{256} << 10;
inline constexpr int kMaxUnitFiles = 256;
inline constexpr uint64_t kMaxUnitFileBytes = uint64_t{2}
                                              << 30;  // protobuf, hence ONNX, ends at 2 GiB
inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kModelFile[] = "model/model.onnx";
inline constexpr char kCardFile[] = "model/card.yaml";
inline constexpr char kGoldenFile[] = "model/golden.json";  // optional
inline constexpr char kPolicyFile[] = "policy/control_policy.yaml";
inline constexpr char kFallbackFile[] = "policy/fallback_rules.yaml";

// The one form a manifest is written in: keys sorted, no spaces, files in the order given.
std::string CanonicalManifest(const gatekeeper::v1::Manifest& manifest);

// What a unit may call the revision of its safety case: one line of UTF-8, or nothing.
inline constexpr size_t kMaxSafetyCase = 200;
bool IsSafetyCase(const std::string& text);

bool HasFile(const gatekeeper::v1::Manifest& manifest, std::string_view path);

// Takes only bytes that CanonicalManifest would write, sorted by path and holding at least model,
// card, policy and fallback rules. kInvalidArgument says what is wrong.
absl::StatusOr<gatekeeper::v1::Manifest> ParseManifest(std::string_view bytes);

// What ParseManifest demands of the content; makers of manifests call it before they write one.
absl::Status CheckManifest(const gatekeeper::v1::Manifest& manifest);

// A path of a unit: relative, parts of [A-Za-z0-9._+-], none of them "." or "..", at most 512
// bytes.
absl::Status CheckUnitPath(std::string_view path);

}  // namespace agent::trust
