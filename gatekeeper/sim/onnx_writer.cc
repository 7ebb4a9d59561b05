#include "gatekeeper/sim/onnx_writer.h"

#include <string_view>
#include <utility>

#include "gatekeeper/sim/wire_writer.h"

namespace gatekeeper::sim {

namespace {

// Field numbers and enum values of onnx.proto.
constexpr uint64_t kIrVersion = 8;  // read by every runtime since 2021
constexpr uint64_t kFloatType = 1;
enum AttributeType : uint64_t { kFloatAttribute = 1, kIntAttribute = 2, kIntsAttribute = 7 };

uint64_t Wire(int64_t value) { return static_cast<uint64_t>(value); }

// ValueInfoProto{name=1, type=2{tensor_type=1{elem_type=1, shape=2{dim=1{dim_value=1}}}}}
WireWriter PortMessage(const OnnxPort& port) {
  WireWriter shape;
  for (const int64_t dimension : port.shape) {
    shape.Message(1, WireWriter().Number(1, Wire(dimension)));
  }
  WireWriter tensor;
  tensor.Number(1, kFloatType).Message(2, shape);
  WireWriter message;
  message.Bytes(1, port.name).Message(2, WireWriter().Message(1, tensor));
  return message;
}

// TensorProto{dims=1, data_type=2, name=8, raw_data=9}
WireWriter ConstantMessage(const OnnxConstant& constant) {
  WireWriter message;
  for (const int64_t dimension : constant.shape) message.Number(1, Wire(dimension));
  std::string raw;
  raw.reserve(constant.data.size() * sizeof(float));
  for (const float value : constant.data) WireWriter::AppendFloat(raw, value);
  message.Number(2, kFloatType).Bytes(8, constant.name).Bytes(9, raw);
  return message;
}

// AttributeProto{name=1, f=2, i=3, ints=8, type=20}
WireWriter AttributeMessage(const OnnxAttribute& attribute) {
  WireWriter message;
  message.Bytes(1, attribute.name);
  if (const auto* number = std::get_if<int64_t>(&attribute.value)) {
    message.Number(3, Wire(*number)).Number(20, kIntAttribute);
  } else if (const auto* real = std::get_if<float>(&attribute.value)) {
    message.Float(2, *real).Number(20, kFloatAttribute);
  } else {
    for (const int64_t value : std::get<std::vector<int64_t>>(attribute.value)) {
      message.Number(8, Wire(value));
    }
    message.Number(20, kIntsAttribute);
  }
  return message;
}

// NodeProto{input=1, output=2, name=3, op_type=4, attribute=5, domain=7}
WireWriter NodeMessage(const OnnxNode& node) {
  WireWriter message;
  for (const std::string& input : node.inputs) message.Bytes(1, input);
  for (const std::string& output : node.outputs) message.Bytes(2, output);
  message.Bytes(3, node.outputs.empty() ? node.op_type : node.op_type + "_" + node.outputs[0]);
  message.Bytes(4, node.op_type);
  for (const OnnxAttribute& attribute : node.attributes) {
    message.Message(5, AttributeMessage(attribute));
  }
  if (!node.domain.empty()) message.Bytes(7, node.domain);
  return message;
}

// GraphProto{node=1, name=2, initializer=5, input=11, output=12}
WireWriter GraphMessage(const OnnxGraph& graph) {
  WireWriter message;
  for (const OnnxNode& node : graph.nodes) message.Message(1, NodeMessage(node));
  message.Bytes(2, "graph");
  for (const OnnxConstant& constant : graph.constants) {
    message.Message(5, ConstantMessage(constant));
  }
  for (const OnnxPort& port : graph.inputs) message.Message(11, PortMessage(port));
  for (const OnnxPort& port : graph.outputs) message.Message(12, PortMessage(port));
  return message;
}

const char* OpType(Activation activation) {
  return activation == Activation::kRelu ? "Relu" : "Tanh";
}

// Adds the nodes that turn all inputs into one [1,n] tensor; returns its name.
std::string AddJoinedInput(const Mlp& mlp, OnnxGraph& graph) {
  std::vector<std::string> parts;
  for (const OnnxPort& input : mlp.inputs) {
    parts.push_back(input.name);
    if (input.shape.size() == 2) continue;
    parts.back() = input.name + "_flat";
    graph.nodes.push_back({.op_type = "Flatten",
                           .inputs = {input.name},
                           .outputs = {parts.back()},
                           .attributes = {{"axis", int64_t{1}}},
                           .domain = ""});
  }
  if (parts.size() == 1) return parts[0];
  graph.nodes.push_back({.op_type = "Concat",
                         .inputs = parts,
                         .outputs = {"joined_inputs"},
                         .attributes = {{"axis", int64_t{1}}},
                         .domain = ""});
  return "joined_inputs";
}

}  // namespace

OnnxNode StandardNode(const char* op_type, std::vector<std::string> inputs, const char* output,
                      std::vector<OnnxAttribute> attributes) {
  return {.op_type = op_type,
          .inputs = std::move(inputs),
          .outputs = {output},
          .attributes = std::move(attributes),
          .domain = ""};
}

// ModelProto{ir_version=1, producer_name=2, graph=7, opset_import=8{version=2}}
std::string WriteOnnx(const OnnxGraph& graph, int64_t opset) {
  WireWriter model;
  model.Number(1, kIrVersion)
      .Bytes(2, "gatekeeper")
      .Message(7, GraphMessage(graph))
      .Message(8, WireWriter().Number(2, Wire(opset)));
  return model.bytes();
}

OnnxGraph MlpGraph(const Mlp& mlp) {
  OnnxGraph graph{.inputs = mlp.inputs, .outputs = {}, .constants = {}, .nodes = {}};
  std::string at = AddJoinedInput(mlp, graph);
  for (size_t i = 0; i < mlp.layers.size(); ++i) {
    const DenseLayer& layer = mlp.layers[i];
    const std::string prefix = "layer" + std::to_string(i);
    const bool is_last = i + 1 == mlp.layers.size();
    const bool is_linear = layer.activation == Activation::kNone;
    const std::string out = is_last ? mlp.output : prefix + "_out";
    const std::string sum = is_linear ? out : prefix + "_sum";
    graph.constants.push_back({prefix + "_weights", {layer.inputs, layer.outputs}, layer.weights});
    graph.constants.push_back({prefix + "_bias", {layer.outputs}, layer.bias});
    graph.nodes.push_back({.op_type = "Gemm",
                           .inputs = {at, prefix + "_weights", prefix + "_bias"},
                           .outputs = {sum},
                           .attributes = {},
                           .domain = ""});
    if (!is_linear) {
      graph.nodes.push_back({.op_type = OpType(layer.activation),
                             .inputs = {sum},
                             .outputs = {out},
                             .attributes = {},
                             .domain = ""});
    }
    at = out;
  }
  graph.outputs.push_back({mlp.output, {1, mlp.layers.back().outputs}});
  return graph;
}

}  // namespace gatekeeper::sim
