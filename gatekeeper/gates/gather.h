#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/part.h"
#include "gatekeeper/gates/preparation.h"
#include "gatekeeper/gates/replay_farm.h"
#include "gatekeeper/gates/shard.h"

namespace agent::inference {
class OnnxRuntime;
}

namespace gatekeeper::gates {

// Where what the gates look at comes from: replays made here, or shards that others made.
struct Sources {
  const agent::inference::OnnxRuntime* runtime = nullptr;
  const ShardSet* shards = nullptr;  // without a runtime
  Part part = {};                    // of the corpus; the library is cut down already
  FarmBooks& books;
};

// What was looked at, and what a shard must tell beside its results.
struct Gathered {
  Evidence evidence;
  std::vector<v1::Finding> broken;  // of the evidence's, those about recordings
  size_t digests_checked = 0;       // likewise
  std::vector<bool> intact;         // one a scenario
  std::string model_refused;        // why the model did not load or did not prove itself
  std::string deployed_engine;
};

// Everything the gates look at. Documents or a model that cannot be used leave the replays empty.
// kDataLoss: the shards lack a result, which is named.
absl::StatusOr<Gathered> Gather(const bundle::UngatedUnit& unit, const Prepared& prepared,
                                const SuiteInput& input, const Sources& from);

}  // namespace gatekeeper::gates
