#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/integrity.h"
#include "gatekeeper/gates/test_bench.h"

namespace gatekeeper::gates {

// Replays scenarios on benches, one a thread. Results stand in the order of the scenarios whatever
// thread made them.
class ReplayFarm {
 public:
  // At least one bench. `intact[i]`: scenario i may be replayed; the others get a replay with a
  // status.
  ReplayFarm(std::vector<std::unique_ptr<TestBench>> benches,
             const std::vector<Scenario>& scenarios, const std::vector<bool>& intact)
      : benches_(std::move(benches)), scenarios_(scenarios), intact_(intact) {}

  std::vector<Replay> ReplayAll(unsigned threads);
  std::vector<FaultRun> RunFaults(std::vector<PlannedFault> planned, unsigned threads);
  const agent::runtime::UnitRules& rules() const { return benches_.front()->rules(); }

 private:
  std::vector<std::unique_ptr<TestBench>> benches_;
  const std::vector<Scenario>& scenarios_;
  const std::vector<bool>& intact_;
};

// Fills everything that needs replays: the run that is judged (one thread, so that its times are
// worth something), the repeated runs side by side, and the runs with faults.
void GatherReplays(ReplayFarm& farm, unsigned threads, Evidence& evidence);

}  // namespace gatekeeper::gates
