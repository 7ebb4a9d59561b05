#include <algorithm>
#include <cmath>

#include "agent/runtime/controller.h"
#include "agent/runtime/stop_ramp.h"

// The part of the Controller that tells the fallback machine what it wants to know.

namespace agent::runtime {
namespace {

using base::Seconds;

}  // namespace

void Controller::Decide(TriggerMask raised, Nanos elapsed) {
  const StateIndex before = status_.state;
  Advance(rules_->fallback,
          {.raised = raised,
           .previous_runs = previous_ != nullptr && !previous_faulty_,
           .standing = CommandIsZero(),
           .now = tick_.now,
           .fresh = rules_->fallback.needs() & freshness_->fresh(),
           .zones = ZonesThatDefer(raised),
           .driven = CommandIsZero() ? Nanos{0} : elapsed},
          status_);
  if (status_.state != before) braked_ = Nanos{0};
  KeepLatch();
}

// The zones around the robot in which a trigger that is raised now may wait. Without a fresh pose
// none: nothing is postponed on a guess.
ZoneMask Controller::ZonesThatDefer(TriggerMask raised) const {
  const Fallback& fallback = rules_->fallback;
  if ((raised & fallback.deferrable()) == 0) return 0;
  if (!motion_) return 0;
  ZoneMask around = 0;
  ZoneMask zone_bit = 1;
  for (const MapZone& zone : rules_->policy.envelope()) {
    if (zone.region.Contains({motion_->pose.x_m, motion_->pose.y_m})) around |= zone_bit;
    zone_bit <<= 1;
  }
  return around;
}

// One tick of a stop, whose deceleration grows from where this stop began.
void Controller::Brake(const StateRule& stop, Nanos elapsed) {
  const StopRamp ramp{.dec_mps2 = stop.dec_mps2, .jerk_mps3 = stop.jerk_mps3};
  const Nanos begun = braked_;
  braked_ += elapsed;
  BrakeAt(ramp.MeanDecMps2(Seconds(begun), Seconds(braked_)), elapsed);
}

// It keeps a moving robot moving. One that stands may have been told to by its model before that
// was lost: it stays. Nobody holds braking back, so one that is faster is slowed down here as its
// drive can brake.
void Controller::FollowTheGap(const StateRule& state, Nanos elapsed) {
  wanted_.assign(last_.begin(), last_.end());
  if (CommandIsZero()) return;
  follow_gap_.Steer(state.follow_gap, board_.scan(), wanted_);
  const double dec_mps2 = rules_->policy.nominal().dec_max_mps2.At(std::abs(last_[0]));
  wanted_[0] = std::max(wanted_[0], last_[0] - dec_mps2 * Seconds(elapsed));
}

}  // namespace agent::runtime
