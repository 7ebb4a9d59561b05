#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/daemon/credentials.h"

namespace agent::daemon {

struct EnrolOptions {
  std::string address;    // host:port of the gatekeeper's enrolment port
  std::string token;      // single use
  std::string robot;      // the name the token was made for
  std::string ca_sha256;  // 64 hex digits: which authority to believe
};

// One try: pins the authority, has a certificate issued for this robot's own key, keeps it.
// kUnavailable: try again; anything else will not change by trying, and says what to do. Blocks for
// some seconds at most.
absl::Status Enrol(const EnrolOptions& options, CredentialStore& store, const base::Clock& clock);

// Tries until it is done, refused, or `stop_fd` becomes readable (kCancelled). One log line per
// trouble.
absl::Status EnrolPatiently(const EnrolOptions& options, CredentialStore& store,
                            const base::Clock& clock, int stop_fd);

}  // namespace agent::daemon
