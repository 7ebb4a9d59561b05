#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// The gates' thresholds as the safety team wrote them, with the digest of the very bytes.
struct Suite {
  v1::GateSuite document;
  agent::base::Digest sha256;
};

// Reads a gate_suite/1 document. Every demanded section must stand in it and every number must be
// able to refuse something: nothing here can switch a gate off. kInvalidArgument names file, line
// and column.
absl::StatusOr<Suite> ParseSuite(std::string_view yaml, const std::string& file);

}  // namespace gatekeeper::gates
