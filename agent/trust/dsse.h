#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/trust/keys.h"
#include "nlohmann/json.hpp"

namespace agent::trust {

// Signed statements: an in-toto statement in a DSSE envelope in a Sigstore bundle v0.3, one
// signature a bundle, so that cosign and sigstore-js check them too.
// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
inline constexpr size_t kMaxBundleBytes = size_t{1} << 20;
inline constexpr char kStatementPayloadType[] = "application/vnd.in-toto+json";

// DSSE pre-authentication encoding: the bytes that are really signed.
std::string Pae(std::string_view payload_type, std::string_view payload);

// A bundle (canonical JSON) over `statement_json`.
absl::StatusOr<std::string> SignStatement(std::string_view statement_json, const PrivateKey& key);

// Verifies first, parses the statement after. `what` names the bundle in errors
// ("vsa.sigstore.json"). kPermissionDenied: signed by none of `keys`, or the signature does not
// hold; kInvalidArgument: not a bundle of this kind (unknown or repeated field, several signatures,
// too large).
absl::StatusOr<nlohmann::json> OpenStatement(std::string_view bundle,
                                             std::span<const PublicKey> keys,
                                             std::string_view what);

// The same, and which of `keys` signed.
struct SignedStatement {
  nlohmann::json statement;
  PublicKey signer;
};
absl::StatusOr<SignedStatement> OpenSigned(std::string_view bundle, std::span<const PublicKey> keys,
                                           std::string_view what);

}  // namespace agent::trust
