#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gatekeeper/bundle/finding.h"
#include "proto/policy.pb.h"
#include "proto/site.pb.h"

namespace gatekeeper::bundle {

// What a site certifies an arm for: its joints from the foot on, with their limits and links, and
// the speed of its tool.

// Whether a certificate says all that a policy is held to, and nothing of wheels. Errors begin with
// `path`, the certificate's place in the site.
absl::Status CheckArmCertificate(const v1::Capability& arm, const std::string& path);

// S9: where a policy of command type joints asks for more than the arm `name` is certified for, or
// reckons with another arm than it is.
std::vector<Finding> CheckArm(const v1::ControlPolicy& policy, const std::string& name,
                              const v1::Capability& arm);

}  // namespace gatekeeper::bundle
