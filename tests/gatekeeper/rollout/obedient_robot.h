#pragma once

#include "proto/fleet.pb.h"

namespace tests {

namespace v1 = gatekeeper::v1;

// Half a second of a healthy robot's life: takes `desired` in, does it at once, and ticks ten
// times.
inline void Obey(const v1::DesiredState& desired, v1::ObservedState& observed) {
  v1::ControlReport& control = *observed.mutable_control();
  const bool fresh = observed.generation() != desired.generation();
  observed.set_generation(desired.generation());
  control.set_ticks(control.ticks() + 10);
  if (desired.generation() == 0) return;
  if (fresh) {
    control.mutable_candidate()->Clear();
    observed.clear_lifecycle();
  }
  observed.set_candidate_digest(desired.unit_digest());
  v1::UnitHealth* health = control.mutable_candidate();
  switch (desired.stage()) {
    case v1::STAGE_SHADOW:
      control.set_candidate_digest(desired.unit_digest());
      control.set_candidate_state(v1::CANDIDATE_SHADOWING);
      break;
    case v1::STAGE_TRIAL:
      control.set_candidate_state(v1::CANDIDATE_ON_TRIAL);
      control.mutable_pointer()->set_phase(v1::ON_TRIAL);
      control.mutable_pointer()->set_trial_digest(desired.unit_digest());
      control.set_running_digest(desired.unit_digest());
      break;
    case v1::STAGE_COMMIT:
      if (control.pointer().committed_digest() != desired.unit_digest()) {
        control.mutable_pointer()->set_last_good_digest(control.pointer().committed_digest());
      }
      control.mutable_pointer()->set_phase(v1::COMMITTED);
      control.mutable_pointer()->set_committed_digest(desired.unit_digest());
      control.mutable_pointer()->clear_trial_digest();
      control.set_running_digest(desired.unit_digest());
      control.set_candidate_state(v1::CANDIDATE_COMMITTED);
      if (fresh) control.mutable_active()->Clear();
      health = control.mutable_active();
      break;
    default:
      control.set_candidate_state(v1::CANDIDATE_NONE);
      control.clear_candidate_digest();
      control.mutable_pointer()->clear_trial_digest();
      control.mutable_pointer()->set_phase(
          control.pointer().committed_digest().empty() ? v1::EMPTY : v1::COMMITTED);
      control.set_running_digest(control.pointer().committed_digest());
  }
  health->set_ticks(health->ticks() + 10);
}

}  // namespace tests
