#include "agent/inference/onnx_runtime.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/onnx_scan.h"
#include "agent/inference/ort_api.h"
#include "agent/inference/ort_model.h"
#include "agent/trust/hash.h"

namespace agent::inference {

namespace {

// 1.21's interface: the oldest this project needs, and every later release still offers it.
constexpr uint32_t kApiVersion = 21;
constexpr char kLibraryInFolder[] = "/lib/libonnxruntime.so.1";

// "... git-commit-id=8f0278c77d, ..." in the library's description of its own build.
std::string CommitOf(const std::string& build_info) {
  constexpr char kKey[] = "git-commit-id=";
  const size_t key = build_info.find(kKey);
  if (key == std::string::npos) return "unknown";
  const size_t from = key + sizeof(kKey) - 1;
  return build_info.substr(from, build_info.find_first_of(", ", from) - from);
}

// The libraries that a provider needs beside ONNX Runtime's own.
constexpr const char* kCudaLibraries[] = {"libonnxruntime_providers_shared.so",
                                          "libonnxruntime_providers_cuda.so"};

// Why CUDA cannot be had: ONNX Runtime only says that loading "a shared library" failed.
std::string MissingForCuda(const std::string& library_path) {
  const std::string folder = library_path.substr(0, library_path.rfind('/') + 1);
  for (const char* name : kCudaLibraries) {
    if (dlopen((folder + name).c_str(), RTLD_LAZY | RTLD_LOCAL) == nullptr) return dlerror();
  }
  return "";
}

absl::Status AppendCuda(const OrtApi& api, const std::string& library_path,
                        OrtSessionOptions* options) {
  OrtCUDAProviderOptionsV2* raw = nullptr;
  absl::Status status = ToStatus(api, api.CreateCUDAProviderOptions(&raw));
  const OrtHandle<OrtCUDAProviderOptionsV2> cuda(raw, api.ReleaseCUDAProviderOptions);
  if (status.ok()) {
    status = ToStatus(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda.get()));
  }
  if (status.ok()) return status;
  const std::string missing = MissingForCuda(library_path);
  return absl::UnavailableError(absl::StrFormat(
      "EP_UNAVAILABLE: cuda: %s", missing.empty() ? std::string(status.message()) : missing));
}

absl::StatusOr<OrtHandle<OrtSessionOptions>> MakeOptions(const OrtApi& api) {
  OrtSessionOptions* raw = nullptr;
  RETURN_IF_ERROR(ToStatus(api, api.CreateSessionOptions(&raw)));
  OrtHandle<OrtSessionOptions> options(raw, api.ReleaseSessionOptions);
  // One thread: a second one pays only above 1 ms of work, and spinning ones double the latency of
  // whatever shares the cores.
  RETURN_IF_ERROR(ToStatus(api, api.SetIntraOpNumThreads(raw, 1)));
  RETURN_IF_ERROR(ToStatus(api, api.SetInterOpNumThreads(raw, 1)));
  RETURN_IF_ERROR(ToStatus(api, api.SetSessionExecutionMode(raw, ORT_SEQUENTIAL)));
  RETURN_IF_ERROR(ToStatus(api, api.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL)));
  constexpr std::pair<const char*, const char*> kEntries[] = {
      {"session.intra_op.allow_spinning", "0"},
      {"session.inter_op.allow_spinning", "0"},
      {"session.load_model_format", "ONNX"},  // never guessed from the bytes
  };
  for (const auto& [key, value] : kEntries) {
    RETURN_IF_ERROR(ToStatus(api, api.AddSessionConfigEntry(raw, key, value)));
  }
  return options;
}

}  // namespace

struct OnnxRuntime::Library {
  const OrtApi& api;
  OrtHandle<OrtEnv> environment;
  std::string path;
  NumericsKey numerics_key;
};

std::string DefaultLibraryPath() {
  const char* configured = std::getenv("GATEKEEPER_ONNXRUNTIME");
  if (configured == nullptr || *configured == '\0') return GATEKEEPER_ONNXRUNTIME_LIBRARY;
  struct stat status {};
  const bool is_folder = stat(configured, &status) == 0 && S_ISDIR(status.st_mode);
  return std::string(configured) + (is_folder ? kLibraryInFolder : "");
}

OnnxRuntime::OnnxRuntime(std::unique_ptr<Library> library) : library_(std::move(library)) {}
OnnxRuntime::~OnnxRuntime() = default;

const NumericsKey& OnnxRuntime::numerics_key() const { return library_->numerics_key; }

