#include "agent/inference/onnx_scan.h"

#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/wire_reader.h"

namespace agent::inference {

namespace {

// Field numbers of onnx.proto (github.com/onnx/onnx, ir_version 3 and later).
namespace model {
constexpr uint32_t kGraph = 7, kOpsetImport = 8, kTrainingInfo = 20, kFunctions = 25;
}
namespace opset {
constexpr uint32_t kDomain = 1;
}
namespace graph {
constexpr uint32_t kNode = 1, kInitializer = 5, kSparseInitializer = 15;
}
namespace node {
constexpr uint32_t kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7;
}
namespace attribute {
constexpr uint32_t kTensor = 5, kGraph = 6, kTensors = 10, kGraphs = 11, kSparseTensor = 22,
                   kSparseTensors = 23;
}
namespace sparse {
constexpr uint32_t kValues = 1, kIndices = 2;
}
namespace tensor {
constexpr uint32_t kDims = 1, kName = 8, kExternalData = 13, kDataLocation = 14;
}

// The densest element type packs 4 elements into a byte.
constexpr uint64_t kElementsPerByte = 4;

// Names come from outside: cut short and made printable before they are shown to anybody.
std::string Shown(std::string_view name) {
  constexpr size_t kShown = 60;
  const bool cut = name.size() > kShown;
  return absl::CHexEscape(std::string(name.substr(0, kShown))) + (cut ? "..." : "");
}

absl::Status Refuse(const std::string& what) {
  return absl::InvalidArgumentError("model refused before loading: " + what);
}

absl::Status Malformed(const char* where) {
  return Refuse(absl::StrFormat("not an ONNX file, or cut short (malformed %s)", where));
}

class Scan {
 public:
  absl::Status Model(std::string_view message);

 private:
  absl::Status Opset(std::string_view message);
  absl::Status Graph(std::string_view message, size_t depth);
  absl::Status Node(std::string_view message, size_t depth);
  absl::Status Attribute(std::string_view message, size_t depth);
  absl::Status SparseTensor(std::string_view message);
  absl::Status Tensor(std::string_view message);

  size_t nodes_ = 0;
  size_t graphs_ = 0;
};

bool IsStandard(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

absl::Status Scan::Model(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.type != WireField::Type::kBytes) continue;
    switch (field.id) {
      case model::kGraph:
        RETURN_IF_ERROR(Graph(field.bytes, 1));
        break;
      case model::kOpsetImport:
        RETURN_IF_ERROR(Opset(field.bytes));
        break;
      case model::kTrainingInfo:
        return Refuse("it holds a training graph; export it for inference only");
      case model::kFunctions:
        return Refuse("it holds local functions; inline them when exporting");
      default:
        break;
    }
  }
  if (reader.failed()) return Malformed("model");
  if (graphs_ == 0) return Refuse("it holds no graph");
  return absl::OkStatus();
}

absl::Status Scan::Opset(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.id == opset::kDomain && field.type == WireField::Type::kBytes &&
        !IsStandard(field.bytes)) {
      return Refuse(absl::StrFormat(
          "it imports the operator domain '%s'; only ai.onnx may be used (a file already optimised "
          "for one machine is not a release: export plain ONNX)",
          Shown(field.bytes)));
    }
  }
  return reader.failed() ? Malformed("operator set") : absl::OkStatus();
}

absl::Status Scan::Graph(std::string_view message, size_t depth) {
  if (depth > kMaxNesting) {
    return Refuse(absl::StrFormat("graphs are nested more than %d deep", kMaxNesting));
  }
  ++graphs_;
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.type != WireField::Type::kBytes) continue;
    if (field.id == graph::kNode) RETURN_IF_ERROR(Node(field.bytes, depth));
    if (field.id == graph::kInitializer) RETURN_IF_ERROR(Tensor(field.bytes));
    if (field.id == graph::kSparseInitializer) RETURN_IF_ERROR(SparseTensor(field.bytes));
  }
  return reader.failed() ? Malformed("graph") : absl::OkStatus();
}

