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
  // What goes in or out and is no float32.
  struct Foreign {
    std::string side;      // input or output
    std::string tensor;    // its name
    uint64_t element = 0;  // TensorProto.DataType; 0: it is no tensor
  };

  std::string name;  // node/test_add
  std::string onnx;
  std::vector<CorpusTensor> inputs;   // of its first data set
  std::vector<CorpusTensor> outputs;  // as ONNX expects them
  // Why nothing at all can be asked of a robot's model like this: its tensors have no fixed shape.
  std::optional<std::string> outside;
  std::optional<Foreign> foreign;  // the first; such tensors have a shape and no numbers

  agent::base::ModelSignature signature() const;
};

// In order of name; empty when the package is not there.
std::vector<CorpusCase> ReadCorpus();

}  // namespace tests
