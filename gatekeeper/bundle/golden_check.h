#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace gatekeeper::bundle {

// That golden answers can be asked of a unit with this card and policy: they read, and their
// tensors are those that the card binds. Both documents must have passed CheckRules. Whether the
// model gives the answers is for the gates and the robot to see.
absl::Status CheckGoldenFile(std::string_view golden_json, std::string_view card_yaml,
                             std::string_view policy_yaml);

}  // namespace gatekeeper::bundle
