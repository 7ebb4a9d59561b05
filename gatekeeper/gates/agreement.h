#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gatekeeper/gates/replay.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// How far one tick's raw model command lay from the recorded one.
struct TickScore {
  size_t tick = 0;       // index into Replay::ticks
  double deviation = 0;  // worst field, in tolerances: at most 1 agrees; infinite: no finite answer
  std::string field;     // the worst one
  double wanted = 0;     // recorded
  double found = 0;      // raw; NaN when the model gave none
  bool agrees() const { return deviation <= 1; }
};

// Scores each tick that has a recorded command within one control period. Left out: the start of
// the recording, until the model's first answer but at most one second, because its inputs are
// still coming in. Ticks beyond the replay's horizon are not scored: see horizon.h. (Open loop:
// each tick is judged alone, on the recorded inputs.)
std::vector<TickScore> ScoreTicks(const Replay& replay, const v1::ControlPolicy& policy,
                                  const v1::Agreement& agreement);

// One clip's share of agreeing ticks, as far as it lies in a segment.
struct ClipScore {
  const Replay* replay = nullptr;  // null: less than a second of the segment was scored
  double agreeing = 0;
  TickScore worst;
};
// `scores` are those of ScoreTicks; an empty tag means the whole clip.
ClipScore ScoreClip(const Replay& replay, const std::vector<TickScore>& scores,
                    const std::string& tag, double rate_hz);

// Names a clip: its file, or where a scenario names none, the scenario.
const std::string& ClipOf(const v1::Scenario& scenario);

// Names the drive that a clip was cut from, or the recording that it is: clips of one drive share
// floor, light and day, and two scenarios of it are one independent sample, not two.
const std::string& RecordingOf(const v1::Scenario& scenario);
const std::string& RecordingOf(const Replay& replay);

// Tolerance of one command field: of the twist's two, or the joints'.
double ToleranceOf(const std::string& field, const v1::Agreement& agreement);

// Mean over the replays of each one's share of agreeing ticks; 0 when none could be scored. For
// people.
double MeanScore(const std::vector<Replay>& replays, const v1::ControlPolicy& policy,
                 const v1::Agreement& agreement);

}  // namespace gatekeeper::gates
