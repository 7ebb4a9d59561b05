#pragma once

#include <vector>

#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/replay.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

// How far an open-loop replay may be believed.
//
// A recording does not answer: once the commands that a unit gives would have led the robot
// elsewhere, it is asked about places where it would never have been, and how its commands there
// compare with the recorded ones says nothing. So what the model asks for is driven, from the first
// answer on, by a drive fitted to the same recording (resim/drive_model.h: its latency and
// accelerations are nobody's fault), and once that way is off the recorded one by more than the
// suite allows, later ticks are outside. ScoreTicks leaves them out, and with it everything that
// compares commands with recorded ones: worst_segment, non_inferiority, uncertainty, the mean
// score.
//
// All else stays valid over the whole clip, because it is forced back to the recording on every
// tick and judges one step: envelope (from the recorded pose, one period and the stop behind it),
// raw_vs_enforced (limits of that command in that state), separation (zones on recorded scans),
// requirements, latency, determinism, and the runs with faults, whose odometry answers.
// An arm's joint commands are places, not motions: they do not add up, and its clips have no
// horizon.

namespace gatekeeper::gates {

// Of one clip: `limits` are the suite's. All of its ticks when the commands are no twists or the
// recording has no odometry.
Horizon HorizonOf(const Replay& replay, const v1::ControlPolicy& policy,
                  const v1::HorizonGate& limits);

// Sets the horizon of every replay, the deployed unit's too, if the suite has limits for it.
void SetHorizons(Evidence& evidence);

}  // namespace gatekeeper::gates
