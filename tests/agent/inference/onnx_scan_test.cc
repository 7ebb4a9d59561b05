#include "agent/inference/onnx_scan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gatekeeper/sim/onnx_writer.h"
#include "gatekeeper/sim/wire_writer.h"
#include "tests/support/onnx_models.h"
#include "tests/support/status_matchers.h"

namespace agent::inference {
namespace {

using absl::StatusCode;
using gatekeeper::sim::OnnxGraph;
using gatekeeper::sim::OnnxNode;
using gatekeeper::sim::WireWriter;
using testing::AllOf;
using testing::HasSubstr;
using ::tests::IsOk;
using ::tests::StatusIs;

// --- hostile files, field by field (numbers of onnx.proto) ---

WireWriter Node(const std::string& op_type) {
  WireWriter node;
  node.Bytes(3, "n").Bytes(4, op_type);
  return node;
}

std::string ModelOf(const WireWriter& graph) {
  WireWriter model;
  model.Number(1, 8).Message(7, graph).Message(8, WireWriter().Number(2, 13));
  return model.bytes();
}

std::string ModelOfTensor(const WireWriter& tensor) {
  return ModelOf(WireWriter().Message(5, tensor));
}

// `depth` graphs inside one another.
std::string NestedIf(size_t depth) {
  WireWriter graph;
  graph.Message(1, Node("Identity"));
  for (size_t i = 1; i < depth; ++i) {
    WireWriter attribute;
    attribute.Bytes(1, "then_branch").Message(6, graph).Number(20, 5);
    WireWriter node = Node("If");
    node.Message(5, attribute);
    graph = WireWriter().Message(1, node);
  }
  return ModelOf(graph);
}

std::string Chain(size_t nodes) {
  OnnxGraph graph{.inputs = {{"t0", {1}}}, .outputs = {}, .constants = {}, .nodes = {}};
  for (size_t i = 0; i < nodes; ++i) {
    graph.nodes.push_back(
        OnnxNode{"Relu", {"t" + std::to_string(i)}, {"t" + std::to_string(i + 1)}, {}, ""});
  }
  graph.outputs = {{"t" + std::to_string(nodes), {1}}};
  return WriteOnnx(graph);
}

TEST(OnnxScanTest, AcceptsPlainModels) {
  EXPECT_OK(ScanOnnx(tests::LinearPolicy().onnx));
  EXPECT_OK(ScanOnnx(tests::SlowHalf().onnx));
  EXPECT_OK(ScanOnnx(tests::TableLookup().onnx));
}

TEST(OnnxScanTest, RefusesWhatIsNoOnnxFile) {
  EXPECT_THAT(ScanOnnx(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("no graph")));
  EXPECT_THAT(ScanOnnx("version https://git-lfs.github.com/spec/v1\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not an ONNX file")));
  EXPECT_THAT(ScanOnnx(std::string("\x18\0\0\0ORTM, and more", 18)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("ORT format")));
}

TEST(OnnxScanTest, RefusesDataInAnotherFile) {
  WireWriter entry;
  entry.Bytes(1, "location").Bytes(2, "../weights.bin");
  const std::string by_entry =
      ModelOfTensor(WireWriter().Bytes(8, "secret").Number(1, 4).Message(13, entry));
  const std::string by_location = ModelOfTensor(WireWriter().Bytes(8, "secret").Number(14, 1));

  for (const std::string& model : {by_entry, by_location}) {
    EXPECT_THAT(ScanOnnx(model), StatusIs(StatusCode::kInvalidArgument,
                                          AllOf(HasSubstr("'secret'"), HasSubstr("another file"))));
  }
}

TEST(OnnxScanTest, RefusesDataInAnotherFileInsideAnAttribute) {
  WireWriter attribute;
  attribute.Bytes(1, "value").Message(5, WireWriter().Bytes(8, "secret").Number(14, 1));
  WireWriter node = Node("Constant");
  node.Message(5, attribute);

  EXPECT_THAT(ScanOnnx(ModelOf(WireWriter().Message(1, node))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("another file")));
}

TEST(OnnxScanTest, RefusesOperatorsOutsideTheStandardDomain) {
  WireWriter node = Node("FusedGemm");
  node.Bytes(7, "com.microsoft");
  EXPECT_THAT(ScanOnnx(ModelOf(WireWriter().Message(1, node))),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("FusedGemm"), HasSubstr("'com.microsoft'"))));

  WireWriter standard = Node("Relu");
  standard.Bytes(7, "ai.onnx");
  EXPECT_OK(ScanOnnx(ModelOf(WireWriter().Message(1, standard))));
}

