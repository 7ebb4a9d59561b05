#include "gatekeeper/resim/site_twin.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "agent/base/status_macros.h"

namespace gatekeeper::resim {
namespace {

using agent::runtime::Pose2;
using agent::runtime::Vec2;

constexpr size_t kMostScans = 100;  // of those whose ranges are compared

// Drives what was recorded: commands through the drive model, or the measured speeds as they are.
class RecordedWay {
 public:
  RecordedWay(const DriveLog& log, const DriveModel& drive)
      : series_(log.commands.empty() ? log.measured : log.commands),
        drive_(log.commands.empty() ? AsMeasured() : drive, log.poses.front().pose, log.first_ns(),
               StartSpeed(log).vx_mps, StartSpeed(log).wz_radps) {
    // What was sent before the start is still on its way.
    const auto first = std::find_if(series_.begin(), series_.end(), [&](const TimedTwist& twist) {
      return twist.at_ns > log.first_ns() - drive.latency_ns;
    });
    next_ = static_cast<size_t>(first - series_.begin());
    if (next_ > 0) --next_;
  }

  const Pose2& At(int64_t at_ns) {
    for (; next_ < series_.size() && series_[next_].at_ns <= at_ns; ++next_)
      drive_.Command(series_[next_]);
    drive_.DriveTo(at_ns);
    return drive_.pose();
  }

 private:
  static DriveModel AsMeasured() {
    constexpr double kAtOnce = 1e9;
    return {.acc_mps2 = kAtOnce, .dec_mps2 = kAtOnce, .wz_acc_radps2 = kAtOnce};
  }
  static TimedTwist StartSpeed(const DriveLog& log) {
    return log.measured.empty() ? TimedTwist{} : LastAt(log.measured, log.first_ns());
  }

  const std::vector<TimedTwist>& series_;
  Drive drive_;
  size_t next_ = 0;
};

void AddRangeErrors(const GridMap& map, const LaserModel& laser, const TimedScan& scan,
                    const Pose2& pose, std::vector<double>& errors) {
  for (size_t i = 0; i < scan.ranges_m.size(); ++i) {
    const auto measured_m = static_cast<double>(scan.ranges_m[i]);
    if (!std::isfinite(measured_m) || measured_m <= 0) continue;
    const double bearing =
        pose.yaw_rad + laser.angle_min_rad + laser.angle_increment_rad * static_cast<double>(i);
    const double map_m =
        map.Cast({pose.x_m, pose.y_m}, agent::runtime::ExactSinCos(bearing), laser.max_range_m);
    // Nothing where something was measured is as wrong as the range is long.
    errors.push_back(std::isfinite(map_m) ? std::abs(map_m + laser.bias_m - measured_m)
                                          : measured_m);
  }
}

}  // namespace

Faithfulness Validate(const DriveLog& log, const GridMap& map, const LaserModel& laser,
                      const DriveModel& drive) {
  Faithfulness faithfulness;
  RecordedWay by_poses(log, drive);
  for (const TimedPose& timed : log.poses) {
    const Pose2& pose = by_poses.At(timed.at_ns);
    const double error_m =
        agent::runtime::Distance(Vec2{pose.x_m, pose.y_m}, Vec2{timed.pose.x_m, timed.pose.y_m});
    if (error_m <= faithfulness.pose_error_m) continue;
    faithfulness.pose_error_m = error_m;
    faithfulness.pose_error_at_s = static_cast<double>(timed.at_ns - log.first_ns()) * 1e-9;
  }
  RecordedWay by_scans(log, drive);
  std::vector<double> errors;
  const size_t stride = log.scans.size() / kMostScans + 1;
  for (size_t i = 0; i < log.scans.size(); i += stride) {
    if (log.scans[i].at_ns < log.first_ns() || log.scans[i].at_ns > log.last_ns()) continue;
    AddRangeErrors(map, laser, log.scans[i], by_scans.At(log.scans[i].at_ns), errors);
  }
  if (errors.empty()) {
    faithfulness.range_error_m = laser.max_range_m;
    return faithfulness;
  }
  const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  faithfulness.range_error_m = *middle;
  return faithfulness;
}

absl::StatusOr<SiteTwin> Reconstruct(DriveLog log, const agent::runtime::Footprint& footprint,
                                     const agent::runtime::TwistLimits& limits) {
  ASSIGN_OR_RETURN(GridMap map, GridMap::Build(log, footprint));
  ASSIGN_OR_RETURN(LaserModel laser, FitLaser(map, log));
  const DriveModel drive = FitDrive(log, limits);
  const Faithfulness faithfulness = Validate(log, map, laser, drive);
  return SiteTwin{std::move(log), std::move(map), std::move(laser), drive, faithfulness};
}

}  // namespace gatekeeper::resim
