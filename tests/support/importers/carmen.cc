#include "tests/support/importers/carmen.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <numbers>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_writer.h"
#include "tests/support/importers/archive.h"
#include "tests/support/importers/carmen_lines.h"

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using agent::recording::ObservationWriter;
using carmen::Motion;
using carmen::OdomLine;
using carmen::ParseOdom;
using carmen::ParseScan;
using carmen::Pose;
using carmen::ScanLine;

constexpr Nanos kMotionWindow{
    500'000'000};  // poses come at 5 Hz in bursts; shorter windows see the bursts

// Motion from the poses of the last half second, in the body frame at its start.
class MotionFromPoses {
 public:
  Motion Add(Nanos at, const Pose& pose) {
    poses_.push_back({at, pose});
    while (poses_.size() > 2 && at - poses_[1].at >= kMotionWindow) poses_.pop_front();
    const auto& [from, start] = poses_.front();
    const double dt = std::chrono::duration<double>(at - from).count();
    if (at - from < kMotionWindow) return {};
    const double dx = pose.x - start.x;
    const double dy = pose.y - start.y;
    return {(dx * std::cos(start.yaw) + dy * std::sin(start.yaw)) / dt,
            std::remainder(pose.yaw - start.yaw, 2 * std::numbers::pi) / dt};
  }

 private:
  struct Timed {
    Nanos at;
    Pose pose;
  };
  std::deque<Timed> poses_;
};

int64_t StampNs(double stamp_s) { return std::llround(stamp_s * 1e9); }

class Import {
 public:
  Import(ObservationWriter& out, bool has_motion) : out_(out), has_motion_(has_motion) {}

  // Lines of other kinds are passed over.
  absl::Status Line(absl::string_view line) {
    if (absl::StartsWith(line, "FLASER ")) {
      ASSIGN_OR_RETURN(scan_, ParseScan(line));
      behind_scan_ = true;
      return Scan(scan_);
    }
    if (!absl::StartsWith(line, "ODOM ")) return absl::OkStatus();
    ASSIGN_OR_RETURN(const OdomLine odom, ParseOdom(line));
    const bool repeats = behind_scan_ && odom.pose == scan_.corrected;
    behind_scan_ = false;
    return repeats ? Corrected(odom) : Odom(odom);
  }

  const CarmenCounts& counts() const { return counts_; }

 private:
  absl::Status Scan(const ScanLine& line) {
    Receive(line.stamp_s);
    v1::Observation packet = PacketAt(line.stamp_s);
    v1::LaserScan& scan = *packet.mutable_scan();
    scan.set_stamp_ns(StampNs(line.stamp_s));
    scan.set_angle_min_rad(-std::numbers::pi / 2);
    scan.set_angle_increment_rad(line.increment_rad());
    for (const double range : line.ranges)
      scan.add_ranges_m(range < carmen::kNoReturn ? static_cast<float>(range)
                                                  : std::numeric_limits<float>::infinity());
    ++counts_.scans;
    return out_.Write(packet, received_);
  }

  absl::Status Odom(const OdomLine& line) {
    Receive(line.stamp_s);
    const Motion derived = motion_.Add(received_, line.pose);
    const Motion motion = has_motion_ ? line.motion : derived;
    v1::Observation packet = PacketAt(line.stamp_s);
    *packet.mutable_odom() = Odometry(line, motion);
    ++counts_.odometry;
    RETURN_IF_ERROR(out_.Write(packet, received_));
    v1::Command driven;
    driven.set_stamp_ns(StampNs(line.stamp_s));
    driven.add_values(motion.vx_mps);
    driven.add_values(motion.wz_radps);
    return out_.Write(driven, received_);
  }

  absl::Status Corrected(const OdomLine& line) {
    ++counts_.corrected;
    return out_.WriteMessage("/odom_corrected", Odometry(line, {}), received_);
  }

  void Receive(double stamp_s) { received_ = std::max(received_, Nanos(StampNs(stamp_s))); }

  static v1::Observation PacketAt(double stamp_s) {
    v1::Observation packet;
    packet.set_stamp_ns(StampNs(stamp_s));
    packet.set_network_up(true);
    return packet;
  }

  static v1::Odometry Odometry(const OdomLine& line, const Motion& motion) {
    v1::Odometry odom;
    odom.set_stamp_ns(StampNs(line.stamp_s));
    odom.set_x_m(line.pose.x);
    odom.set_y_m(line.pose.y);
    odom.set_yaw_rad(line.pose.yaw);
    odom.set_vx_mps(motion.vx_mps);
    odom.set_wz_radps(motion.wz_radps);
    return odom;
  }

  ObservationWriter& out_;
  bool has_motion_;
  ScanLine scan_;             // the last one
  bool behind_scan_ = false;  // no ODOM line since
  MotionFromPoses motion_;
  Nanos received_{0};
  CarmenCounts counts_;
};

absl::StatusOr<bool> HasMotion(const std::vector<absl::string_view>& lines) {
  for (const absl::string_view line : lines) {
    if (!absl::StartsWith(line, "ODOM ")) continue;
    ASSIGN_OR_RETURN(const OdomLine odom, ParseOdom(line));
    if (odom.motion.vx_mps != 0 || odom.motion.wz_radps != 0) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<CarmenCounts> ImportCarmen(const std::string& log_gz, const std::string& mcap) {
  ASSIGN_OR_RETURN(const std::string text, ReadGzip(log_gz));
  const std::vector<absl::string_view> lines =
      absl::StrSplit(absl::string_view(text.data(), text.size()), '\n', absl::SkipEmpty());
  ASSIGN_OR_RETURN(const bool has_motion, HasMotion(lines));
  ASSIGN_OR_RETURN(ObservationWriter out, ObservationWriter::Create(mcap));
  Import import(out, has_motion);
  for (const absl::string_view line : lines) RETURN_IF_ERROR(import.Line(line));
  RETURN_IF_ERROR(out.Close());
  return import.counts();
}

}  // namespace tests
