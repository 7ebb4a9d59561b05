#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/base/worker_channel.h"

namespace agent::worker {

// A model ready to serve and the key its answers are comparable under.
struct LoadedModel {
  std::unique_ptr<base::Model> model;
  std::string numerics_key;
};

// Opens the library, then scans, loads and warms the model in the sealed memory behind `model_fd`
// against the channel's signature: on a thread of lowest priority, so that loading never costs the
// running model a tick. kInvalidArgument and the errors of OnnxRuntime name what is wrong with
// library or model.
absl::StatusOr<LoadedModel> LoadModel(int model_fd, const std::string& library_path,
                                      const base::ModelSignature& wanted);

// Answers requests until the process is killed: copies the inputs in, runs, copies the outputs out.
// A request that stands when an older run ends is the newest one; those between are never run.
[[noreturn]] void Serve(base::WorkerChannel& channel, base::Model& model);

}  // namespace agent::worker
