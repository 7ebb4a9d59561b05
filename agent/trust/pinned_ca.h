#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/trust/hash.h"

namespace agent::trust {

// First contact of a robot that knows nothing but the fingerprint of its gatekeeper's authority:
// opens a TLS connection to host:port, believes nothing of it, and looks among the certificates
// shown for the one whose SHA-256 (of its DER bytes) is `pin`. That one is returned as PEM, to be
// the only root of the connections that follow; those verify the server properly. Nothing is sent
// but the handshake. kUnavailable: no connection or no handshake within 5 s; kPermissionDenied: the
// authority of this server is another one. Blocks. The server must send its authority's certificate
// with its own.
absl::StatusOr<std::string> FetchPinnedCa(const std::string& host, uint16_t port,
                                          const Digest& pin);

}  // namespace agent::trust
