#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/fallback.h"
#include "agent/runtime/policy.h"
#include "proto/unit.pb.h"

namespace agent::runtime {

// A unit's documents, read and compiled. Immutable.
struct UnitRules {
  Policy policy;
  Fallback fallback;
  gatekeeper::v1::ModelCard card;
};

// kInvalidArgument: "control_policy.yaml:12:3: ...". The card is checked against the policy too.
absl::StatusOr<std::shared_ptr<const UnitRules>> LoadRules(std::string_view card_yaml,
                                                           std::string_view policy_yaml,
                                                           std::string_view fallback_yaml);

// One unit ready to drive: rules, and a model whose tensors the binding fits. `model` is not owned
// and outlives every Controller or ShadowRun that was given this pilot.
struct Pilot {
  std::string digest;  // 64 hex digits
  std::shared_ptr<const UnitRules> rules;
  Binding binding;
  base::Model* model = nullptr;  // null while it is lost: `model_failed` holds until there is one
};

}  // namespace agent::runtime