absl::Status Scan::Node(std::string_view message, size_t depth) {
  if (++nodes_ > kMaxNodes) {
    return Refuse(absl::StrFormat("it has more than %d nodes", kMaxNodes));
  }
  std::string_view name;
  std::string_view op_type;
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.type != WireField::Type::kBytes) continue;
    if (field.id == node::kName) name = field.bytes;
    if (field.id == node::kAttribute) RETURN_IF_ERROR(Attribute(field.bytes, depth));
    if (field.id == node::kOpType) op_type = field.bytes;
    // A loop's end depends on data: no bound on its time can be shown before it runs.
    if (field.id == node::kOpType && (field.bytes == "Loop" || field.bytes == "Scan")) {
      return Refuse(absl::StrFormat("node %d is a %s; unroll it when exporting", nodes_,
                                    std::string(field.bytes)));
    }
    if (field.id == node::kDomain && !IsStandard(field.bytes)) {
      return Refuse(absl::StrFormat(
          "node %d '%s' (operator %s) is of the domain '%s'; only ai.onnx may be used", nodes_,
          Shown(name), Shown(op_type), Shown(field.bytes)));
    }
  }
  return reader.failed() ? Malformed("node") : absl::OkStatus();
}

absl::Status Scan::Attribute(std::string_view message, size_t depth) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (field.type != WireField::Type::kBytes) continue;
    switch (field.id) {
      case attribute::kGraph:
      case attribute::kGraphs:
        RETURN_IF_ERROR(Graph(field.bytes, depth + 1));
        break;
      case attribute::kTensor:
      case attribute::kTensors:
        RETURN_IF_ERROR(Tensor(field.bytes));
        break;
      case attribute::kSparseTensor:
      case attribute::kSparseTensors:
        RETURN_IF_ERROR(SparseTensor(field.bytes));
        break;
      default:
        break;
    }
  }
  return reader.failed() ? Malformed("attribute") : absl::OkStatus();
}

absl::Status Scan::SparseTensor(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    const bool holds_tensor = field.id == sparse::kValues || field.id == sparse::kIndices;
    if (holds_tensor && field.type == WireField::Type::kBytes) RETURN_IF_ERROR(Tensor(field.bytes));
  }
  return reader.failed() ? Malformed("sparse tensor") : absl::OkStatus();
}

// How many elements a tensor's dimensions claim, held against what its bytes can hold at most.
class ElementCount {
 public:
  explicit ElementCount(size_t bytes) : most_(bytes * kElementsPerByte) {}
  void Multiply(uint64_t dimension) {
    if (dimension > INT64_MAX) negative_ = true;
    if (dimension == 0) empty_ = true;
    if (oversized_ || dimension == 0) return;
    oversized_ = dimension > most_ / elements_;
    elements_ *= oversized_ ? 1 : dimension;
  }
  bool negative() const { return negative_; }
  bool oversized() const { return oversized_ && !empty_; }

 private:
  uint64_t most_;
  uint64_t elements_ = 1;
  bool negative_ = false;
  bool empty_ = false;
  bool oversized_ = false;
};

bool CountPacked(std::string_view dimensions, ElementCount& count) {
  uint64_t dimension = 0;
  while (!dimensions.empty()) {
    if (!WireReader::TakeVarint(dimensions, dimension)) return false;
    count.Multiply(dimension);
  }
  return true;
}

absl::Status Scan::Tensor(std::string_view message) {
  ElementCount count(message.size());
  std::string_view name;
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    const bool is_bytes = field.type == WireField::Type::kBytes;
    if (field.id == tensor::kName && is_bytes) name = field.bytes;
    if (field.id == tensor::kExternalData ||
        (field.id == tensor::kDataLocation && field.number != 0)) {
      return Refuse(absl::StrFormat(
          "tensor '%s' keeps its data in another file; save the model as one file", Shown(name)));
    }
    if (field.id != tensor::kDims) continue;
    if (field.type == WireField::Type::kVarint) count.Multiply(field.number);
    if (is_bytes && !CountPacked(field.bytes, count)) return Malformed("tensor shape");
  }
  if (reader.failed()) return Malformed("tensor");
  if (count.negative()) {
    return Refuse(absl::StrFormat("tensor '%s' has a negative dimension", Shown(name)));
  }
  if (count.oversized()) {
    return Refuse(absl::StrFormat("tensor '%s' claims more elements than its %d bytes can hold",
                                  Shown(name), message.size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ScanOnnx(std::string_view bytes) {
  if (bytes.size() > kMaxModelBytes) {
    return Refuse(absl::StrFormat("it has %d bytes, at most %d", bytes.size(), kMaxModelBytes));
  }
  // ONNX Runtime takes such bytes for its own format, however well they read as protobuf.
  if (bytes.size() >= 8 && bytes.substr(4, 4) == "ORTM") {
    return Refuse("it is in ORT format, which is made for one machine; export plain ONNX");
  }
  return Scan().Model(bytes);
}

}  // namespace agent::inference
