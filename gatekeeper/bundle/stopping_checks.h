#pragma once

#include <vector>

#include "gatekeeper/bundle/finding.h"
#include "proto/policy.pb.h"
#include "proto/site.pb.h"

namespace gatekeeper::bundle {

// S10: whatever the robot may drive at, it stops before what it sees and before where it must not
// be. At every speed point, forwards and - where the policy allows it - backwards:
//  - the way it needs, v t + (v^2 - u^2) / 2a down to the cap u of a limit zone and from there to a
//    stop, lies ahead of its footprint inside those zones; or `ssm` sees to it at every speed, with
//    a reaction time and a deceleration that the robot has;
//  - with `robots` (certified by a site): the way a robot really needs is not longer than what the
//    envelope check reckons with, and its margin.
// t is the zone's debounce, one period and the robot's lag. A policy without a scan cannot see, so
// it must at least draw an inclusion zone. Command type twist2d. Paths are of the policy, which
// must compile.
std::vector<Finding> CheckStopping(const v1::ControlPolicy& policy,
                                   const std::vector<const v1::Capability*>& robots);

}  // namespace gatekeeper::bundle
