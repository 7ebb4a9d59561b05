#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/preparation.h"
#include "gatekeeper/gates/run_suite.h"

namespace agent::inference {
class OnnxRuntime;
}

namespace gatekeeper::gates {

// What one gate says of one clip.
struct ClipVerdict {
  absl::Status replayed;  // why the clip could not be replayed; nothing was judged then
  v1::GateResult result;
  v1::ControlPolicy policy;
  bool fails() const { return replayed.ok() && result.outcome() == v1::FAIL; }
};

// Asks one gate of a suite about single clips: the gate's own function on the evidence of a library
// that holds nothing else. Where the suite counts clips, one is enough.
class ClipJudge {
 public:
  // kInvalidArgument: no such gate, not asked for by the suite, or it does not judge clips one by
  // one. `unit` outlives the judge.
  static absl::StatusOr<ClipJudge> Create(const bundle::UngatedUnit& unit, SuiteInput input,
                                          const std::string& gate);

  absl::StatusOr<ClipVerdict> Judge(const Scenario& clip) const;
  const Suite& suite() const { return suite_; }  // as it was read

 private:
  ClipJudge(const bundle::UngatedUnit& unit, SuiteInput input, const Gate& gate)
      : unit_(&unit), input_(std::move(input)), gate_(&gate) {}

  const bundle::UngatedUnit* unit_;
  SuiteInput input_;
  const Gate* gate_;
  Suite suite_;
  std::shared_ptr<agent::inference::OnnxRuntime> runtime_;
  agent::base::Digest program_;
};

}  // namespace gatekeeper::gates
