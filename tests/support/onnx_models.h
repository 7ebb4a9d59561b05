#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/model.h"
#include "gatekeeper/sim/onnx_writer.h"

// Small ONNX models whose answers a reader can work out, for the tests of whatever runs models.
// Link gatekeeper::onnx_writer.

namespace tests {

struct TestModel {
  std::string onnx;
  agent::base::ModelSignature signature;
};

// command = [scan, goal] * {{1,0},{0,1},{0.5,-0.5},{2,0.25}} + {0.5,-1}
inline TestModel LinearPolicy() {
  using gatekeeper::sim::Activation;
  const gatekeeper::sim::Mlp mlp{.inputs = {{"scan", {1, 3}}, {"goal", {1, 1}}},
                                 .layers = {{.inputs = 4,
                                             .outputs = 2,
                                             .weights = {1, 0, 0, 1, 0.5F, -0.5F, 2, 0.25F},
                                             .bias = {0.5F, -1},
                                             .activation = Activation::kNone}},
                                 .output = "command"};
  return {.onnx = WriteOnnx(MlpGraph(mlp)),
          .signature = {.inputs = {{"scan", {1, 3}}, {"goal", {1, 1}}},
                        .outputs = {{"command", {1, 2}}}}};
}

// out = 0.5 * x, sent through two 1024 x 1024 identity layers with ReLU: a run takes hundreds of
// microseconds.
inline TestModel SlowHalf() {
  using gatekeeper::sim::Activation;
  constexpr int64_t kWidth = 1024;
  std::vector<float> identity(kWidth * kWidth, 0.0F);
  for (size_t i = 0; i < kWidth; ++i) identity[i * (kWidth + 1)] = 1.0F;
  const gatekeeper::sim::DenseLayer pass{.inputs = kWidth,
                                         .outputs = kWidth,
                                         .weights = identity,
                                         .bias = std::vector<float>(kWidth, 0.0F),
                                         .activation = Activation::kRelu};
  gatekeeper::sim::DenseLayer spread{.inputs = 1,
                                     .outputs = kWidth,
                                     .weights = std::vector<float>(kWidth, 0.0F),
                                     .bias = std::vector<float>(kWidth, 0.0F),
                                     .activation = Activation::kNone};
  spread.weights[0] = 1.0F;
  gatekeeper::sim::DenseLayer gather{.inputs = kWidth,
                                     .outputs = 1,
                                     .weights = std::vector<float>(kWidth, 0.0F),
                                     .bias = {0.0F},
                                     .activation = Activation::kNone};
  gather.weights[0] = 0.5F;
  const gatekeeper::sim::Mlp mlp{
      .inputs = {{"x", {1, 1}}}, .layers = {spread, pass, pass, gather}, .output = "out"};
  return {.onnx = WriteOnnx(MlpGraph(mlp)),
          .signature = {.inputs = {{"x", {1, 1}}}, .outputs = {{"out", {1, 1}}}}};
}

// out = {10, 20, 30}[x]: a run whose x is no index fails inside the runtime.
inline TestModel TableLookup() {
  constexpr int64_t kInt64 = 7;  // TensorProto.INT64
  const gatekeeper::sim::OnnxGraph graph{
      .inputs = {{"x", {1, 1}}},
      .outputs = {{"out", {1, 1}}},
      .constants = {{"table", {3}, {10, 20, 30}}},
      .nodes = {{"Cast", {"x"}, {"index"}, {{"to", kInt64}}, ""},
                {"Gather", {"table", "index"}, {"out"}, {{"axis", int64_t{0}}}, ""}}};
  return {.onnx = WriteOnnx(graph),
          .signature = {.inputs = {{"x", {1, 1}}}, .outputs = {{"out", {1, 1}}}}};
}

}  // namespace tests
