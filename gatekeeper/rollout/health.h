#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "proto/fleet.pb.h"
#include "proto/rollout.pb.h"

namespace gatekeeper::rollout {

// What the gatekeeper knows of one robot. Times are milliseconds of the gatekeeper's monotonic
// clock.
struct RobotFacts {
  bool connected = false;
  int64_t report_ms =
      -1;  // newest report that carried gatekeeper-control's part; -1: none since start
  int64_t tick_ms = -1;  // newest report in which control's tick count had risen
  v1::DesiredState desired;
  v1::ObservedState observed;
  // The unit that control reported as failed under the order taken in last; empty: none. Control
  // lets go of it soon, and says so no more.
  std::string failed_digest;
};
using FleetSnapshot = std::map<std::string, RobotFacts>;

enum class Health {
  kWaiting,  // not enough is known; never counts as healthy
  kHealthy,
  kBad,
};

struct Judgement {
  Health health = Health::kWaiting;
  // kBad: the unit did it on the robot, not the link, the robot's program, or a transfer that went
  // wrong. A unit that never got as far as control has shown nothing about itself.
  bool unit_fault = false;
  std::string why;  // one sentence; empty when healthy
};

// How does this robot fare in the present phase? `robot` belongs to the present wave or an earlier
// one.
Judgement Judge(const v1::RolloutState& state, const v1::RolloutRobot& robot,
                const RobotFacts& facts, int64_t now_ms);

// The robot reports the rollout's unit committed and running.
bool RunsUnit(const v1::RolloutState& state, const RobotFacts& facts);

// The robot is back where it was before the rollout touched it: it has taken in the order to go
// back and reports its previous digest committed and running. A robot that had no unit before is
// back when the candidate neither drives nor waits to; a commit of a first unit cannot be undone.
bool Restored(const v1::RolloutState& state, const v1::RolloutRobot& robot,
              const RobotFacts& facts);

// The stage a robot of the present or an earlier wave is to be in.
v1::Stage StageFor(const v1::RolloutState& state, const v1::RolloutRobot& robot);

}  // namespace gatekeeper::rollout
