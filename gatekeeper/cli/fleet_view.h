#pragma once

#include <string>

#include "proto/fleet.pb.h"

namespace gatekeeper::cli {

// One line a robot: what it runs, what it shall run, how far it is, and what stands in the way.
std::string FleetTable(const v1::FleetView& fleet);

// "PHASE wave 2/3 half  nav@1.1.0 ..." and one line a robot.
std::string RolloutText(const v1::RolloutView& view);

// "TRIAL" and the like, without the enum's prefixes, in lower case.
std::string PhaseName(v1::RolloutPhase phase);
bool HasEnded(v1::RolloutPhase phase);

}  // namespace gatekeeper::cli
