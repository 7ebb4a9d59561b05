#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/execution_provider.h"
#include "agent/base/model.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/worker/sandbox.h"

namespace agent::worker {

struct TrialOrder {
  int model_fd = -1;   // sealed memory
  int golden_fd = -1;  // sealed memory, or -1: the unit has no golden answers
  std::string library;
  std::vector<base::ExecutionProvider> providers;
  Limits limits;
};

// A model that may serve, and what a person should know of it.
struct TriedModel {
  std::unique_ptr<base::Model> model;
  std::string report;  // numerics key, golden answers, providers passed over with their reasons
};

// Opens the library, scans, loads and warms the model against `wanted`, seals the process, and
// lets the model prove itself there: its golden answers, or one run when it has none. All on a
// thread of lowest priority, so that loading never costs the running model a tick. The errors name
// what is wrong with library, model or answers.
absl::StatusOr<TriedModel> Try(const TrialOrder& order, const base::ModelSignature& wanted);

}  // namespace agent::worker
