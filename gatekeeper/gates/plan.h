#pragma once

#include <string>
#include <vector>

#include "agent/base/digest.h"
#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/suite.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// Over every scenario's digest in order of id, and through them over all recordings.
agent::base::Digest LibraryDigest(const std::vector<Scenario>& scenarios);

// What is fixed before anything runs. The same suite, policy files, scenarios, host class and
// engine give the same `sha256` anywhere; the attempts are not part of it and are left at 0.
struct PlanInput {
  const Suite& suite;
  const std::string& suite_file;
  const PolicyFiles& policy;
  const std::vector<Scenario>& scenarios;
  std::string host_class;  // of the computer that runs the gates
  std::string deployed;    // digest of the unit compared with, hex; empty: none
  std::string engine;      // numerics key of the runtime that will run the model
};
v1::GatePlan MakePlan(const PlanInput& input);

}  // namespace gatekeeper::gates
