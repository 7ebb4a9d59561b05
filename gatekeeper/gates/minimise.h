#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/gates/scenario_library.h"

namespace gatekeeper::gates {

struct MinimiseRequest {
  Scenario scenario;             // that fails
  std::string gate;              // id of the gate it fails
  std::string folder;            // where the clip goes
  std::optional<double> second;  // of the scenario; stays in the clip
  unsigned trials = 60;          // pieces that are judged at most
};

struct Minimised {
  std::string scenario;   // the YAML file that was written
  std::string recording;  // the MCAP file beside it
  double before_s = 0;
  double after_s = 0;
  double from_s = 0;                 // where the clip begins in the scenario
  std::vector<std::string> dropped;  // topics that it does without
  unsigned trials = 0;
  bool spent = false;     // the trials ran out; more might shrink it further
  v1::GateResult result;  // the gate's word on the clip
};

// Delta debugging (Zeller and Hildebrandt 2002) of one failing scenario: pieces are cut from its
// end and its front, half of it first and one control period last, then topics are dropped that the
// policy does not require, as long as the gate still fails the unit on what is left. Each piece is
// replayed and judged as `gate run` would with a library of it alone; gates that count clips are
// asked about this one. Writes <folder>/<id>-min.mcap and <id>-min.yaml, each whole or not at all.
// Equal inputs give equal clips.
//
// `input` names suite, policy and the unit compared with; its scenarios are not looked at.
// kInvalidArgument: no such gate, or one that does not judge clips one by one.
// kFailedPrecondition: the gate does not fail the unit on the whole scenario.
absl::StatusOr<Minimised> Minimise(const bundle::UngatedUnit& unit, const SuiteInput& input,
                                   const MinimiseRequest& request);

}  // namespace gatekeeper::gates
