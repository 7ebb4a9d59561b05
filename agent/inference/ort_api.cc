#include "agent/inference/ort_api.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"

namespace agent::inference {

namespace {

absl::StatusOr<std::string> TensorName(const OrtApi& api, const OrtSession& session, Side side,
                                       size_t index) {
  OrtAllocator* allocator = nullptr;  // the library's own, not ours to free
  RETURN_IF_ERROR(ToStatus(api, api.GetAllocatorWithDefaultOptions(&allocator)));
  const auto get = side == Side::kInput ? api.SessionGetInputName : api.SessionGetOutputName;
  char* name = nullptr;
  RETURN_IF_ERROR(ToStatus(api, get(&session, index, allocator, &name)));
  std::string copy = name;
  RETURN_IF_ERROR(ToStatus(api, api.AllocatorFree(allocator, name)));
  return copy;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrJoin(shape, ",", [](std::string* out, int64_t dimension) {
    out->append(dimension < 0 ? "?" : std::to_string(dimension));
  });
}

// By their numbers, which are those of onnx.proto's TensorProto.DataType.
constexpr const char* kElementNames[] = {
    "undefined",      "float32",    "uint8",          "int8",       "uint16",   "int16",
    "int32",          "int64",      "string",         "bool",       "float16",  "double",
    "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};

std::string ElementName(ONNXTensorElementDataType element) {
  const auto number = static_cast<size_t>(element);
  if (number < std::size(kElementNames)) return kElementNames[number];
  return absl::StrFormat("element type %d ", number);
}

absl::StatusOr<FoundTensor> FindTensor(const OrtApi& api, const OrtSession& session, Side side,
                                       size_t index) {
  FoundTensor found;
  ASSIGN_OR_RETURN(found.name, TensorName(api, session, side, index));
  const auto get =
      side == Side::kInput ? api.SessionGetInputTypeInfo : api.SessionGetOutputTypeInfo;
  OrtTypeInfo* raw = nullptr;
  RETURN_IF_ERROR(ToStatus(api, get(&session, index, &raw)));
  const OrtHandle<OrtTypeInfo> type(raw, api.ReleaseTypeInfo);
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // owned by `type`
  RETURN_IF_ERROR(ToStatus(api, api.CastTypeInfoToTensorInfo(type.get(), &tensor)));
  if (tensor == nullptr) {
    found.text = "not a tensor";
    return found;
  }
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  size_t rank = 0;
  RETURN_IF_ERROR(ToStatus(api, api.GetTensorElementType(tensor, &element)));
  RETURN_IF_ERROR(ToStatus(api, api.GetDimensionsCount(tensor, &rank)));
  found.shape.resize(rank);
  RETURN_IF_ERROR(ToStatus(api, api.GetDimensions(tensor, found.shape.data(), rank)));
  found.is_float = element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  found.text = absl::StrFormat("%s[%s]", ElementName(element), ShapeText(found.shape));
  return found;
}

}  // namespace

absl::Status ToStatus(const OrtApi& api, OrtStatus* status) {
  if (status == nullptr) return absl::OkStatus();
  const OrtHandle<OrtStatus> owned(status, api.ReleaseStatus);
  return absl::InvalidArgumentError(
      absl::StrFormat("ONNX Runtime says: %s", api.GetErrorMessage(owned.get())));
}

absl::StatusOr<std::vector<FoundTensor>> FindTensors(const OrtApi& api, const OrtSession& session,
                                                     Side side) {
  const auto get = side == Side::kInput ? api.SessionGetInputCount : api.SessionGetOutputCount;
  size_t count = 0;
  RETURN_IF_ERROR(ToStatus(api, get(&session, &count)));
  std::vector<FoundTensor> found;
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(FoundTensor tensor, FindTensor(api, session, side, i));
    found.push_back(std::move(tensor));
  }
  return found;
}

}  // namespace agent::inference
