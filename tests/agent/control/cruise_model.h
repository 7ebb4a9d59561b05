#pragma once

#include <string>

#include "gatekeeper/sim/onnx_writer.h"

namespace tests {

// A model that always asks for the same speed: every answer tells whose it is.
inline std::string CruiseModel(float vx_mps) {
  const gatekeeper::sim::Mlp mlp{.inputs = {{"features", {1, 2}}},
                                 .layers = {{.inputs = 2,
                                             .outputs = 2,
                                             .weights = {0, 0, 0, 0},
                                             .bias = {vx_mps, 0},
                                             .activation = gatekeeper::sim::Activation::kNone}},
                                 .output = "command"};
  return WriteOnnx(MlpGraph(mlp));
}

}  // namespace tests
