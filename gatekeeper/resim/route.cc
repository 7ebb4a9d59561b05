#include "gatekeeper/resim/route.h"

#include <algorithm>

namespace gatekeeper::resim {
namespace {

using agent::runtime::Distance;
using agent::runtime::Vec2;

constexpr double kSpacing_m = 0.05;
constexpr double kAhead_m = 3;   // three robot lengths: round a corner, not through it
constexpr double kSearch_m = 2;  // of the way, so that a loop is not cut short

}  // namespace

Route::Route(const DriveLog& log, int64_t from_ns) : goals_(log.goals) {
  const agent::runtime::Pose2 start = log.PoseAt(from_ns);
  points_.push_back({start.x_m, start.y_m});
  along_m_.push_back(0);
  at_ns_.push_back(from_ns);
  for (const TimedPose& timed : log.poses) {
    const Vec2 point{timed.pose.x_m, timed.pose.y_m};
    const double way_m = Distance(points_.back(), point);
    const bool last = &timed == &log.poses.back();  // where it got to, however near
    if (timed.at_ns <= from_ns || (way_m < kSpacing_m && !last)) continue;
    points_.push_back(point);
    along_m_.push_back(along_m_.back() + way_m);
    at_ns_.push_back(timed.at_ns);
  }
}

Vec2 Route::Ahead(const agent::runtime::Pose2& pose) {
  const Vec2 here{pose.x_m, pose.y_m};
  const double from_m = along_m_[reached_];
  double nearest_m = Distance(here, points_[reached_]);
  for (size_t i = reached_; i < points_.size() && along_m_[i] <= from_m + kSearch_m; ++i) {
    const double distance_m = Distance(here, points_[i]);
    if (distance_m >= nearest_m) continue;
    nearest_m = distance_m;
    reached_ = i;
  }
  if (!goals_.empty()) return LastAt(goals_, at_ns_[reached_]).point;
  const auto ahead =
      std::lower_bound(along_m_.begin(), along_m_.end(), along_m_[reached_] + kAhead_m);
  if (ahead == along_m_.end()) return points_.back();
  return points_[static_cast<size_t>(ahead - along_m_.begin())];
}

}  // namespace gatekeeper::resim
