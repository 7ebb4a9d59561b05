#pragma once

#include <memory>
#include <string>

#include "agent/base/model.h"

namespace bench {

// ONNX Runtime's C interface with nothing of ours around it: the baseline of every inference
// figure. Buffers are bound once, so that Run is the one foreign call. Session settings are those
// of agent/inference.
class BareOnnx {
 public:
  // `signature` are the model's own tensors, whole.
  BareOnnx(const std::string& library, const std::string& onnx,
           const agent::base::ModelSignature& signature);
  ~BareOnnx();

  void Run();

 private:
  struct Session;
  std::unique_ptr<Session> session_;
};

}  // namespace bench