absl::StatusOr<std::shared_ptr<OnnxRuntime>> OnnxRuntime::Open(const std::string& library_path) {
  // Some releases hold an uploader that starts with the library and writes into the home folder.
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  void* handle = dlopen(library_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return absl::NotFoundError(absl::StrFormat(
        "cannot open the ONNX Runtime library: %s; run deploy/setup, or name the library in "
        "GATEKEEPER_ONNXRUNTIME",
        dlerror()));
  }
  void* symbol = dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is not ONNX Runtime: it has no symbol OrtGetApiBase", library_path));
  }
  const OrtApiBase* base = reinterpret_cast<const OrtApiBase* (*)()>(symbol)();
  const OrtApi* api = base->GetApi(kApiVersion);
  if (api == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is ONNX Runtime %s, which is too old: it does not offer API %d (1.21 or "
        "later does)",
        library_path, base->GetVersionString(), kApiVersion));
  }
  OrtEnv* raw = nullptr;
  // Its own log would go to stderr; every error reaches us as a status as well.
  RETURN_IF_ERROR(ToStatus(*api, api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "gatekeeper", &raw)));
  OrtHandle<OrtEnv> environment(raw, api->ReleaseEnv);
  RETURN_IF_ERROR(ToStatus(*api, api->DisableTelemetryEvents(raw)));
  Dl_info found{};  // the file that the name led to
  if (dladdr(symbol, &found) == 0) {
    return absl::InternalError(absl::StrFormat("cannot tell which file %s is", library_path));
  }
  ASSIGN_OR_RETURN(const base::Digest digest, trust::Sha256File(found.dli_fname));
  NumericsKey key{.engine = "onnxruntime",
                  .version = absl::StrFormat("%s (%s)", base->GetVersionString(),
                                             CommitOf(api->GetBuildInfoString())),
                  .sha256 = digest.hex(),
                  .optimisation = "all",
                  .instruction_set = InstructionSet()};
  return std::shared_ptr<OnnxRuntime>(new OnnxRuntime(std::unique_ptr<Library>(
      new Library{*api, std::move(environment), found.dli_fname, std::move(key)})));
}

absl::StatusOr<std::unique_ptr<base::Model>> OnnxRuntime::LoadOn(
    base::ExecutionProvider provider, std::string_view onnx_bytes,
    const base::ModelSignature& wanted) const {
  const OrtApi& api = library_->api;
  ASSIGN_OR_RETURN(const OrtHandle<OrtSessionOptions> options, MakeOptions(api));
  if (provider == base::ExecutionProvider::kCuda) {
    RETURN_IF_ERROR(AppendCuda(api, library_->path, options.get()));
  }
  OrtSession* raw = nullptr;
  RETURN_IF_ERROR(
      ToStatus(api, api.CreateSessionFromArray(library_->environment.get(), onnx_bytes.data(),
                                               onnx_bytes.size(), options.get(), &raw)));
  ASSIGN_OR_RETURN(
      std::unique_ptr<OrtModel> model,
      OrtModel::Make(shared_from_this(), api, OrtHandle<OrtSession>(raw, api.ReleaseSession),
                     wanted, provider));
  RETURN_IF_ERROR(model->WarmUp(kWarmUpRuns));
  return std::unique_ptr<base::Model>(std::move(model));
}

absl::StatusOr<LoadedModel> OnnxRuntime::Load(
    std::string_view onnx_bytes, const base::ModelSignature& wanted,
    std::span<const base::ExecutionProvider> providers) const {
  RETURN_IF_ERROR(ScanOnnx(onnx_bytes));
  absl::Status refused = absl::InvalidArgumentError("no execution provider is allowed");
  LoadedModel loaded;
  for (const base::ExecutionProvider provider : providers) {
    auto model = LoadOn(provider, onnx_bytes, wanted);
    if (model.ok()) {
      NumericsKey key = library_->numerics_key;
      key.provider = provider;
      loaded.model = *std::move(model);
      loaded.numerics_key = key.Text();
      return loaded;
    }
    refused = model.status();
    loaded.passed_over.emplace_back(refused.message());
  }
  return refused;
}

absl::StatusOr<std::unique_ptr<base::Model>> OnnxRuntime::Load(
    std::string_view onnx_bytes, const base::ModelSignature& wanted) const {
  constexpr base::ExecutionProvider kCpuOnly[] = {base::ExecutionProvider::kCpu};
  ASSIGN_OR_RETURN(LoadedModel loaded, Load(onnx_bytes, wanted, kCpuOnly));
  return std::move(loaded.model);
}

}  // namespace agent::inference
