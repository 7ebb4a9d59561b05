#pragma once

#include <memory>

#include "agent/base/clock.h"
#include "agent/runtime/unit_rules.h"
#include "proto/robot.pb.h"
#include "tests/bench/hall_robot.h"

// The least that can be asked of a robot's policy: a base with an 8x8 time-of-flight grid, a byte
// each, and odometry. No scan, zones or requirements; every check that cannot be left out is there.

namespace bench {

// For a network of shape {1, 8, 8}.
Documents GridDocuments();
std::shared_ptr<const agent::runtime::UnitRules> GridRules();

gatekeeper::v1::Observation GridPacket();
void StampGrid(gatekeeper::v1::Observation& packet, agent::base::Nanos now);

}  // namespace bench
