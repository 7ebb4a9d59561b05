#include "gatekeeper/bundle/capability_checks.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/runtime/envelope.h"
#include "gatekeeper/bundle/arm_certificate.h"
#include "gatekeeper/bundle/flat_document.h"

namespace gatekeeper::bundle {
namespace {

using Robots = std::map<std::string, const v1::Capability*>;

Robots RobotsByClass(const v1::ControlPolicy& policy, const Site& site,
                     const std::vector<std::string>& hardware) {
  Robots robots;
  for (const auto& [name, robot] : site.document().robots()) {
    const bool named = std::find(hardware.begin(), hardware.end(), name) != hardware.end();
    if (hardware.empty() ? robot.robot_class() == policy.robot_class() : named) {
      robots[name] = &robot;
    }
  }
  return robots;
}

double Most(const google::protobuf::RepeatedField<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

class CapabilityChecks {
 public:
  CapabilityChecks(const v1::ControlPolicy& policy, std::string name, const v1::Capability& robot)
      : policy_(policy), name_(std::move(name)), robot_(robot) {}

  std::vector<Finding> Run() {
    if (robot_.robot_class() != policy_.robot_class()) {
      Add("robot_class", absl::StrFormat("is %s, but '%s' is certified as %s",
                                         policy_.robot_class(), name_, robot_.robot_class()));
      return std::move(found_);
    }
    if (policy_.command().type() == "joints") return CheckArm(policy_, name_, robot_);
    const v1::LimitSet& limits = policy_.limits().nominal();
    AtMost("vx_max_mps", limits.vx_max_mps(), robot_.vx_max_mps());
    AtMost("vx_min_mps", -limits.vx_min_mps(), -robot_.vx_min_mps());
    AtMost("wz_abs_max_radps", Most(limits.wz_abs_max_radps()), robot_.wz_abs_max_radps());
    AtMost("acc_max_mps2", Most(limits.acc_max_mps2()), robot_.acc_max_mps2());
    AtMost("dec_max_mps2", Most(limits.dec_max_mps2()), robot_.dec_mps2());
    CheckFootprint();
    return std::move(found_);
  }

 private:
  void Add(const std::string& path, const std::string& message) {
    found_.push_back({"S9", path, message});
  }

  void AtMost(const std::string& key, double asked, double certified) {
    if (asked <= certified) return;
    found_.push_back(BeyondCertificate("limits.nominal." + key, asked, name_, certified));
  }

  void CheckFootprint() {
    const auto robot = ShapeOf("footprint", robot_.footprint());
    const auto policy = ShapeOf("footprint", policy_.footprint());
    if (!robot.ok() || !policy.ok()) {
      Add("footprint", std::string((robot.ok() ? policy : robot).status().message()));
      return;
    }
    const auto beyond = FindCell({*robot, *policy}, [](const std::vector<bool>& holding) {
      return holding[0] && !holding[1];
    });
    if (!beyond) return;
    Add("footprint", absl::StrFormat("must cover the robot: '%s' reaches (%.3f, %.3f)", name_,
                                     beyond->x, beyond->y));
  }

  const v1::ControlPolicy& policy_;
  const std::string name_;
  const v1::Capability& robot_;
  std::vector<Finding> found_;
};

// How far a policy is off an arm: other joints than it has are no arm of this kind at all.
std::pair<bool, size_t> Misfit(const std::vector<Finding>& found) {
  return {!found.empty() && found.front().path == "command.fields", found.size()};
}

}  // namespace

Finding BeyondCertificate(const std::string& path, double asked, const std::string& robot,
                          double certified) {
  return {"S9", path,
          absl::StrFormat("asks for %s of '%s', which is certified for %s", Number(asked), robot,
                          Number(certified))};
}

std::vector<const v1::Capability*> RobotsFor(const v1::ControlPolicy& policy, const Site& site,
                                             const std::vector<std::string>& hardware) {
  std::vector<const v1::Capability*> robots;
  for (const auto& [name, robot] : RobotsByClass(policy, site, hardware)) robots.push_back(robot);
  return robots;
}

std::vector<Finding> CheckCapability(const v1::ControlPolicy& policy, const Site& site,
                                     const std::vector<std::string>& hardware) {
  const Robots robots = RobotsByClass(policy, site, hardware);
  std::vector<Finding> found;
  for (const std::string& name : hardware) {
    if (robots.contains(name)) continue;
    found.push_back({"S9", "robot_class",
                     absl::StrFormat("site '%s' certifies no robots of hardware class '%s'",
                                     site.document().id(), name)});
  }
  if (hardware.empty() && robots.empty()) {
    return {{"S9", "robot_class",
             absl::StrFormat("site '%s' certifies no robot of class %s", site.document().id(),
                             policy.robot_class())}};
  }
  std::vector<std::vector<Finding>> by_robot;
  for (const auto& [name, robot] : robots) {
    by_robot.push_back(CapabilityChecks(policy, name, *robot).Run());
  }
  if (hardware.empty() && policy.command().type() == "joints") {
    return *std::min_element(
        by_robot.begin(), by_robot.end(),
        [](const auto& one, const auto& other) { return Misfit(one) < Misfit(other); });
  }
  for (const std::vector<Finding>& more : by_robot) {
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

std::vector<Finding> CheckPoses(const agent::runtime::Policy& policy, const Site& site) {
  std::vector<Finding> found;
  if (policy.command().type != agent::runtime::CommandType::kTwist2d) return found;
  for (const auto* poses : {&site.document().start_poses(), &site.document().docks()}) {
    for (const v1::SitePose& pose : *poses) {
      std::vector<std::string_view> reasons;
      agent::runtime::StandingAt(policy, {pose.x_m(), pose.y_m(), pose.yaw_rad()}, reasons);
      if (reasons.empty()) continue;
      const std::vector<std::string> texts(reasons.begin(), reasons.end());
      found.push_back(
          {"S11", "envelope",
           absl::StrFormat("a robot at '%s' of site '%s' would be in breach: %s", pose.id(),
                           site.document().id(), absl::StrJoin(texts, ", "))});
    }
  }
  return found;
}

}  // namespace gatekeeper::bundle
