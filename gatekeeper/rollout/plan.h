#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/rollout.pb.h"

namespace gatekeeper::rollout {

// Schema "rollout_plan/1". kInvalidArgument names file, line and column.
absl::StatusOr<v1::RolloutPlan> ReadPlan(std::string_view yaml, const std::string& file);

// What a plan must hold, wherever it came from. Errors begin with the key's path in brackets:
// "[waves[1].percent] ...". No number switches a check off: each stretch lasts longer than zero.
absl::Status CheckPlan(const v1::RolloutPlan& plan);

struct NewRollout {
  std::string id;
  std::string fleet;
  std::string unit_digest;
  std::string unit_name;
  std::string unit_version;
  std::string actor;
  v1::RolloutPlan plan;
  std::vector<std::string> robots;  // in the order they shall be taken
};

// The state before anybody was told anything: phase SHADOW of the first wave. Waves that add no
// robot (50 % of one robot) are passed over. kFailedPrecondition without robots.
absl::StatusOr<v1::RolloutState> Begin(const NewRollout& wanted, int64_t now_ms, int64_t wall_ms);

}  // namespace gatekeeper::rollout
