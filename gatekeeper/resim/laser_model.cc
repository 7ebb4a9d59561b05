#include "gatekeeper/resim/laser_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace gatekeeper::resim {
namespace {

using agent::runtime::Pose2;

constexpr size_t kMostBeams = 100'000;  // of the whole log that are compared
constexpr uint64_t kLeastBeams = 200;
constexpr size_t kKeptOutliers = 256;
constexpr double kSigmaOfMad = 1.4826;  // of a normal distribution
constexpr double kOutlierSigmas = 4;
constexpr double kLeastOutlier_m = 0.15;  // nearer than three cells, the map may be wrong
constexpr double kRangeEnd = 0.95;        // of the longest range: beyond it no return is no dropout
constexpr float kNearest_m = 0.01F;

double MedianOf(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One beam that meets a surface.
struct Meeting {
  double world_m = 0;
  double measured_m = 0;
};

struct Comparison {
  std::vector<Meeting> returns;
  uint64_t without_return = 0;
};

Comparison Compare(const GridMap& map, const Movers& movers, const DriveLog& log,
                   double max_range_m) {
  Comparison comparison;
  const size_t beams = log.scans.front().ranges_m.size();
  const size_t stride = log.scans.size() * beams / kMostBeams + 1;
  for (size_t scan = 0; scan < log.scans.size(); ++scan) {
    const TimedScan& timed = log.scans[scan];
    const Pose2 pose = log.PoseAt(timed.at_ns);
    const Standing standing = movers.At(timed.at_ns);
    const Surroundings around{map, standing};
    const size_t first = (stride - scan * beams % stride) % stride;
    for (size_t i = first; i < beams; i += stride) {
      const double bearing =
          pose.yaw_rad + log.angle_min_rad + log.angle_increment_rad * static_cast<double>(i);
      const double world_m = around.Cast({pose.x_m, pose.y_m}, agent::runtime::ExactSinCos(bearing),
                                         kRangeEnd * max_range_m);
      if (!std::isfinite(world_m)) continue;
      const auto measured_m = static_cast<double>(timed.ranges_m[i]);
      if (IsReturn(measured_m)) {
        comparison.returns.push_back({world_m, measured_m});
      } else {
        ++comparison.without_return;
      }
    }
  }
  return comparison;
}

void FitResiduals(const std::vector<Meeting>& returns, LaserModel& laser) {
  std::vector<double> residuals;
  residuals.reserve(returns.size());
  for (const Meeting& meeting : returns) residuals.push_back(meeting.measured_m - meeting.world_m);
  laser.bias_m = MedianOf(residuals);
  for (double& residual : residuals) residual = std::abs(residual - laser.bias_m);
  laser.sigma_m = kSigmaOfMad * MedianOf(residuals);
}

void FitOutliers(const std::vector<Meeting>& returns, LaserModel& laser) {
  const double least_m = std::max(kOutlierSigmas * laser.sigma_m, kLeastOutlier_m);
  std::vector<float> nearer;
  for (const Meeting& meeting : returns) {
    if (meeting.measured_m < meeting.world_m + laser.bias_m - least_m)
      nearer.push_back(static_cast<float>(meeting.measured_m));
  }
  laser.outlier = static_cast<double>(nearer.size()) / static_cast<double>(returns.size());
  std::sort(nearer.begin(), nearer.end());
  const size_t kept = std::min(nearer.size(), kKeptOutliers);
  for (size_t i = 0; i < kept; ++i)
    laser.outlier_ranges_m.push_back(nearer[(2 * i + 1) * nearer.size() / (2 * kept)]);
}

}  // namespace

double Surroundings::Cast(agent::runtime::Vec2 origin, const agent::runtime::SinCos& direction,
                          double range_m) const {
  return std::min(map.Cast(origin, direction, range_m), standing.Cast(origin, direction, range_m));
}

absl::StatusOr<LaserModel> FitLaser(const GridMap& map, const Movers& movers, const DriveLog& log) {
  LaserModel laser;
  laser.angle_min_rad = log.angle_min_rad;
  laser.angle_increment_rad = log.angle_increment_rad;
  laser.beams = log.scans.front().ranges_m.size();
  for (const TimedScan& scan : log.scans) {
    for (const float range_m : scan.ranges_m) {
      const auto measured_m = static_cast<double>(range_m);
      if (IsReturn(measured_m)) laser.max_range_m = std::max(laser.max_range_m, measured_m);
    }
  }
  const Comparison comparison = Compare(map, movers, log, laser.max_range_m);
  laser.compared = comparison.returns.size() + comparison.without_return;
  if (comparison.returns.size() < kLeastBeams) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%d beams meet something that the world knows; at least %d are needed",
                        comparison.returns.size(), kLeastBeams));
  }
  FitResiduals(comparison.returns, laser);
  FitOutliers(comparison.returns, laser);
  laser.dropout =
      static_cast<double>(comparison.without_return) / static_cast<double>(laser.compared);
  return laser;
}

void SimulateScan(const LaserModel& laser, const Surroundings& around, const Pose2& pose,
                  Noise& noise, v1::LaserScan& scan) {
  scan.set_angle_min_rad(laser.angle_min_rad);
  scan.set_angle_increment_rad(laser.angle_increment_rad);
  scan.mutable_ranges_m()->Resize(static_cast<int>(laser.beams), 0);
  for (size_t i = 0; i < laser.beams; ++i) {
    const double bearing =
        pose.yaw_rad + laser.angle_min_rad + laser.angle_increment_rad * static_cast<double>(i);
    const double world_m =
        around.Cast({pose.x_m, pose.y_m}, agent::runtime::ExactSinCos(bearing), laser.max_range_m);
    // Drawn for every beam, so that one beam's luck does not move the next one's.
    const double error_m = laser.bias_m + laser.sigma_m * noise.Normal();
    const double luck = noise.Uniform();
    const uint64_t pick = noise.Next();
    auto range_m = static_cast<float>(world_m + error_m);
    if (luck < laser.dropout) {
      range_m = std::numeric_limits<float>::infinity();
    } else if (luck < laser.dropout + laser.outlier && !laser.outlier_ranges_m.empty()) {
      range_m = std::min(range_m, laser.outlier_ranges_m[pick % laser.outlier_ranges_m.size()]);
    }
    if (static_cast<double>(range_m) > laser.max_range_m)
      range_m = std::numeric_limits<float>::infinity();
    scan.set_ranges_m(static_cast<int>(i), std::max(range_m, kNearest_m));
  }
}

}  // namespace gatekeeper::resim
