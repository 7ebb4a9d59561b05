#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "agent/runtime/unit_rules.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/test_bench.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"

namespace agent::inference {
class OnnxRuntime;
}

namespace gatekeeper::gates {

// A unit's documents: as text for the gates, compiled for the robot's code.
struct Documents {
  v1::ControlPolicy policy;
  v1::FallbackRules fallback;
  std::shared_ptr<const agent::runtime::UnitRules> rules;
};

// kInvalidArgument and kDataLoss are the unit's own fault.
absl::StatusOr<Documents> ReadDocuments(const bundle::UngatedUnit& unit);

// One unit's benches, one a thread.
struct Crew {
  agent::base::Digest unit;
  std::shared_ptr<const agent::runtime::UnitRules> rules;  // null: no unit
  std::string engine;  // numerics key, and the providers passed over with their reasons
  std::vector<std::unique_ptr<TestBench>> benches;  // none: results are taken over only
};

// On the provider that the card asks for; the model proves itself by its golden answers first.
// `model`: its bytes, which a bounded scan has let through. Without a runtime the crew has no
// benches.
absl::StatusOr<Crew> MakeCrew(const bundle::UngatedUnit& unit, const Documents& documents,
                              const std::string& model,
                              const agent::inference::OnnxRuntime* runtime, unsigned threads);

}  // namespace gatekeeper::gates
