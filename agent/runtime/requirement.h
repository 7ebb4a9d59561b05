#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "agent/monitor/formula.h"

namespace agent::runtime {

// What a requirement's formula may name. Offered where the policy can know it: see
// policy_requirements.cc.
struct RequirementSignal {
  enum class Source {
    kEnforced,    // <field>: what the robot was commanded
    kRaw,         // raw_<field>: what the model asked for; absent without a usable answer
    kStop,        // stop: 1 while the brake is held, else 0
    kSpeed,       // odom_vx_mps; the odometry's are absent while it is not fresh
    kYawRate,     // odom_wz_radps
    kX,           // x_m
    kY,           // y_m
    kClearance,   // clearance_m: as TickRecord; absent without a pose
    kNearest,     // nearest_m: as TickRecord; infinite when a fresh scan returns nothing
    kConfidence,  // confidence, uncertainty: absent without a usable answer
    kUncertainty,
    kDerate,   // derate: as TickRecord
    kChannel,  // <channel>: an input that is a scalar; absent while it is not fresh
  };
  std::string name;
  Source source = Source::kEnforced;
  size_t index = 0;  // of the command's field, or of the policy's input
};

struct RequirementRule {
  std::string id;
  monitor::Formula formula;  // its readings follow Policy::requirement_signals()
  size_t trigger = 0;        // index into Policy::triggers()
};

}  // namespace agent::runtime
