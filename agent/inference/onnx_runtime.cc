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

namespace agent::inference {

namespace {

// 1.21's interface: the oldest this project needs, and every later release still offers it.
constexpr uint32_t kApiVersion = 21;
constexpr char kLibraryInFolder[] = "/lib/libonnxruntime.so.1";

// Kernels are chosen by instruction set, and with them the order of additions.
std::string InstructionSet() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return __builtin_cpu_supports("avx512vnni") ? "x86-64/avx512vnni" : "x86-64/avx512";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "x86-64/avx2";
  return "x86-64/sse2";
#elif defined(__aarch64__)
  return "arm64";
#else
  return "other";
#endif
}

// "... git-commit-id=8f0278c77d, ..." in the library's description of its own build.
std::string CommitOf(const std::string& build_info) {
  constexpr char kKey[] = "git-commit-id=";
  const size_t key = build_info.find(kKey);
  if (key == std::string::npos) return "unknown";
  const size_t from = key + sizeof(kKey) - 1;
  return build_info.substr(from, build_info.find_first_of(", ", from) - from);
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
  std::string numerics_key;
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

const std::string& OnnxRuntime::numerics_key() const { return library_->numerics_key; }

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
  std::string key =
      absl::StrFormat("onnxruntime %s (%s) cpu opt=all threads=1 %s", base->GetVersionString(),
                      CommitOf(api->GetBuildInfoString()), InstructionSet());
  return std::shared_ptr<OnnxRuntime>(new OnnxRuntime(
      std::unique_ptr<Library>(new Library{*api, std::move(environment), std::move(key)})));
}

absl::StatusOr<std::unique_ptr<base::Model>> OnnxRuntime::Load(
    std::string_view onnx_bytes, const base::ModelSignature& wanted) const {
  RETURN_IF_ERROR(ScanOnnx(onnx_bytes));
  const OrtApi& api = library_->api;
  ASSIGN_OR_RETURN(const OrtHandle<OrtSessionOptions> options, MakeOptions(api));
  OrtSession* raw = nullptr;
  RETURN_IF_ERROR(
      ToStatus(api, api.CreateSessionFromArray(library_->environment.get(), onnx_bytes.data(),
                                               onnx_bytes.size(), options.get(), &raw)));
  ASSIGN_OR_RETURN(std::unique_ptr<OrtModel> model,
                   OrtModel::Make(shared_from_this(), api,
                                  OrtHandle<OrtSession>(raw, api.ReleaseSession), wanted));
  RETURN_IF_ERROR(model->WarmUp(kWarmUpRuns));
  return std::unique_ptr<base::Model>(std::move(model));
}

}  // namespace agent::inference
