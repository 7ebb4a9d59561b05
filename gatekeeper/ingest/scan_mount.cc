#include "gatekeeper/ingest/scan_mount.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/resim/bearing.h"
#include "gatekeeper/resim/drive_log.h"

namespace gatekeeper::ingest {
namespace {

using agent::runtime::ExactSinCos;
using agent::runtime::kTwoPi;
using agent::runtime::SinCos;

constexpr double kNoOffsetM = 0.001;
constexpr double kLeastRangeM = 0.001;  // 0 would be no return
constexpr double kAtReturn = 1e-6;      // beams; so near to a return a beam is its own, not between
constexpr double kToDeg = 360 / kTwoPi;

double LastBearing(const v1::LaserScan& scan) {
  return scan.angle_min_rad() +
         scan.angle_increment_rad() * static_cast<double>(scan.ranges_m_size() - 1);
}

void TurnOver(v1::LaserScan& scan) {
  const double last_rad = LastBearing(scan);
  std::reverse(scan.mutable_ranges_m()->begin(), scan.mutable_ranges_m()->end());
  scan.set_angle_min_rad(-last_rad);
}

void TurnBy(double yaw_rad, v1::LaserScan& scan) {
  const double first_rad = scan.angle_min_rad() + yaw_rad;
  const double middle_rad = (first_rad + LastBearing(scan) + yaw_rad) / 2;
  scan.set_angle_min_rad(first_rad + (resim::WrappedRad(middle_rad) - middle_rad));
}

// A return as the body's origin would see it.
struct Sighting {
  double bearing_rad = 0;
  double range_m = 0;
};

// A scan all around, before anything is seen.
class Surround {
 public:
  Surround(double increment_rad, int beams)
      : increment_rad_(increment_rad), ahead_(beams / 2), ranges_m_(static_cast<size_t>(beams)) {}

  void See(const Sighting& sighting) { Put(BeamAt(sighting.bearing_rad), sighting.range_m); }

  // The shorter way round.
  void SeeBetween(const Sighting& a, const Sighting& b) {
    const double turn_rad = resim::WrappedRad(b.bearing_rad - a.bearing_rad);
    const double from_rad = turn_rad < 0 ? b.bearing_rad : a.bearing_rad;
    const double to_rad = from_rad + std::abs(turn_rad);
    const double nearer_m = std::min(a.range_m, b.range_m);
    PutBetween(from_rad, to_rad, nearer_m);
    PutBetween(from_rad - kTwoPi, to_rad - kTwoPi, nearer_m);  // what lies behind the robot
  }

  void WriteTo(v1::LaserScan& scan) const {
    scan.set_angle_min_rad(-increment_rad_ * ahead_);
    scan.set_angle_increment_rad(increment_rad_);
    scan.mutable_ranges_m()->Clear();
    for (const double range_m : ranges_m_) scan.add_ranges_m(static_cast<float>(range_m));
  }

 private:
  int BeamAt(double bearing_rad) const {
    const int beams = static_cast<int>(ranges_m_.size());
    const int beam = static_cast<int>(std::floor(bearing_rad / increment_rad_ + 0.5)) + ahead_;
    return (beam % beams + beams) % beams;
  }
  void PutBetween(double from_rad, double to_rad, double range_m) {
    const double last = static_cast<double>(ranges_m_.size()) - 1;
    const double from = std::max(std::ceil(from_rad / increment_rad_ + kAtReturn) + ahead_, 0.0);
    const double to = std::min(std::floor(to_rad / increment_rad_ - kAtReturn) + ahead_, last);
    for (double beam = from; beam <= to; ++beam) Put(static_cast<int>(beam), range_m);
  }
  void Put(int beam, double range_m) {
    double& nearest_m = ranges_m_[static_cast<size_t>(beam)];
    if (nearest_m == 0 || range_m < nearest_m) nearest_m = range_m;
  }

  double increment_rad_;
  int ahead_;  // the beam that looks there
  std::vector<double> ranges_m_;
};

std::vector<std::optional<Sighting>> SightingsOf(const agent::runtime::Pose2& sensor,
                                                 const v1::LaserScan& scan) {
  std::vector<std::optional<Sighting>> sightings(static_cast<size_t>(scan.ranges_m_size()));
  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const double range_m = scan.ranges_m(i);
    if (!resim::IsReturn(range_m)) continue;
    const SinCos way =
        ExactSinCos(sensor.yaw_rad + scan.angle_min_rad() + scan.angle_increment_rad() * i);
    const double x_m = sensor.x_m + range_m * way.cos;
    const double y_m = sensor.y_m + range_m * way.sin;
    sightings[static_cast<size_t>(i)] = {resim::ExactAtan2(y_m, x_m),
                                         std::max(kLeastRangeM, std::sqrt(x_m * x_m + y_m * y_m))};
  }
  return sightings;
}

absl::Status MoveScan(const agent::runtime::Pose2& sensor, v1::LaserScan& scan) {
  const double increment_rad = std::abs(scan.angle_increment_rad());
  const double beams = std::floor(kTwoPi / increment_rad + 1e-3);
  if (!(beams >= 1 && beams <= kMostBeams) || !std::isfinite(scan.angle_min_rad()) ||
      scan.ranges_m_size() > static_cast<int>(kMostBeams)) {
    return absl::DataLossError(absl::StrFormat(
        "a scan of %d beams %g rad apart: only scans of up to %d beams, and as many all around, "
        "are brought from their sensor to the body",
        scan.ranges_m_size(), scan.angle_increment_rad(), kMostBeams));
  }
  const auto sightings = SightingsOf(sensor, scan);
  Surround around(increment_rad, static_cast<int>(beams));
  for (const auto& sighting : sightings) {
    if (sighting) around.See(*sighting);
  }
  for (size_t i = 1; i < sightings.size(); ++i) {
    if (sightings[i - 1] && sightings[i]) around.SeeBetween(*sightings[i - 1], *sightings[i]);
  }
  // Of a sensor that sees all around, the last beam and the first are neighbours too.
  const bool closed = static_cast<double>(sightings.size()) + 0.5 >= kTwoPi / increment_rad;
  if (closed && sightings.back() && sightings.front()) {
    around.SeeBetween(*sightings.back(), *sightings.front());
  }
  around.WriteTo(scan);
  return absl::OkStatus();
}

}  // namespace

absl::Status MountScan(const FlatTransform& sensor, v1::LaserScan& scan) {
  if (!(std::abs(sensor.upright) >= kLeastUpright)) {
    const double sine = std::sqrt(std::max(0.0, 1 - sensor.upright * sensor.upright));
    return absl::InvalidArgumentError(absl::StrFormat(
        "its plane is tilted by %.1f degrees against the body's; 5 are the most that can be taken "
        "as flat",
        resim::ExactAtan2(sine, std::abs(sensor.upright)) * kToDeg));
  }
  if (scan.ranges_m().empty()) return absl::OkStatus();
  if (sensor.upright < 0) TurnOver(scan);
  const agent::runtime::Pose2& pose = sensor.pose;
  if (std::sqrt(pose.x_m * pose.x_m + pose.y_m * pose.y_m) < kNoOffsetM) {
    TurnBy(pose.yaw_rad, scan);
    return absl::OkStatus();
  }
  return MoveScan(pose, scan);
}

}  // namespace gatekeeper::ingest
