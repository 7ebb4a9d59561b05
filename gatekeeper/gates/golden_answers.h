#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/inference/onnx_runtime.h"
#include "gatekeeper/bundle/ungated_unit.h"

namespace gatekeeper::gates {

struct GoldenOrder {
  std::string card_yaml;
  std::string policy_yaml;
  std::string card_name = "model card";  // what errors call them
  std::string policy_name = "control policy";
  std::string model;  // ONNX bytes
  size_t cases = 16;
  uint64_t seed = 1;
  std::string library_path;  // empty: the default
};

// The text of a golden.json: what the model answers here. kInvalidArgument as the robot's own
// loading, or when an answer is not finite.
absl::StatusOr<std::string> MakeGolden(const GoldenOrder& order);

// That the model gives the unit's golden answers, as a worker would ask; OK when it has none.
// kDataLoss names the first that differs.
absl::Status CheckGoldenAnswers(const bundle::UngatedUnit& unit,
                                const agent::inference::LoadedModel& loaded);

}  // namespace gatekeeper::gates
