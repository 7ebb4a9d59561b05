#pragma once

#include <cstddef>
#include <vector>

#include "agent/runtime/geometry.h"
#include "gatekeeper/resim/drive_log.h"

namespace gatekeeper::resim {

// The way that the recorded robot took, as something to be sent along. Whoever drives it is told
// what the recorded robot was told where it came nearest; where the log does not say, a point some
// metres ahead on the way, as by a route planner, and in the end where the recorded one got to.
class Route {
 public:
  // From where the log's robot was at `from_ns` to where it ended.
  Route(const DriveLog& log, int64_t from_ns);

  // The point to drive to from here. The way behind the robot is never offered again.
  agent::runtime::Vec2 Ahead(const agent::runtime::Pose2& pose);
  agent::runtime::Vec2 goal() const { return points_.back(); }
  double length_m() const { return along_m_.back(); }

 private:
  std::vector<agent::runtime::Vec2> points_;  // 5 cm apart or more
  std::vector<double> along_m_;
  std::vector<int64_t> at_ns_;  // when the recorded robot was there
  std::vector<TimedGoal> goals_;
  size_t reached_ = 0;
};

}  // namespace gatekeeper::resim
