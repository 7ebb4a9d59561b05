#include "agent/worker/serve.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/inference/onnx_scan.h"

namespace agent::worker {

namespace {

constexpr int kLowestPriority = 19;

absl::StatusOr<LoadedModel> Load(int model_fd, const std::string& library_path,
                                 const base::ModelSignature& wanted) {
  ASSIGN_OR_RETURN(const base::SealedView bytes,
                   base::SealedView::Map(model_fd, inference::kMaxModelBytes));
  ASSIGN_OR_RETURN(const auto runtime, inference::OnnxRuntime::Open(library_path));
  ASSIGN_OR_RETURN(auto model, runtime->Load(bytes.bytes(), wanted));
  return LoadedModel{.model = std::move(model), .numerics_key = runtime->numerics_key()};
}

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(int model_fd, const std::string& library_path,
                                      const base::ModelSignature& wanted) {
  absl::StatusOr<LoadedModel> loaded = absl::UnknownError("not loaded");
  // On Linux niceness belongs to the thread, and only a privileged one gets it back: so it ends
  // here.
  std::thread loader([&] {
    setpriority(PRIO_PROCESS, 0, kLowestPriority);
    loaded = Load(model_fd, library_path, wanted);
  });
  loader.join();
  return loaded;
}

void Serve(base::WorkerChannel& channel, base::Model& model) {
  const base::ModelSignature& signature = model.signature();
  uint32_t sequence = 0;
  while (true) {
    sequence = channel.WaitRequest(sequence);
    for (size_t i = 0; i < signature.inputs.size(); ++i) {
      std::ranges::copy(channel.input(i), model.input(i).begin());
    }
    // No budget here: whoever asked waits with the deadline, and drops what comes after it.
    const base::RunOutcome outcome = model.Run(base::Nanos::max());
    if (outcome == base::RunOutcome::kDone) {
      for (size_t i = 0; i < signature.outputs.size(); ++i) {
        std::ranges::copy(model.output(i), channel.output(i).begin());
      }
    }
    channel.Answer(sequence, outcome);
  }
}

}  // namespace agent::worker
