#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/model.h"

namespace tests {

// ONNX Runtime's C interface with nothing of ours around it, settings as agent/inference has them:
// what the engine's verdicts are held against.
class BareOrt {
 public:
  explicit BareOrt(const std::string& library);
  ~BareOrt();

  // Whether ONNX Runtime loads it, and what it complains of if not.
  absl::Status Load(const std::string& onnx) const;

  // The outputs of the last of `runs` runs in one session, or what ONNX Runtime complained of while
  // loading or running.
  struct Outputs {
    std::vector<std::vector<int64_t>> shapes;
    std::vector<std::vector<float>> floats;
  };
  absl::StatusOr<Outputs> Run(const std::string& onnx, const agent::base::ModelSignature& tensors,
                              const std::vector<std::vector<float>>& inputs, int runs) const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace tests
