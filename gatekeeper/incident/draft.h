#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gatekeeper::incident {

// What one robot was told, and what came of it.
struct RobotReturn {
  std::string robot = {};
  std::string before_digest = {};  // what it was running or trying
  std::string wanted_digest = {};
  std::string wanted_unit = {};  // name@version, or empty
  uint64_t generation = 0;       // of the desired state that told it
  std::string outcome = {};      // "" not answered yet | running | already | refused | stopped
  double seconds = 0;            // from the decision to the report
  std::string running_digest = {};
  std::string detail = {};
};

// One robot's numbers at the moment of the decision.
struct RobotMetrics {
  std::string robot = {};
  std::string state = {};  // "trial", "shadow", ... and its fallback state
  uint64_t ticks = 0;
  uint64_t deadline_misses = 0;
  uint64_t clamped = 0;
  uint64_t nonfinite = 0;
  uint64_t fallback_episodes = 0;
  uint64_t disagreements = 0;  // shadow: ticks on which it wanted something else
  uint64_t shed = 0;           // shadow: ticks that it was not shown
  double infer_p99_us = 0;
};

// How often a robot stopped, of the one cause of an incident `stop` or `estop`.
struct Stops {
  uint64_t times = 0;    // 0: not of a stop
  int64_t first_ms = 0;  // by the robot's clock
  int64_t last_ms = 0;   // likewise
  int64_t told_ms = 0;   // by the gatekeeper's: when it heard of the newest
  bool by_robot = true;  // false: first_ms of an older version's facts, by the gatekeeper's clock
};

// What a machine knows of an incident. Causes are people's to find.
struct Facts {
  std::string id = {};
  std::string fleet = {};
  std::string kind = {};  // canary_abort | rollback | estop | stop
  std::string title = {};
  std::string actor = {};
  std::string reason = {};
  std::string rollout = {};  // id, may be empty
  std::string unit = {};     // name@version of the suspect, may be empty
  std::string unit_digest = {};
  int64_t began_ms = 0;  // wall clock: where the timeline starts
  int64_t opened_ms = 0;
  int64_t ended_ms = 0;  // 0: robots are still awaited
  std::vector<RobotReturn> robots = {};
  std::vector<RobotMetrics> metrics = {};
  Stops stops = {};
};

struct TimelineLine {
  int64_t wall_ms = 0;
  std::string who = {};
  std::string what = {};
};

std::string ToJson(const Facts& facts);
absl::StatusOr<Facts> FromJson(std::string_view json);

// Markdown: title, status, what happened, robots with digests before and after, receipts, metrics
// at the decision, timeline in UTC; cause, lessons and actions blank and marked for people.
std::string Draft(const Facts& facts, std::vector<TimelineLine> timeline);

// The timeline alone, under its heading.
std::string TimelineText(std::vector<TimelineLine> timeline, std::string_view whose_clock);

// "2026-01-01 00:00:07.250" in UTC.
std::string UtcText(int64_t wall_ms);

}  // namespace gatekeeper::incident
