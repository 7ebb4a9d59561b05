#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/replay.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/test_bench.h"
#include "proto/evidence.pb.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// One drive of a unit in the world that a recording shows.
struct PlannedDrive {
  size_t scenario = 0;  // index into the library
  uint64_t seed = 0;    // of the laser's noise
  double start = 0;     // share of the clip behind which it starts
};

// At most this many start poses a clip: more of them see the same walls again.
inline constexpr uint32_t kMostStarts = 8;

// Every scenario from as many starts as give `closed_loop.runs` drives in all, the clip's beginning
// first. A part of the library plans what the whole plans for that part, and perhaps more.
std::vector<PlannedDrive> PlanDrives(const std::vector<Scenario>& scenarios,
                                     const v1::GateSuite& suite);

// What every drive of a run has in common.
struct DriveRules {
  const v1::ClosedLoopGate& limits;
  const MapOfSite* map = nullptr;  // null: the walls are those that each clip saw
};

// All that makes the drive beside unit and scenario, for the name of its job.
std::string Text(const PlannedDrive& drive, const DriveRules& rules);

// What the suite allows, or what holds where it does not say.
double MaxFarOff(const v1::ClosedLoopGate& limits);

// When the drive came to its end, in seconds since its start: by what ended it, or with its time.
double EndSecond(const v1::ClosedLoopRun& run);

// Rebuilds the recording's world (gatekeeper/resim), lets the recorded drive itself prove it, and
// then lets the unit drive in it through the robot's own Controller: from where the recorded robot
// was, standing, along the way it took (goal_bearing_rad and goal_range_m lead as the recorded
// robot was led there, see resim/route.h) until it gets there, touches something, leaves the floor
// that is known, or takes twice as long as the recorded robot. Clocks run as recorded: what moved
// at a second of the recording moves there at that second again, and does not react; beyond the
// recording's end nothing moves. It collides with the robot when the robot's own motion leads
// there; what walks into one that stands, or into its side or back, is only counted. Bit-identical
// for the same arguments. `not_used` says why a recording cannot serve, or may not be believed.
v1::ClosedLoopRun DriveClosedLoop(const Scenario& scenario, TestBench& bench,
                                  const PlannedDrive& planned, const DriveRules& rules);

// The same drive once more, tick by tick: a replay of nothing but its ticks and their digest.
Replay ReplayClosedLoop(const Scenario& scenario, TestBench& bench, const PlannedDrive& planned,
                        const DriveRules& rules);

}  // namespace gatekeeper::gates
