#pragma once

#include "agent/runtime/policy.h"
#include "proto/robot.pb.h"

namespace gatekeeper::gates {

// Whether as many returns of the scan as a stop zone asks for lie in it. Of this one scan: how many
// scans in a row the policy waits for is the reaction that the gate judges.
bool StopZoneOccupied(const agent::runtime::Policy& policy, const v1::LaserScan& scan);

}  // namespace gatekeeper::gates
