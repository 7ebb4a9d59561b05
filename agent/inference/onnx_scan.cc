#include "agent/inference/onnx_scan.h"

#include <cstdint>
#include <iterator>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/wire_reader.h"

namespace agent::inference {

namespace {

// Field numbers of onnx.proto (github.com/onnx/onnx, ir_version 3 and later).
namespace model {
constexpr uint32_t kIrVersion = 1, kGraph = 7, kOpsetImport = 8, kTrainingInfo = 20,
                   kFunctions = 25;
}
namespace opset {
constexpr uint32_t kDomain = 1, kVersion = 2;
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
constexpr uint32_t kDims = 1, kDataType = 2, kName = 8, kRawData = 9, kExternalData = 13,
                   kDataLocation = 14;
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
  // The next field of one message; false at its end, at a fault, and when there were too many.
  bool Next(WireReader& reader, WireField& field) {
    return ++fields_ <= kMaxFields && reader.Next(field);
  }
  absl::Status End(const WireReader& reader, const char* where) const {
    if (fields_ > kMaxFields) {
      return Refuse(absl::StrFormat("it has more than %d fields", kMaxFields));
    }
    return reader.failed() ? Malformed(where) : absl::OkStatus();
  }
  absl::Status CheckHead() const;
  absl::Status Opset(std::string_view message);
  absl::Status Graph(std::string_view message, size_t depth);
  absl::Status Node(std::string_view message, size_t depth);
  absl::Status Attribute(std::string_view message, size_t depth);
  absl::Status SparseTensor(std::string_view message);
  absl::Status Tensor(std::string_view message);

