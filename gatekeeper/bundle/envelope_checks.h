#pragma once

#include <vector>

#include "gatekeeper/bundle/finding.h"
#include "gatekeeper/bundle/site.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {

// S11: the ground that a control policy allows - inside every inclusion zone, outside every
// exclusion zone, at each height - is not empty. Paths are of the policy, which must compile.
std::vector<Finding> CheckGround(const v1::ControlPolicy& policy);

// S11: the site's geofence holds all of that ground: decided on the exact shapes, over holes,
// regions and zones that only touch, and every height.
std::vector<Finding> CheckGeofence(const v1::ControlPolicy& policy, const Site& site);

}  // namespace gatekeeper::bundle
