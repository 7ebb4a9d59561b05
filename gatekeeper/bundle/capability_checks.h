#pragma once

#include <string>
#include <vector>

#include "agent/runtime/policy.h"
#include "gatekeeper/bundle/finding.h"
#include "gatekeeper/bundle/site.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {

// The robots of the site that a policy will drive: those of `hardware`, or all of the policy's
// robot_class when no hardware is named. By class, ascending.
std::vector<const v1::Capability*> RobotsFor(const v1::ControlPolicy& policy, const Site& site,
                                             const std::vector<std::string>& hardware);

// S9: the site certifies those robots for the policy's robot_class, and the policy asks no more of
// them than their certificate says; of a mobile base its footprint also covers theirs. Paths are of
// the policy. Without `hardware` a base's policy must suit every robot of its class, an arm's one
// of them, since no two kinds of arm have the same links.
std::vector<Finding> CheckCapability(const v1::ControlPolicy& policy, const Site& site,
                                     const std::vector<std::string>& hardware);

Finding BeyondCertificate(const std::string& path, double asked, const std::string& robot,
                          double certified);

// S11: a robot that stands at a start pose or a dock of the site is in no breach of the policy's
// envelope. Judged by the very function that judges it on the robot. For command type twist2d.
std::vector<Finding> CheckPoses(const agent::runtime::Policy& policy, const Site& site);

}  // namespace gatekeeper::bundle
