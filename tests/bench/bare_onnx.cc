#include "tests/bench/bare_onnx.h"

#include <dlfcn.h>

#include <vector>

#include "onnxruntime_c_api.h"
#include "tests/bench/measure.h"

namespace bench {
namespace {

constexpr uint32_t kApiVersion = 21;

const OrtApi& OpenApi(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = handle == nullptr ? nullptr : dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) GiveUp(library + " is not ONNX Runtime; run deploy/setup");
  const OrtApi* api = reinterpret_cast<const OrtApiBase* (*)()>(symbol)()->GetApi(kApiVersion);
  if (api == nullptr) GiveUp(library + " is too old");
  return *api;
}

}  // namespace

struct BareOnnx::Session {
  struct Tensor {
    std::vector<float> floats;
    OrtValue* value = nullptr;
  };

  explicit Session(const OrtApi& ort) : api(ort) {}
  ~Session() {
    for (const Tensor& tensor : inputs) api.ReleaseValue(tensor.value);
    for (const Tensor& tensor : outputs) api.ReleaseValue(tensor.value);
    api.ReleaseSession(session);
    api.ReleaseSessionOptions(options);
    api.ReleaseEnv(environment);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Check(OrtStatus* status) const {
    if (status != nullptr) GiveUp(api.GetErrorMessage(status));
  }

  void Load(const std::string& onnx) {
    Check(api.CreateEnv(ORT_LOGGING_LEVEL_FATAL, "bench", &environment));
    Check(api.CreateSessionOptions(&options));
    Check(api.SetIntraOpNumThreads(options, 1));
    Check(api.SetInterOpNumThreads(options, 1));
    Check(api.SetSessionExecutionMode(options, ORT_SEQUENTIAL));
    Check(api.SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    Check(api.AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"));
    Check(api.CreateSessionFromArray(environment, onnx.data(), onnx.size(), options, &session));
  }

  void Bind(const std::vector<agent::base::TensorSpec>& specs, std::vector<Tensor>& tensors,
            std::vector<std::string>& names) const {
    OrtMemoryInfo* memory = nullptr;
    Check(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
    for (const agent::base::TensorSpec& spec : specs) {
      Tensor& tensor = tensors.emplace_back();
      tensor.floats.assign(spec.elements(), 0.5F);
      Check(api.CreateTensorWithDataAsOrtValue(
          memory, tensor.floats.data(), tensor.floats.size() * sizeof(float), spec.shape.data(),
          spec.shape.size(), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &tensor.value));
      names.push_back(spec.name);
    }
    api.ReleaseMemoryInfo(memory);
  }

  void Point() {
    for (const Tensor& tensor : inputs) input_values.push_back(tensor.value);
    for (const Tensor& tensor : outputs) output_values.push_back(tensor.value);
    for (const std::string& name : input_names) input_texts.push_back(name.c_str());
    for (const std::string& name : output_names) output_texts.push_back(name.c_str());
  }

  const OrtApi& api;
  OrtEnv* environment = nullptr;
  OrtSessionOptions* options = nullptr;
  OrtSession* session = nullptr;
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> input_names, output_names;
  std::vector<const OrtValue*> input_values;
  std::vector<OrtValue*> output_values;
  std::vector<const char*> input_texts, output_texts;
};

BareOnnx::BareOnnx(const std::string& library, const std::string& onnx,
                   const agent::base::ModelSignature& signature)
    : session_(std::make_unique<Session>(OpenApi(library))) {
  session_->Load(onnx);
  session_->Bind(signature.inputs, session_->inputs, session_->input_names);
  session_->Bind(signature.outputs, session_->outputs, session_->output_names);
  session_->Point();
}

BareOnnx::~BareOnnx() = default;

void BareOnnx::Run() {
  Session& at = *session_;
  at.Check(at.api.Run(at.session, nullptr, at.input_texts.data(), at.input_values.data(),
                      at.input_values.size(), at.output_texts.data(), at.output_texts.size(),
                      at.output_values.data()));
}

}  // namespace bench
