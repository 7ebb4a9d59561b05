#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/model.h"

namespace tests {

// Debian's package libonnx-testdata: ONNX's own operator tests, a model with stored inputs and
// outputs each.
inline constexpr char kCorpus[] = "/usr/share/libonnx-testdata/data";

struct CorpusTensor {
  agent::base::TensorSpec spec;
  std::vector<float> floats;
};

struct CorpusCase {
  std::string name;  // node/test_add
  std::string onnx;
  std::vector<CorpusTensor> inputs;   // of its first data set
  std::vector<CorpusTensor> outputs;  // as ONNX expects them
  // Why a robot's model can never be like this: no float32 tensors of fixed shape in or out. The
  // tensors are then empty.
  std::optional<std::string> outside;

  agent::base::ModelSignature signature() const;
};

// In order of name; empty when the package is not there.
std::vector<CorpusCase> ReadCorpus();

}  // namespace tests
