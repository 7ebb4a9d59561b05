#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "gatekeeper/bundle/rule_diff.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/replay.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// The unit that drives today, as the new one is compared with it.
struct DeployedUnit {
  std::string label;  // name@version
  agent::base::Digest digest;
  v1::ControlPolicy policy;
  std::vector<bundle::RuleChange> looser;  // what the new unit allows beyond it
  std::vector<Replay> replays;             // in the order of Evidence::replays
};

struct DeployedCrew {
  DeployedUnit unit;  // without its replays
  Crew crew;
};

// Opens the unpacked unit in `folder` and loads its model, where there is a runtime to load it.
// kInvalidArgument when it is no unit that could be run, or commands other fields than `candidate`
// and cannot be compared with it.
absl::StatusOr<DeployedCrew> OpenDeployed(const std::string& folder,
                                          const bundle::UngatedUnit& candidate,
                                          const v1::ControlPolicy& policy,
                                          const agent::inference::OnnxRuntime* runtime,
                                          unsigned threads);

}  // namespace gatekeeper::gates
