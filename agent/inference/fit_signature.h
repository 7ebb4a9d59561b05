#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/inference/ort_api.h"

namespace agent::inference {

// The shape with which each wanted tensor is handed to a model that has the `found` ones: see
// OnnxRuntime::Load for when they fit. kInvalidArgument names the tensor, what was found and
// wanted. With Side::kInput every found tensor must be wanted.
absl::StatusOr<std::vector<std::vector<int64_t>>> FitTensors(
    const std::vector<FoundTensor>& found, const std::vector<base::TensorSpec>& wanted, Side side);

}  // namespace agent::inference
