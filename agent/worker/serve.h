#pragma once

#include "agent/base/model.h"
#include "agent/base/worker_channel.h"

namespace agent::worker {

// Answers requests until the process is killed: copies the inputs in, runs, copies the outputs out.
// A request that stands when an older run ends is the newest one; those between are never run.
[[noreturn]] void Serve(base::WorkerChannel& channel, base::Model& model);

}  // namespace agent::worker
