#include "agent/worker/serve.h"

#include <algorithm>
#include <cstdint>

namespace agent::worker {

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
