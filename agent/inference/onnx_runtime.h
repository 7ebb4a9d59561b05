#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/execution_provider.h"
#include "agent/base/model.h"
#include "agent/inference/numerics_key.h"

namespace agent::inference {

// Where the library is looked for: environment GATEKEEPER_ONNXRUNTIME (the library's file or a
// folder with lib/libonnxruntime.so.1), else the place known when this program was built.
std::string DefaultLibraryPath();

// A warm model and where it runs.
struct LoadedModel {
  std::unique_ptr<base::Model> model;
  std::string numerics_key;              // NumericsKey::Text of this library, provider and computer
  std::vector<std::string> passed_over;  // why each provider listed before it was not taken
};

// ONNX Runtime, opened at run time: its symbols carry a version node per release, so that a linked
// program would run with one release only. Any release that knows API 21 (1.21 and later) will do.
// One thread, no spinning, all graph optimisations, nothing written to disk, no telemetry.
class OnnxRuntime : public std::enable_shared_from_this<OnnxRuntime> {
 public:
  // Sets ORT_DISABLE_TELEMETRY=1 before the library starts, so call it before other threads read
  // the environment. kNotFound: no such library, or it cannot be opened. kInvalidArgument: it is
  // not ONNX Runtime (symbol OrtGetApiBase missing). kFailedPrecondition: a release without API 21.
  // The library is never closed again: its threads and destructors do not survive that.
  static absl::StatusOr<std::shared_ptr<OnnxRuntime>> Open(const std::string& library_path);
  ~OnnxRuntime();

  // Scans, loads and warms the model (kWarmUpRuns runs on zeros). kInvalidArgument names what the
  // scan found, what ONNX Runtime said, or the tensor that differs with the shape found and wanted.
  // A free dimension of the model takes the wanted size; a flat wanted shape [1,n] also fits a
  // model tensor of any shape that holds n elements (an output: n or more, of which the first n are
  // shown). Outputs that are not wanted are not computed for us; inputs must be wanted, all of
  // them. The model keeps this runtime alive; `onnx_bytes` may go.
  //
  // Its Run cannot be interrupted: it returns when the model is done, and reports kDeadlineMissed
  // when that took longer than the budget (the outputs are then NaN, never the late answer).
  // Whoever must answer in time whatever the model does runs it in a worker process.
  absl::StatusOr<std::unique_ptr<base::Model>> Load(std::string_view onnx_bytes,
                                                    const base::ModelSignature& wanted) const;

  // The same on the first of `providers` that takes the model; what is not listed is never used, so
  // a list of one demands it. kUnavailable "EP_UNAVAILABLE: cuda: ..." names the library that is
  // missing, when none of them can run here at all.
  absl::StatusOr<LoadedModel> Load(std::string_view onnx_bytes, const base::ModelSignature& wanted,
                                   std::span<const base::ExecutionProvider> providers) const;

  // On the CPU.
  const NumericsKey& numerics_key() const;

  static constexpr int kWarmUpRuns = 5;  // the first run costs up to 7 times a steady one

 private:
  struct Library;
  explicit OnnxRuntime(std::unique_ptr<Library> library);
  absl::StatusOr<std::unique_ptr<base::Model>> LoadOn(base::ExecutionProvider provider,
                                                      std::string_view onnx_bytes,
                                                      const base::ModelSignature& wanted) const;
  std::unique_ptr<Library> library_;
};

}  // namespace agent::inference
