#pragma once

#include <optional>

#include "gatekeeper/gates/replay.h"

namespace gatekeeper::gates {

// How far the measured motion of a recording lies behind the commands that led to it.
struct CommandLag {
  double seconds = 0;        // negative: the robot moved before it was told to
  double explained = 0;      // share of the motion's variance that the commands explain at this lag
  double at_best_later = 0;  // likewise at the best lag that is not negative
};

// By correlation of the recorded commands (vx, wz) with odometry's speeds, over lags of a second
// either way in steps of a control period. Nothing for clips in which too little is commanded to
// tell: fewer than a second of common ticks, hardly any change, or no twist.
std::optional<CommandLag> CommandLagOf(const Replay& replay);

// A lag that no robot has: the commands come more than two periods after the motion that they led
// to, explain it well, and more than twice as well as at any lag that is possible.
bool IsImpossible(const CommandLag& lag, double period_s);

}  // namespace gatekeeper::gates
