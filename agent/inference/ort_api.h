#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "onnxruntime_c_api.h"

namespace agent::inference {

// ONNX Runtime's C interface in this project's terms. Internal to agent/inference: no ORT type
// leaves it.

// The C interface gives each type its own release function, known only at run time.
template <class T>
using OrtHandle = std::unique_ptr<T, void (*)(T*)>;

// Takes ownership of `status`. A failed call is kInvalidArgument with ONNX Runtime's own words:
// what it is given here is the model, and that is what it complains about.
absl::Status ToStatus(const OrtApi& api, OrtStatus* status);

struct FoundTensor {
  std::string name;
  bool is_float = false;
  std::vector<int64_t> shape;  // -1: free; empty: scalar, or not declared
  std::string text;            // for people: "float32[1,24]"
};

enum class Side { kInput, kOutput };

absl::StatusOr<std::vector<FoundTensor>> FindTensors(const OrtApi& api, const OrtSession& session,
                                                     Side side);

}  // namespace agent::inference