TEST(OnnxScanTest, RefusesADomainThatIsOnlyImported) {
  WireWriter model;
  model.Message(7, WireWriter().Message(1, Node("Relu")))
      .Message(8, WireWriter().Bytes(1, "com.microsoft.nchwc").Number(2, 1));
  EXPECT_THAT(ScanOnnx(model.bytes()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("com.microsoft.nchwc")));
}

TEST(OnnxScanTest, RefusesLoopsAnywhere) {
  for (const char* op_type : {"Loop", "Scan"}) {
    EXPECT_THAT(ScanOnnx(ModelOf(WireWriter().Message(1, Node(op_type)))),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(op_type)));
  }
}

TEST(OnnxScanTest, RefusesLocalFunctionsAndTrainingGraphs) {
  const WireWriter graph = WireWriter().Message(1, Node("Relu"));
  EXPECT_THAT(ScanOnnx(WireWriter().Message(7, graph).Message(25, Node("f")).bytes()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("local functions")));
  EXPECT_THAT(ScanOnnx(WireWriter().Message(7, graph).Message(20, graph).bytes()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("training graph")));
}

TEST(OnnxScanTest, BoundsTheNestingOfGraphs) {
  EXPECT_OK(ScanOnnx(NestedIf(kMaxNesting)));
  EXPECT_THAT(ScanOnnx(NestedIf(kMaxNesting + 1)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("nested more than 8")));
  EXPECT_THAT(ScanOnnx(NestedIf(2'000)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("nested more than 8")));
}

TEST(OnnxScanTest, BoundsTheNumberOfNodes) {
  EXPECT_OK(ScanOnnx(Chain(kMaxNodes)));
  EXPECT_THAT(ScanOnnx(Chain(30'000)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than 20000 nodes")));
}

TEST(OnnxScanTest, BoundsTheSizeOfTheFile) {
  const std::string zeros(kMaxModelBytes + 1, '\0');
  EXPECT_THAT(ScanOnnx(zeros), StatusIs(StatusCode::kInvalidArgument, HasSubstr("at most")));
}

TEST(OnnxScanTest, RefusesTensorsThatClaimMoreThanTheyHold) {
  const std::string overflow = ModelOfTensor(
      WireWriter().Number(1, uint64_t{1} << 33).Number(1, uint64_t{1} << 33).Bytes(8, "w"));
  const std::string packed =
      ModelOfTensor(WireWriter().Bytes(1, "\x80\x80\x80\x80\x10").Bytes(8, "w"));
  for (const std::string& model : {overflow, packed}) {
    EXPECT_THAT(ScanOnnx(model), StatusIs(StatusCode::kInvalidArgument, HasSubstr("claims more")));
  }
  EXPECT_THAT(ScanOnnx(ModelOfTensor(WireWriter().Number(1, ~uint64_t{0}).Bytes(8, "w"))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("negative dimension")));
  EXPECT_OK(ScanOnnx(ModelOfTensor(WireWriter().Number(1, 0).Number(1, 1 << 20).Bytes(8, "w"))));
}

TEST(OnnxScanTest, RefusesTensorsWhoseDimensionsDoNotGoWithTheirBytes) {
  const auto floats = [](size_t bytes) {
    return ModelOfTensor(WireWriter().Number(1, 2).Number(1, 3).Number(2, 1).Bytes(8, "w").Bytes(
        9, std::string(bytes, '\0')));
  };
  EXPECT_OK(ScanOnnx(floats(24)));
  for (const size_t bytes : {20U, 23U, 25U, 28U, 96U}) {
    EXPECT_THAT(ScanOnnx(floats(bytes)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("its dimensions want 24")));
  }
  // 5 elements of 4 bits each lie in 3 bytes.
  EXPECT_OK(ScanOnnx(ModelOfTensor(WireWriter().Number(1, 5).Number(2, 22).Bytes(9, "abc"))));
}

TEST(OnnxScanTest, BoundsTheRankOfATensor) {
  WireWriter tensor;
  for (size_t i = 0; i < kMaxRank; ++i) tensor.Number(1, 1);
  EXPECT_OK(ScanOnnx(ModelOfTensor(tensor)));
  EXPECT_THAT(ScanOnnx(ModelOfTensor(tensor.Number(1, 1))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than 16 dimensions")));
  EXPECT_THAT(ScanOnnx(ModelOfTensor(WireWriter().Bytes(1, std::string(1 << 20, '\1')))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than 16 dimensions")));
}

TEST(OnnxScanTest, KnowsTheVersionsItCanRead) {
  const auto of = [](uint64_t ir_version, uint64_t opset) {
    WireWriter model;
    model.Number(1, ir_version)
        .Message(7, WireWriter().Message(1, Node("Relu")))
        .Message(8, WireWriter().Number(2, opset));
    return model.bytes();
  };
  EXPECT_OK(ScanOnnx(of(kMinIrVersion, 1)));
  EXPECT_OK(ScanOnnx(of(kMaxIrVersion, kMaxOpset)));
  for (const uint64_t ir_version : {uint64_t{0}, kMinIrVersion - 1, kMaxIrVersion + 1}) {
    EXPECT_THAT(ScanOnnx(of(ir_version, 13)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("IR version")));
  }
  for (const uint64_t opset : {uint64_t{0}, kMaxOpset + 1, uint64_t{99}}) {
    EXPECT_THAT(ScanOnnx(of(8, opset)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("operator set")));
  }
  EXPECT_THAT(
      ScanOnnx(WireWriter().Number(1, 8).Message(7, WireWriter().Message(1, Node("Relu"))).bytes()),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("does not name its operator set")));
}

TEST(OnnxScanTest, RefusesWhatAParserWouldMergeUnseen) {
  const WireWriter graph = WireWriter().Message(1, Node("Relu"));
  EXPECT_THAT(ScanOnnx(WireWriter().Message(7, graph).Message(7, graph).bytes()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("two graphs")));

  WireWriter attribute;
  attribute.Bytes(1, "value").Message(5, WireWriter()).Message(5, WireWriter());
  WireWriter node = Node("Constant");
  node.Message(5, attribute);
  EXPECT_THAT(ScanOnnx(ModelOf(WireWriter().Message(1, node))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("two values")));
}

TEST(OnnxScanTest, BoundsTheNumberOfFields) {
  // One attribute of millions of numbers, none of which a parser may skip.
  WireWriter attribute;
  for (size_t i = 0; i <= kMaxFields; ++i) attribute.Number(8, 1);
  WireWriter node = Node("Constant");
  node.Message(5, attribute);
  EXPECT_THAT(ScanOnnx(ModelOf(WireWriter().Message(1, node))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than 2000000 fields")));
}

TEST(OnnxScanTest, ShowsForeignNamesCutShortAndPrintable) {
  WireWriter node = Node("Relu");
  node.Bytes(7, "\x1b[2J" + std::string(10'000, 'x'));
  const absl::Status status = ScanOnnx(ModelOf(WireWriter().Message(1, node)));
  EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, HasSubstr("\\x1b[2J")));
  EXPECT_LT(status.message().size(), 300U);
}

TEST(OnnxScanTest, SurvivesAFileCutAtAnyByte) {
  const std::string whole = tests::LinearPolicy().onnx;
  size_t refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    // A heap copy of exactly this size, so that AddressSanitizer sees any byte read beyond it.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    refused += ScanOnnx({cut.data(), cut.size()}).ok() ? 0 : 1;
  }
  EXPECT_EQ(refused, whole.size());
}

TEST(OnnxScanTest, SurvivesEverySingleFlippedBit) {
  std::string bytes = tests::LinearPolicy().onnx;
  size_t refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<char>(1 << (bit % 8));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    refused += ScanOnnx(bytes).ok() ? 0 : 1;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
  }
  EXPECT_GT(refused, 0U);
  EXPECT_OK(ScanOnnx(bytes));
}

}  // namespace
}  // namespace agent::inference
