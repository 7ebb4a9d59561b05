#pragma once

#include <limits>
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
  double pose_sigma_m = std::numeric_limits<double>::quiet_NaN();  // not told
};

struct Standing {
  // Least distance of the footprint's outline to any inclusion edge from inside or exclusion edge
  // from outside; negative: it lies over one. NaN when the policy draws no such zone.
  double clearance_m = std::numeric_limits<double>::quiet_NaN();
  TriggerMask breached = 0;  // triggers of the zones over whose edge the footprint lies
};

// How a robot that stands at `pose` lies in the envelope; `reasons` gets one a breached zone.
Standing StandingAt(const Policy& policy, const Pose2& pose,
                    std::vector<std::string_view>& reasons);
double ClearanceM(const Policy& policy, const Pose2& pose);

// False when a zone's margin grows with the uncertainty of the pose and nobody tells that.
bool PoseServes(const Policy& policy, const Motion& motion);

// A course of constant curvature or a turn on the spot, per metre that the fastest point of the
// footprint goes at most: |ahead| + turn_reach_m * |turn| = 1.
struct Course {
  double ahead = 1;  // metres of the body's origin, negative backwards
  double turn = 0;   // radians
};

// Of a twist that moves the footprint, i.e. FootprintSpeedMps above 0.
Course CourseOf(const Footprint& footprint, double vx_mps, double wz_radps);
double FootprintSpeedMps(const Footprint& footprint, double vx_mps, double wz_radps);

// How far the footprint can be swept along the course, at most `wanted_m` (as Course counts), with
// its margin kept to every edge. A robot that is nearer to an edge than the margin may go anywhere
// that is not nearer still. `blocker` names the zone that ends the way.
double FreeWayM(const Policy& policy, const Motion& motion, const Course& course, double wanted_m,
                std::string_view& blocker);

// The largest factor in [0, 1] by which the twist may be driven so that the footprint, braking on
// the same curve as hard as is guaranteed and after its reaction time, stops inside the envelope.
// See envelope.cc for the reaction time. `blocker` is set when the factor is below 1.
double EnvelopeFactor(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps,
                      std::string_view& blocker);

// The largest factor in [0, 1] by which the twist may be driven so that the robot is within the cap
// of every speed zone before its footprint touches the zone (grown by its margin).
double SpeedZoneFactor(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps,
                       std::vector<std::string_view>& reasons);

}  // namespace agent::runtime
