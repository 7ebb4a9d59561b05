#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "gatekeeper/rollout/health.h"
#include "proto/rollout.pb.h"

namespace gatekeeper::rollout {

// Tell a robot what to run. An empty digest: let go of any candidate.
struct SetDesired {
  std::string robot;
  std::string digest;
  v1::Stage stage = v1::STAGE_UNSPECIFIED;
  uint32_t lease_ms = 0;
  bool rollback = false;
  std::string reason;
};
struct OpenIncident {
  std::string title;
};
// Nobody may install the unit until it is released by name.
struct HoldUnit {
  std::string reason;
};
// For the audit trail.
struct Note {
  std::string text;
};
using Action = std::variant<SetDesired, OpenIncident, HoldUnit, Note>;

// Save `state` before carrying out `actions`; actions may be carried out twice. Without actions
// nothing changed that a restart would miss.
struct Next {
  v1::RolloutState state;
  std::vector<Action> actions;
};

// Looks at the fleet and moves the rollout on as far as the evidence goes. Pure. Call it whenever
// something was reported and several times a second. A robot's stretch of healthy time is counted
// between its reports, never by waiting; a phase that lasts longer than the seconds it demands plus
// `step_deadline_s` is given up; ABORTING is left only by reports.
Next Step(const v1::RolloutState& state, const FleetSnapshot& fleet, int64_t now_ms);

// A person's word. In a final phase nothing changes; in ABORTING it is aborting already.
Next Abort(const v1::RolloutState& state, const std::string& reason, int64_t now_ms);

// A rollback takes over: whoever calls it gives the robots their new desired state.
v1::RolloutState Supersede(const v1::RolloutState& state, const std::string& reason,
                           int64_t now_ms);

// After a restart of the gatekeeper: its clock began anew and nobody watched meanwhile, so
// stretches begin again.
v1::RolloutState Resume(const v1::RolloutState& saved, int64_t now_ms);

bool IsFinal(v1::RolloutPhase phase);

// One sentence: what the next step needs. Empty in a final phase.
std::string WaitingFor(const v1::RolloutState& state, const FleetSnapshot& fleet, int64_t now_ms);

}  // namespace gatekeeper::rollout
