#pragma once

#include <string_view>
#include <vector>

#include "agent/runtime/policy.h"

namespace agent::runtime {

// Where the robot is and how it moves, as last measured.
struct Motion {
  Pose2 pose;
  double vx_mps = 0;
  double wz_radps = 0;
  Nanos age{};  // since the measurement was received
};

// Least distance of the robot's centre to any inclusion edge from inside or exclusion edge from
// outside; negative: it has crossed one. NaN when the policy draws no such zone.
double ClearanceM(const Policy& policy, const Pose2& pose);

// Triggers of the zones whose edge the centre has crossed.
TriggerMask Breaches(const Policy& policy, const Pose2& pose,
                     std::vector<std::string_view>& reasons);

// The least cap of the speed zones (grown by their margin) around the pose; infinite outside all of
// them.
double SpeedZoneCap(const Policy& policy, const Pose2& pose,
                    std::vector<std::string_view>& reasons);

struct Way {
  double wanted_m = 0;  // how far one would like to go
  bool forward = true;
};

// How far the centre can go along the arc, at most way.wanted_m, with margin_m kept to every edge.
// A robot that is nearer to an edge than its margin may go anywhere that is not nearer still.
// `blocker` names the zone that ends the way.
double FreeWayM(const Policy& policy, const Pose2& start, double curvature_per_m, const Way& way,
                std::string_view& blocker);

// The largest factor in [0, 1] by which the twist may be driven so that the robot, braking at the
// least guaranteed deceleration after its reaction time, stops inside the envelope. See envelope.cc
// for the reaction time. `blocker` is set when the factor is below 1.
double EnvelopeFactor(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps,
                      std::string_view& blocker);

}  // namespace agent::runtime
