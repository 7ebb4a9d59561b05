#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/static_checks.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// A waiver/1 document that can stand: its gate exists and may be waived, two different people, a
// day of the calendar, a reason.
struct Waiver {
  v1::Waiver document;
  std::string file;
  std::string sha256;  // of its bytes, hex
};

// kInvalidArgument names file and line of one that cannot. integrity, static_policy, envelope and
// determinism are never waived: without them the others' evidence is worth nothing, or the robot
// leaves the ground that it may be on.
absl::StatusOr<std::vector<Waiver>> ParseWaivers(const std::vector<bundle::Document>& documents);

// Marks the results that do not hold and have a waiver for `unit` (name@version) that lasts on the
// UTC day of `wall_ms`; returns those that were used. A waiver for this unit and gate that has run
// out is told in the gate's findings.
std::vector<Waiver> ApplyWaivers(const std::vector<Waiver>& waivers, const std::string& unit,
                                 int64_t wall_ms, std::vector<v1::GateResult>& results);

}  // namespace gatekeeper::gates
