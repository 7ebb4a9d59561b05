#include "tests/agent/inference/bare_ort.h"

#include <dlfcn.h>

#include <cstdlib>
#include <utility>

#include "agent/base/status_macros.h"
#include "onnxruntime_c_api.h"

namespace tests {
namespace {

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

}  // namespace

struct BareOrt::Library {
  const OrtApi& api;
  OrtEnv* environment = nullptr;
  OrtSessionOptions* options = nullptr;
  OrtMemoryInfo* memory = nullptr;

  explicit Library(const OrtApi& found) : api(found) {}
  ~Library() {
    api.ReleaseMemoryInfo(memory);
    api.ReleaseSessionOptions(options);
    api.ReleaseEnv(environment);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  absl::Status Check(OrtStatus* status) const {
    const Owned<OrtStatus> owned(status, api.ReleaseStatus);
    if (status == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(api.GetErrorMessage(status));
  }

  absl::StatusOr<std::vector<float>> Read(OrtValue& value, std::vector<int64_t>& shape) const {
    OrtTensorTypeAndShapeInfo* raw = nullptr;
    RETURN_IF_ERROR(Check(api.GetTensorTypeAndShape(&value, &raw)));
    const Owned<OrtTensorTypeAndShapeInfo> info(raw, api.ReleaseTensorTypeAndShapeInfo);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    size_t count = 0;
    RETURN_IF_ERROR(Check(api.GetTensorElementType(raw, &type)));
    if (type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) return absl::InvalidArgumentError("no floats");
    RETURN_IF_ERROR(Check(api.GetDimensionsCount(raw, &rank)));
    shape.resize(rank);
    RETURN_IF_ERROR(Check(api.GetDimensions(raw, shape.data(), rank)));
    RETURN_IF_ERROR(Check(api.GetTensorShapeElementCount(raw, &count)));
    void* data = nullptr;
    RETURN_IF_ERROR(Check(api.GetTensorMutableData(&value, &data)));
    const auto* floats = static_cast<const float*>(data);
    return std::vector<float>(floats, floats + count);
  }
};

BareOrt::BareOrt(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = handle == nullptr ? nullptr : dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) std::abort();
  constexpr uint32_t kApiVersion = 21;
  library_ = std::make_unique<Library>(
      *reinterpret_cast<const OrtApiBase* (*)()>(symbol)()->GetApi(kApiVersion));
  const OrtApi& api = library_->api;
  const absl::Status made[] = {
      library_->Check(api.CreateEnv(ORT_LOGGING_LEVEL_FATAL, "bare", &library_->environment)),
      library_->Check(api.CreateSessionOptions(&library_->options)),
      library_->Check(api.SetIntraOpNumThreads(library_->options, 1)),
      library_->Check(api.SetInterOpNumThreads(library_->options, 1)),
      library_->Check(api.SetSessionGraphOptimizationLevel(library_->options, ORT_ENABLE_ALL)),
      library_->Check(
          api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &library_->memory))};
  for (const absl::Status& status : made) {
    if (!status.ok()) std::abort();
  }
}

BareOrt::~BareOrt() = default;

absl::Status BareOrt::Load(const std::string& onnx) const {
  OrtSession* raw = nullptr;
  const absl::Status loaded = library_->Check(library_->api.CreateSessionFromArray(
      library_->environment, onnx.data(), onnx.size(), library_->options, &raw));
  const Owned<OrtSession> session(raw, library_->api.ReleaseSession);
  return loaded;
}

absl::StatusOr<BareOrt::Outputs> BareOrt::Run(const std::string& onnx,
                                              const agent::base::ModelSignature& tensors,
                                              const std::vector<std::vector<float>>& inputs,
                                              int runs) const {
  const OrtApi& api = library_->api;
  OrtSession* raw = nullptr;
  RETURN_IF_ERROR(library_->Check(api.CreateSessionFromArray(
      library_->environment, onnx.data(), onnx.size(), library_->options, &raw)));
  const Owned<OrtSession> session(raw, api.ReleaseSession);

  std::vector<std::vector<float>> buffers = inputs;
  std::vector<Owned<OrtValue>> values;
  std::vector<const OrtValue*> given;
  std::vector<const char*> given_names;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const std::vector<int64_t>& shape = tensors.inputs[i].shape;
    OrtValue* value = nullptr;
    RETURN_IF_ERROR(library_->Check(api.CreateTensorWithDataAsOrtValue(
        library_->memory, buffers[i].data(), buffers[i].size() * sizeof(float), shape.data(),
        shape.size(), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value)));
    values.emplace_back(value, api.ReleaseValue);
    given.push_back(value);
    given_names.push_back(tensors.inputs[i].name.c_str());
  }
  std::vector<const char*> wanted_names;
  for (const auto& tensor : tensors.outputs) wanted_names.push_back(tensor.name.c_str());
  std::vector<OrtValue*> answers(wanted_names.size(), nullptr);
  for (int i = 0; i < runs; ++i) {
    for (OrtValue*& answer : answers) answer = nullptr;
    const absl::Status ran = library_->Check(
        api.Run(session.get(), nullptr, given_names.data(), given.data(), given.size(),
                wanted_names.data(), wanted_names.size(), answers.data()));
    for (OrtValue* answer : answers) values.emplace_back(answer, api.ReleaseValue);
    RETURN_IF_ERROR(ran);
  }

  Outputs outputs;
  for (OrtValue* answer : answers) {
    ASSIGN_OR_RETURN(auto floats, library_->Read(*answer, outputs.shapes.emplace_back()));
    outputs.floats.push_back(std::move(floats));
  }
  return outputs;
}

}  // namespace tests
