#include "tests/support/hostile_models.h"

#include <limits>

#include "gatekeeper/sim/wire_writer.h"

namespace tests {
namespace {

using gatekeeper::sim::OnnxGraph;
using gatekeeper::sim::OnnxNode;
using gatekeeper::sim::WireWriter;

constexpr int64_t kInt64 = 7;  // TensorProto.INT64
constexpr int64_t kFloat = 1;

agent::base::ModelSignature OneToOne() {
  return {.inputs = {{"x", {1, 1}}}, .outputs = {{"out", {1, 1}}}};
}

OnnxGraph Graph(std::vector<gatekeeper::sim::OnnxConstant> constants, std::vector<OnnxNode> nodes) {
  return {.inputs = {{"x", {1, 1}}},
          .outputs = {{"out", {1, 1}}},
          .constants = std::move(constants),
          .nodes = std::move(nodes)};
}

TestModel ModelOf(const OnnxGraph& graph) {
  return {.onnx = WriteOnnx(graph), .signature = OneToOne()};
}

TestModel FileOf(std::string bytes) { return {.onnx = std::move(bytes), .signature = OneToOne()}; }

// --- files written field by field (numbers of onnx.proto) ---

WireWriter Node(const std::string& op_type, const std::string& domain = "") {
  WireWriter node;
  node.Bytes(1, "x").Bytes(2, "out").Bytes(3, "n").Bytes(4, op_type);
  return domain.empty() ? node : node.Bytes(7, domain);
}

WireWriter NodeWith(const std::string& op_type, const WireWriter& attribute) {
  return Node(op_type).Message(5, attribute);
}

WireWriter Head() { return WireWriter().Number(1, 8); }
WireWriter Opset(uint64_t version) { return WireWriter().Number(2, version); }

TestModel OfGraph(const WireWriter& graph) {
  return FileOf(Head().Message(7, graph).Message(8, Opset(13)).bytes());
}
TestModel OfNode(const WireWriter& node) { return OfGraph(WireWriter().Message(1, node)); }
TestModel OfTensor(const WireWriter& tensor) { return OfGraph(WireWriter().Message(5, tensor)); }

WireWriter DataAt(const std::string& location) {
  WireWriter entry;
  entry.Bytes(1, "location").Bytes(2, location);
  return WireWriter().Bytes(8, "secret").Number(1, 4).Message(13, entry).Number(14, 1);
}

WireWriter TensorAttribute(const WireWriter& tensor) {
  return WireWriter().Bytes(1, "value").Message(5, tensor).Number(20, 4);
}
WireWriter GraphAttribute(const WireWriter& graph) {
  return WireWriter().Bytes(1, "then_branch").Message(6, graph).Number(20, 5);
}

WireWriter Nested(WireWriter graph, int depth) {
  for (int i = 1; i < depth; ++i) {
    graph = WireWriter().Message(1, NodeWith("If", GraphAttribute(graph)));
  }
  return graph;
}

TestModel Chain(size_t nodes) {
  OnnxGraph graph = Graph({}, {});
  std::string last = "x";
  for (size_t i = 0; i < nodes; ++i) {
    const std::string next = i + 1 == nodes ? "out" : "t" + std::to_string(i);
    graph.nodes.push_back({"Relu", {last}, {next}, {}, ""});
    last = next;
  }
  return ModelOf(graph);
}

TestModel ManyFields() {
  WireWriter attribute;
  attribute.Bytes(1, "value_ints");
  for (int i = 0; i <= 2'000'000; ++i) attribute.Number(8, 1);
  return OfNode(NodeWith("Constant", attribute));
}

TestModel CutShort() {
  TestModel model = LinearPolicy();
  model.onnx.resize(model.onnx.size() / 2);
  return model;
}

std::vector<HostileModel> WithDataElsewhere() {
  const char* says = "keeps its data in another file";
  const WireWriter inner = WireWriter().Message(5, DataAt("../weights.bin"));
  return {
      {"ExternalDataAbove", OfTensor(DataAt("../weights.bin")), says},
      {"ExternalDataAbsolute", OfTensor(DataAt("/etc/shadow")), says},
      {"ExternalDataRoundabout", OfTensor(DataAt("a/../../b")), says},
      {"ExternalDataBeside", OfTensor(DataAt("weights.bin")), says},
      {"ExternalDataWithoutAPlace", OfTensor(WireWriter().Bytes(8, "secret").Number(14, 1)), says},
      {"ExternalDataOfAConstant", OfNode(NodeWith("Constant", TensorAttribute(DataAt("w")))), says},
      {"ExternalDataInABranch", OfNode(NodeWith("If", GraphAttribute(inner))), says},
      {"ExternalDataOfASparseTensor",
       OfGraph(WireWriter().Message(15, WireWriter().Message(1, DataAt("w")))), says},
  };
}

std::vector<HostileModel> WithForeignParts() {
  const WireWriter graph = WireWriter().Message(1, Node("Relu"));
  const auto importing = [&graph](const std::string& domain) {
    return FileOf(Head()
                      .Message(7, graph)
                      .Message(8, Opset(13))
                      .Message(8, WireWriter().Bytes(1, domain).Number(2, 1))
                      .bytes());
  };
  return {
      {"OptimisedForOneMachine", OfNode(Node("Conv", "com.microsoft.nchwc")), "may be used"},
      {"ImportsMicrosoftsOperators", importing("com.microsoft"), "domain 'com.microsoft'"},
      {"ImportsClassicLearning", importing("ai.onnx.ml"), "domain 'ai.onnx.ml'"},
      {"ImportsTraining", importing("ai.onnx.preview.training"), "ai.onnx.preview.training"},
      {"CustomOperator", OfNode(Node("Backdoor", "my.domain")), "of the domain 'my.domain'"},
      {"OrtFormat", FileOf(std::string("\x18\0\0\0ORTM, and more", 18)), "ORT format"},
      {"TrainingGraph", FileOf(Head().Message(7, graph).Message(20, graph).bytes()),
       "training graph"},
      {"LocalFunction", FileOf(Head().Message(7, graph).Message(25, graph).bytes()),
       "local functions"},
      {"OpsetOfTheFuture", FileOf(Head().Message(7, graph).Message(8, Opset(99)).bytes()),
       "operator set 99"},
      {"NoOpset", FileOf(Head().Message(7, graph).bytes()), "does not name its operator set"},
      {"IrOfTheFuture",
       FileOf(WireWriter().Number(1, 99).Message(7, graph).Message(8, Opset(13)).bytes()),
       "IR version 99"},
  };
}

std::vector<HostileModel> WithoutBounds() {
  const WireWriter relu = WireWriter().Message(1, Node("Relu"));
  const WireWriter loop = WireWriter().Message(1, Node("Loop"));
  return {
      {"EndlessLoop", OfNode(NodeWith("Loop", GraphAttribute(relu))), "is a Loop"},
      {"Scan", OfNode(NodeWith("Scan", GraphAttribute(relu))), "is a Scan"},
      {"LoopInABranch", OfNode(NodeWith("If", GraphAttribute(loop))), "is a Loop"},
      {"NineDeep", OfGraph(Nested(relu, 9)), "nested more than 8 deep"},
      {"ThousandsDeep", OfGraph(Nested(relu, 3'000)), "nested more than 8 deep"},
      {"ChainOf100000Nodes", Chain(100'000), "more than 20000 nodes"},
      {"MillionsOfFields", ManyFields(), "more than 2000000 fields"},
  };
}

std::vector<HostileModel> WithBrokenBytes() {
  const WireWriter relu = WireWriter().Message(1, Node("Relu"));
  const WireWriter weight = WireWriter().Bytes(8, "w").Number(2, kFloat);
  const uint64_t huge = uint64_t{1} << 33;
  return {
      {"DimensionsOverflow", OfTensor(WireWriter(weight).Number(1, huge).Number(1, huge)),
       "claims more elements"},
      {"NegativeDimension", OfTensor(WireWriter(weight).Number(1, ~uint64_t{0})),
       "negative dimension"},
      {"TooFewBytes", OfTensor(WireWriter(weight).Number(1, 8).Bytes(9, "1234567890123456")),
       "has 16 bytes of data, its dimensions want 32"},
      {"TooManyBytes", OfTensor(WireWriter(weight).Number(1, 1).Bytes(9, "12345678")),
       "has 8 bytes of data, its dimensions want 4"},
      {"RankBeyondReason", OfTensor(WireWriter(weight).Bytes(1, std::string(1'000, '\1'))),
       "more than 16 dimensions"},
      {"TwoGraphs", FileOf(Head().Message(7, relu).Message(7, relu).bytes()), "two graphs"},
      {"TwoValues",
       OfNode(NodeWith("Constant", TensorAttribute(WireWriter()).Message(5, WireWriter()))),
       "two values"},
      {"CutShort", CutShort(), "not an ONNX file, or cut short"},
      {"GitLfsPointer", FileOf("version https://git-lfs.github.com/spec/v1\n"), "not an ONNX file"},
      {"NoGraph", FileOf(Head().Message(8, Opset(13)).bytes()), "no graph"},
  };
}

// --- whole models ---

// 16 GiB made out of constants: either while ONNX Runtime folds them, or at the first run.
TestModel FoldsIntoMemory() {
  return ModelOf(Graph({{"shape", {2}, {65536, 65536}}},
                       {{"Cast", {"shape"}, {"sizes"}, {{"to", kInt64}}, ""},
                        {"ConstantOfShape", {"sizes"}, {"huge"}, {}, ""},
                        {"ReduceMax", {"huge"}, {"most"}, {{"keepdims", int64_t{1}}}, ""},
                        {"Add", {"x", "most"}, {"out"}, {}, ""}}));
}

// Hours of multiplications of constants, all of them before the first run.
TestModel FoldsIntoTime() {
  OnnxGraph graph =
      Graph({{"shape", {2}, {2048, 2048}}}, {{"Cast", {"shape"}, {"sizes"}, {{"to", kInt64}}, ""},
                                             {"ConstantOfShape", {"sizes"}, {"t0"}, {}, ""}});
  constexpr int kProducts = 5'000;
  for (int i = 0; i < kProducts; ++i) {
    const std::string from = "t" + std::to_string(i);
    graph.nodes.push_back({"MatMul", {from, from}, {"t" + std::to_string(i + 1)}, {}, ""});
  }
  const std::string last = "t" + std::to_string(kProducts);
  graph.nodes.push_back({"ReduceMax", {last}, {"most"}, {{"keepdims", int64_t{1}}}, ""});
  graph.nodes.push_back({"Add", {"x", "most"}, {"out"}, {}, ""});
  return ModelOf(graph);
}

TestModel OfWrongType() {
  return ModelOf(Graph({}, {{"Cast", {"x"}, {"out"}, {{"to", kInt64}}, ""}}));
}

// index = int(x + bias), whatever follows.
std::vector<OnnxNode> Index(std::vector<OnnxNode> then) {
  std::vector<OnnxNode> nodes = {{"Cast", {"x"}, {"index"}, {{"to", kInt64}}, ""}};
  nodes.insert(nodes.end(), then.begin(), then.end());
  return nodes;
}

// A square of (x + 1) rows: at x = 1048575 of 4 TiB.
std::vector<OnnxNode> Square(std::vector<OnnxNode> then) {
  std::vector<OnnxNode> nodes = {{"Add", {"x", "one"}, {"rows"}, {}, ""},
                                 {"Reshape", {"rows", "flat"}, {"row"}, {}, ""},
                                 {"Concat", {"row", "row"}, {"shape"}, {{"axis", int64_t{0}}}, ""},
                                 {"Cast", {"shape"}, {"sizes"}, {{"to", kInt64}}, ""},
                                 {"ConstantOfShape", {"sizes"}, {"square"}, {}, ""}};
  nodes.insert(nodes.begin() + 1, {"Cast", {"minus_one"}, {"flat"}, {{"to", kInt64}}, ""});
  nodes.insert(nodes.end(), then.begin(), then.end());
  return nodes;
}

std::vector<gatekeeper::sim::OnnxConstant> SquareConstants() {
  return {{"one", {1}, {1}}, {"minus_one", {1}, {-1}}};
}

TestModel AllocatesAtRun() {
  return ModelOf(
      Graph(SquareConstants(),
            Square({{"ReduceMax", {"square"}, {"out"}, {{"keepdims", int64_t{1}}}, ""}})));
}

// At x = 2047 hundreds of products of 2048 x 2048: half a minute, and no way to stop it.
TestModel HangsAtRun() {
  std::vector<OnnxNode> nodes;
  std::string last = "square";
  for (int i = 0; i < 2'000; ++i) {
    const std::string next = "p" + std::to_string(i);
    nodes.push_back({"MatMul", {last, "square"}, {next}, {}, ""});
    last = next;
  }
  nodes.push_back({"ReduceMax", {last}, {"out"}, {{"keepdims", int64_t{1}}}, ""});
  return ModelOf(Graph(SquareConstants(), Square(std::move(nodes))));
}

TestModel DividesAtRun() {
  return ModelOf(Graph({{"ten", {1, 1}, {10}}, {"five", {1, 1}, {5}}},
                       Index({{"Cast", {"ten"}, {"dividend"}, {{"to", kInt64}}, ""},
                              {"Cast", {"five"}, {"less"}, {{"to", kInt64}}, ""},
                              {"Sub", {"index", "less"}, {"divisor"}, {}, ""},
                              {"Div", {"dividend", "divisor"}, {"quotient"}, {}, ""},
                              {"Cast", {"quotient"}, {"out"}, {{"to", kFloat}}, ""}})));
}

// The shape of the answer follows the question: 1 x 1 when it is loaded.
TestModel AnswersInAnotherShape() {
  return ModelOf(Graph(SquareConstants(), Square({{"Identity", {"square"}, {"out"}, {}, ""}})));
}

}  // namespace

std::vector<HostileModel> ModelsTheScanRefuses() {
  std::vector<HostileModel> all;
  for (auto* part : {&WithDataElsewhere, &WithForeignParts, &WithoutBounds, &WithBrokenBytes}) {
    for (HostileModel& model : part()) all.push_back(std::move(model));
  }
  return all;
}

std::vector<HostileModel> ModelsThatDoNotLoad() {
  const std::string theirs = "ONNX Runtime says";
  return {
      {"UnknownOperator", ModelOf(Graph({}, {{"Frobnicate", {"x"}, {"out"}, {}, ""}})), theirs},
      {"Circle",
       ModelOf(Graph({}, {{"Add", {"x", "b"}, {"a"}, {}, ""},
                          {"Relu", {"a"}, {"b"}, {}, ""},
                          {"Relu", {"b"}, {"out"}, {}, ""}})),
       theirs},
      {"ReadsWhatNobodyWrites", ModelOf(Graph({}, {{"Relu", {"nothing"}, {"out"}, {}, ""}})),
       theirs},
      {"TwoWriters",
       ModelOf(Graph({}, {{"Relu", {"x"}, {"out"}, {}, ""}, {"Abs", {"x"}, {"out"}, {}, ""}})),
       theirs},
      {"AnswersInIntegers", OfWrongType(), theirs},
      {"FoldsIntoMemory", FoldsIntoMemory(), ""},
      {"FoldsIntoTime", FoldsIntoTime(), ""},
  };
}

std::vector<TreacherousModel> ModelsThatTurnWhileServing() {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  return {
      {"GathersOutOfRange", TableLookup(), 1, 100},
      {"GathersFarOutOfRange", TableLookup(), 1, -3e18F},
      {"GathersAtNan", TableLookup(), 1, kNan},
      {"DividesByZero", DividesAtRun(), 1, 5},
      {"AllocatesTerabytes", AllocatesAtRun(), 1, 1'048'575},
      {"AllocatesLessThanNothing", AllocatesAtRun(), 1, -1'000},
      {"Hangs", HangsAtRun(), 0, 2'047},
      {"AnswersInAnotherShape", AnswersInAnotherShape(), 0, 3},
  };
}

}  // namespace tests
