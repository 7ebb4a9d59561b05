#include "gatekeeper/resim/site_twin.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "agent/base/status_macros.h"

namespace gatekeeper::resim {
namespace {

using agent::runtime::Pose2;
using agent::runtime::Vec2;

constexpr size_t kMostScans = 100;  // of those whose ranges are compared on the driven way
constexpr size_t kMostFarOffScans = 1000;

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

double BearingOf(const DriveLog& log, const Pose2& pose, size_t beam) {
  return pose.yaw_rad + log.angle_min_rad + log.angle_increment_rad * static_cast<double>(beam);
}

void AddRangeErrors(const GridMap& walls, const SiteTwin& twin, const TimedScan& scan,
                    const Pose2& pose, std::vector<double>& errors) {
  for (size_t i = 0; i < scan.ranges_m.size(); ++i) {
    const auto measured_m = static_cast<double>(scan.ranges_m[i]);
    if (!IsReturn(measured_m)) continue;
    const agent::runtime::SinCos way = agent::runtime::ExactSinCos(BearingOf(twin.log, pose, i));
    const double wall_m = walls.Cast({pose.x_m, pose.y_m}, way, twin.laser.max_range_m);
    // Nothing where something was measured is as wrong as the range is long.
    errors.push_back(std::isfinite(wall_m) ? std::abs(wall_m + twin.laser.bias_m - measured_m)
                                           : measured_m);
  }
}

void AddPoseErrors(const SiteTwin& twin, Faithfulness& faithfulness) {
  RecordedWay way(twin.log, twin.drive);
  for (const TimedPose& timed : twin.log.poses) {
    const Pose2& pose = way.At(timed.at_ns);
    const double error_m =
        agent::runtime::Distance(Vec2{pose.x_m, pose.y_m}, Vec2{timed.pose.x_m, timed.pose.y_m});
    if (error_m <= faithfulness.pose_error_m) continue;
    faithfulness.pose_error_m = error_m;
    faithfulness.pose_error_at_s = static_cast<double>(timed.at_ns - twin.log.first_ns()) * 1e-9;
  }
}

double RangeError(const SiteTwin& twin, const GridMap& walls) {
  const DriveLog& log = twin.log;
  RecordedWay way(log, twin.drive);
  std::vector<double> errors;
  const size_t stride = log.scans.size() / kMostScans + 1;
  for (size_t i = 0; i < log.scans.size(); i += stride) {
    if (log.scans[i].at_ns < log.first_ns() || log.scans[i].at_ns > log.last_ns()) continue;
    AddRangeErrors(walls, twin, log.scans[i], way.At(log.scans[i].at_ns), errors);
  }
  if (errors.empty()) return twin.laser.max_range_m;
  const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle;
}

void AddFarOff(const SiteTwin& twin, const agent::runtime::Footprint& footprint,
               Faithfulness& faithfulness) {
  const DriveLog& log = twin.log;
  const Movers movers = Movers::Find(twin.map, log, footprint, Movers::Scans::kEverySecond);
  uint64_t returns = 0;
  uint64_t by_walls = 0;
  uint64_t by_all = 0;
  const auto far_off = [&](double world_m, double measured_m) {
    return !(std::abs(world_m + twin.laser.bias_m - measured_m) <= kFarOff_m);
  };
  const size_t stride = 2 * (log.scans.size() / (2 * kMostFarOffScans) + 1);
  for (size_t i = 1; i < log.scans.size(); i += stride) {
    const TimedScan& scan = log.scans[i];
    const Pose2 pose = log.PoseAt(scan.at_ns);
    const Vec2 here{pose.x_m, pose.y_m};
    const Standing standing = movers.At(scan.at_ns);
    for (size_t k = 0; k < scan.ranges_m.size(); ++k) {
      const auto measured_m = static_cast<double>(scan.ranges_m[k]);
      if (!IsReturn(measured_m)) continue;
      const agent::runtime::SinCos way = agent::runtime::ExactSinCos(BearingOf(log, pose, k));
      const double wall_m = twin.map.Cast(here, way, twin.laser.max_range_m);
      const double mover_m = standing.Cast(here, way, twin.laser.max_range_m);
      ++returns;
      by_walls += far_off(wall_m, measured_m) ? 1 : 0;
      by_all += far_off(std::min(wall_m, mover_m), measured_m) ? 1 : 0;
    }
  }
  if (returns == 0) return;  // one scan: the median range is all that it says
  faithfulness.far_off_walls = static_cast<double>(by_walls) / static_cast<double>(returns);
  faithfulness.far_off = static_cast<double>(by_all) / static_cast<double>(returns);
}

double ImpossibleAt(const SiteTwin& twin, const agent::runtime::Footprint& footprint) {
  for (const TimedPose& timed : twin.log.poses) {
    const bool on_the_map =
        twin.map.At({timed.pose.x_m, timed.pose.y_m}) != GridMap::Cell::kUnknown;
    if (on_the_map && !twin.map.Hits(footprint, timed.pose)) continue;
    return static_cast<double>(timed.at_ns - twin.log.first_ns()) * 1e-9;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

absl::StatusOr<SiteTwin> Reconstruct(DriveLog log, const agent::runtime::Footprint& footprint,
                                     const agent::runtime::TwistLimits& limits,
                                     const SiteMap* site) {
  ASSIGN_OR_RETURN(GridMap map, site != nullptr ? GridMap::BuildIn(*site, log, footprint)
                                                : GridMap::Build(log, footprint));
  Movers movers = Movers::Find(map, log, footprint);
  ASSIGN_OR_RETURN(LaserModel laser, FitLaser(map, movers, log));
  const DriveModel drive = FitDrive(log, limits);
  SiteTwin twin{std::move(log), std::move(map), std::move(movers), std::move(laser), drive, {}};
  AddPoseErrors(twin, twin.faithfulness);
  twin.faithfulness.range_error_m =
      site != nullptr ? RangeError(twin, GridMap::Of(*site)) : RangeError(twin, twin.map);
  AddFarOff(twin, footprint, twin.faithfulness);
  twin.faithfulness.impossible_at_s = ImpossibleAt(twin, footprint);
  return twin;
}

}  // namespace gatekeeper::resim