  size_t fields_ = 0;
  size_t nodes_ = 0;
  size_t main_graphs_ = 0;
  bool standard_opset_ = false;
  uint64_t ir_version_ = 0;
};

bool IsStandard(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

absl::Status Scan::Model(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (Next(reader, field)) {
    if (field.id == model::kIrVersion) ir_version_ = field.number;
    if (field.type != WireField::Type::kBytes) continue;
    switch (field.id) {
      case model::kGraph:
        // Parsers merge a repeated message with the one before: into what nobody has looked at.
        if (++main_graphs_ > 1) return Refuse("it holds two graphs");
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
  RETURN_IF_ERROR(End(reader, "model"));
  return CheckHead();
}

absl::Status Scan::CheckHead() const {
  if (main_graphs_ == 0) return Refuse("it holds no graph");
  if (ir_version_ < kMinIrVersion || ir_version_ > kMaxIrVersion) {
    return Refuse(absl::StrFormat("it is of IR version %d; versions %d to %d can be read",
                                  ir_version_, kMinIrVersion, kMaxIrVersion));
  }
  if (!standard_opset_) return Refuse("it does not name its operator set");
  return absl::OkStatus();
}

absl::Status Scan::Opset(std::string_view message) {
  WireReader reader(message);
  WireField field;
  uint64_t version = 0;
  while (Next(reader, field)) {
    if (field.id == opset::kVersion) version = field.number;
    if (field.id == opset::kDomain && field.type == WireField::Type::kBytes &&
        !IsStandard(field.bytes)) {
      return Refuse(absl::StrFormat(
          "it imports the operator domain '%s'; only ai.onnx may be used (a file already optimised "
          "for one machine is not a release: export plain ONNX)",
          Shown(field.bytes)));
    }
  }
  RETURN_IF_ERROR(End(reader, "operator set"));
  if (version < 1 || version > kMaxOpset) {
    return Refuse(
        absl::StrFormat("it is of operator set %d; sets 1 to %d are known", version, kMaxOpset));
  }
  standard_opset_ = true;
  return absl::OkStatus();
}

absl::Status Scan::Graph(std::string_view message, size_t depth) {
  if (depth > kMaxNesting) {
    return Refuse(absl::StrFormat("graphs are nested more than %d deep", kMaxNesting));
  }
  WireReader reader(message);
  WireField field;
  while (Next(reader, field)) {
    if (field.type != WireField::Type::kBytes) continue;
    if (field.id == graph::kNode) RETURN_IF_ERROR(Node(field.bytes, depth));
    if (field.id == graph::kInitializer) RETURN_IF_ERROR(Tensor(field.bytes));
    if (field.id == graph::kSparseInitializer) RETURN_IF_ERROR(SparseTensor(field.bytes));
  }
  return End(reader, "graph");
}

absl::Status Scan::Node(std::string_view message, size_t depth) {
  if (++nodes_ > kMaxNodes) {
    return Refuse(absl::StrFormat("it has more than %d nodes", kMaxNodes));
  }
  std::string_view name;
  std::string_view op_type;
  WireReader reader(message);
  WireField field;
  while (Next(reader, field)) {
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
  return End(reader, "node");
}

absl::Status Scan::Attribute(std::string_view message, size_t depth) {
  WireReader reader(message);
  WireField field;
  int values = 0;
  while (Next(reader, field)) {
    if (field.type != WireField::Type::kBytes) continue;
    const bool single = field.id == attribute::kGraph || field.id == attribute::kTensor ||
                        field.id == attribute::kSparseTensor;
    if (single && ++values > 1) return Refuse("an attribute holds two values");
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
  return End(reader, "attribute");
}

absl::Status Scan::SparseTensor(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (Next(reader, field)) {
    const bool holds_tensor = field.id == sparse::kValues || field.id == sparse::kIndices;
    if (holds_tensor && field.type == WireField::Type::kBytes) RETURN_IF_ERROR(Tensor(field.bytes));
  }
  return End(reader, "sparse tensor");
}

// Bits an element of a TensorProto.DataType takes in raw_data; 0 where it cannot stand there, or
// where nobody here knows.
uint64_t BitsOf(uint64_t data_type) {
  constexpr uint64_t kBits[] = {0,  32, 8,  8,   16, 16, 32, 64, 0, 8, 16, 64,
                                32, 64, 64, 128, 16, 8,  8,  8,  8, 4, 4,  4};
  return data_type < std::size(kBits) ? kBits[data_type] : 0;
}

// How many elements a tensor's dimensions claim, held against what its bytes can hold at most.
class ElementCount {
 public:
  explicit ElementCount(size_t bytes) : most_(bytes * kElementsPerByte) {}
  void Multiply(uint64_t dimension) {
    ++rank_;
    if (dimension > INT64_MAX) negative_ = true;
    if (dimension == 0) empty_ = true;
    if (oversized_ || dimension == 0) return;
    oversized_ = dimension > most_ / elements_;
    elements_ *= oversized_ ? 1 : dimension;
  }
  size_t rank() const { return rank_; }
  bool negative() const { return negative_; }
  bool oversized() const { return oversized_ && !empty_; }
  uint64_t elements() const { return empty_ ? 0 : elements_; }  // unless oversized

 private:
  uint64_t most_;
  uint64_t elements_ = 1;
  size_t rank_ = 0;
  bool negative_ = false;
  bool empty_ = false;
  bool oversized_ = false;
};

bool CountPacked(std::string_view dimensions, ElementCount& count) {
  uint64_t dimension = 0;
  while (!dimensions.empty() && count.rank() <= kMaxRank) {
    if (!WireReader::TakeVarint(dimensions, dimension)) return false;
    count.Multiply(dimension);
  }
  return true;
}

struct TensorShape {
  ElementCount count;
  std::string_view name{};
  uint64_t data_type = 0;
  bool has_raw_data = false;
  size_t raw_bytes = 0;
};

absl::Status CheckShape(const TensorShape& shape, size_t bytes) {
  const auto refuse = [&shape](const std::string& what) {
    return Refuse(absl::StrFormat("tensor '%s' %s", Shown(shape.name), what));
  };
  if (shape.count.rank() > kMaxRank) {
    return refuse(absl::StrFormat("has more than %d dimensions", kMaxRank));
  }
  if (shape.count.negative()) return refuse("has a negative dimension");
  if (shape.count.oversized()) {
    return refuse(absl::StrFormat("claims more elements than its %d bytes can hold", bytes));
  }
  const uint64_t bits = BitsOf(shape.data_type);
  if (bits == 0 || !shape.has_raw_data) return absl::OkStatus();
  const uint64_t wanted = (shape.count.elements() * bits + 7) / 8;
  if (wanted == shape.raw_bytes) return absl::OkStatus();
  return refuse(
      absl::StrFormat("has %d bytes of data, its dimensions want %d", shape.raw_bytes, wanted));
}

absl::Status Scan::Tensor(std::string_view message) {
  TensorShape shape{.count = ElementCount(message.size())};
  WireReader reader(message);
  WireField field;
  while (Next(reader, field)) {
    const bool is_bytes = field.type == WireField::Type::kBytes;
    if (field.id == tensor::kName && is_bytes) shape.name = field.bytes;
    if (field.id == tensor::kDataType) shape.data_type = field.number;
    if (field.id == tensor::kRawData && is_bytes) {
      shape.has_raw_data = true;
      shape.raw_bytes = field.bytes.size();
    }
    if (field.id == tensor::kExternalData ||
        (field.id == tensor::kDataLocation && field.number != 0)) {
      return Refuse(
          absl::StrFormat("tensor '%s' keeps its data in another file; save the model as one file",
                          Shown(shape.name)));
    }
    if (field.id != tensor::kDims) continue;
    if (field.type == WireField::Type::kVarint) shape.count.Multiply(field.number);
    if (is_bytes && !CountPacked(field.bytes, shape.count)) return Malformed("tensor shape");
  }
  RETURN_IF_ERROR(End(reader, "tensor"));
  return CheckShape(shape, message.size());
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
