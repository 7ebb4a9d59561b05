#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// Writes ONNX files (onnx.proto, IR version 8) as wire bytes, with nothing but the standard
// library: what the demo's small policy networks and the tests' good and hostile models are made
// of. The same graph gives the same bytes on every machine.

namespace gatekeeper::sim {

// A float32 input or output of fixed shape.
struct OnnxPort {
  std::string name;
  std::vector<int64_t> shape;
};

// A constant, row-major; data.size() is the product of the shape.
struct OnnxConstant {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> data;
};

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::vector<int64_t>> value;
};

struct OnnxNode {
  std::string op_type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<OnnxAttribute> attributes;
  std::string domain;  // "" is ai.onnx
};

// A standard operator with one output.
OnnxNode StandardNode(const char* op_type, std::vector<std::string> inputs, const char* output,
                      std::vector<OnnxAttribute> attributes = {});

struct OnnxGraph {
  std::vector<OnnxPort> inputs;
  std::vector<OnnxPort> outputs;
  std::vector<OnnxConstant> constants;
  std::vector<OnnxNode> nodes;  // in an order in which they can be run
};

// `opset` is the version of the standard operators.
std::string WriteOnnx(const OnnxGraph& graph, int64_t opset = 13);

enum class Activation { kNone, kRelu, kTanh };

// y = activation(x * weights + bias), weights [inputs][outputs] row-major.
struct DenseLayer {
  int64_t inputs = 0;
  int64_t outputs = 0;
  std::vector<float> weights;
  std::vector<float> bias;
  Activation activation = Activation::kNone;
};

// All inputs, each with a leading batch dimension of 1, are flattened, joined in this order and
// sent through the layers; `output` is [1, outputs of the last layer].
struct Mlp {
  std::vector<OnnxPort> inputs;
  std::vector<DenseLayer> layers;  // at least one; the widths must join up
  std::string output;
};

OnnxGraph MlpGraph(const Mlp& mlp);

}  // namespace gatekeeper::sim
