#include "tests/support/importers/carmen_bag.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "agent/base/status_macros.h"
#include "tests/gatekeeper/ingest/framed_bag.h"
#include "tests/support/importers/archive.h"
#include "tests/support/importers/carmen_lines.h"

namespace tests {
namespace {

using carmen::Motion;
using carmen::OdomLine;
using carmen::Pose;
using carmen::ScanLine;

constexpr double kLogger_s = 1'071'078'718;  // when Freiburg's logger was started; stamps count on
constexpr double kHalfWindow_s = 0.5;

struct CarmenLog {
  std::vector<ScanLine> scans;
  std::vector<OdomLine> odometry;
};

absl::StatusOr<CarmenLog> ReadCarmenLog(const std::string& log_gz) {
  ASSIGN_OR_RETURN(const std::string text, ReadGzip(log_gz));
  CarmenLog log;
  std::optional<Pose> corrected;  // an ODOM line behind a scan repeats its pose: no odometry
  for (const absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "FLASER ")) {
      ASSIGN_OR_RETURN(ScanLine scan, carmen::ParseScan(line));
      corrected = scan.corrected;
      log.scans.push_back(std::move(scan));
    } else if (absl::StartsWith(line, "ODOM ")) {
      ASSIGN_OR_RETURN(const OdomLine odom, carmen::ParseOdom(line));
      if (std::exchange(corrected, std::nullopt) != odom.pose) log.odometry.push_back(odom);
    }
  }
  if (log.odometry.size() < 2) return absl::DataLossError("the log tells of no drive");
  return log;
}

class BagOfDrive {
 public:
  explicit BagOfDrive(const CarmenLog& log)
      : log_(log),
        told_(std::any_of(log_.odometry.begin(), log_.odometry.end(), [](const OdomLine& line) {
          return line.motion.vx_mps != 0 || line.motion.wz_radps != 0;
        })) {}

  void Take(double from_s, double to_s) {
    std::optional<double> first_s;  // of what the localisation tells; without it no pose is placed
    double last_s = from_s;
    for (const ScanLine& line : log_.scans) {
      if (line.stamp_s < from_s || line.stamp_s >= to_s) continue;
      if (!first_s) {
        first_s = line.stamp_s;
        const FrameAt mount{.stamp_s = At(line.stamp_s), .parent = "base_link", .child = "laser"};
        Add(mount.stamp_s, "/tf_static", kTransforms, TransformBytes({mount}));
      }
      last_s = line.stamp_s;
      Scan(line);
    }
    for (const OdomLine& line : log_.odometry) {
      if (first_s && line.stamp_s >= *first_s && line.stamp_s <= last_s) Odom(line);
    }
  }

  absl::Status Write(const std::string& folder) {
    const std::string file = std::filesystem::path(folder).filename().string() + "_0.mcap";
    std::filesystem::create_directories(folder);
    bag_.Write((std::filesystem::path(folder) / file).string());
    std::ofstream metadata(std::filesystem::path(folder) / "metadata.yaml");
    size_t messages = 0;
    for (const auto& [topic, count] : counts_) messages += count;
    metadata << absl::StrFormat(
        "rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: mcap\n"
        "  duration: {nanoseconds: %d}\n  starting_time: {nanoseconds_since_epoch: %d}\n"
        "  message_count: %d\n  compression_format: \"\"\n  compression_mode: \"\"\n"
        "  relative_file_paths: [%s]\n  topics_with_message_count:\n",
        std::llround((last_s_ - first_s_) * 1e9), std::llround(first_s_ * 1e9), messages, file);
    for (const auto& [topic, count] : counts_) {
      metadata << absl::StrFormat(
          "    - topic_metadata: {name: %s, type: %s, serialization_format: cdr, "
          "offered_qos_profiles: \"\"}\n      message_count: %d\n",
          topic.first, topic.second, count);
    }
    return metadata.good() ? absl::OkStatus() : absl::UnavailableError("cannot write " + folder);
  }

 private:
  static constexpr char kTransforms[] = "tf2_msgs/msg/TFMessage";

  static double At(double stamp_s) { return kLogger_s + stamp_s; }

  void Odom(const OdomLine& line) {
    const double at_s = At(line.stamp_s);
    const auto& [x, y, yaw] = line.pose;
    const Motion motion = told_ ? line.motion : MotionAround(line.stamp_s, yaw);
    const OdomAt odom{.stamp_s = at_s,
                      .x_m = x,
                      .y_m = y,
                      .yaw_rad = yaw,
                      .vx_mps = motion.vx_mps,
                      .wz_radps = motion.wz_radps};
    Add(at_s, "/odom", "nav_msgs/msg/Odometry", OdomBytes(odom));
    Moving({.stamp_s = at_s,
            .parent = "odom",
            .child = "base_link",
            .x_m = x,
            .y_m = y,
            .yaw_rad = yaw});
    CdrBytes twist;
    twist.All<double>({motion.vx_mps, 0, 0, 0, 0, motion.wz_radps});
    Add(at_s, "/cmd_vel", "geometry_msgs/msg/Twist", twist.bytes());
  }

  void Scan(const ScanLine& line) {
    const Pose wheels = WheelsAt(line.stamp_s);
    const double turn = line.corrected.yaw - wheels.yaw;
    Moving({.stamp_s = At(line.stamp_s),
            .parent = "map",
            .child = "odom",
            .x_m = line.corrected.x - std::cos(turn) * wheels.x + std::sin(turn) * wheels.y,
            .y_m = line.corrected.y - std::sin(turn) * wheels.x - std::cos(turn) * wheels.y,
            .yaw_rad = turn});
    ScanAt scan{.stamp_s = At(line.stamp_s),
                .frame = "laser",
                .angle_min_rad = static_cast<float>(-std::numbers::pi / 2),
                .increment_rad = static_cast<float>(line.increment_rad())};
    for (const double range : line.ranges) {
      scan.ranges_m.push_back(range < carmen::kNoReturn ? static_cast<float>(range)
                                                        : std::numeric_limits<float>::infinity());
    }
    Add(scan.stamp_s, "/scan", "sensor_msgs/msg/LaserScan", ScanBytes(scan));
  }

  void Moving(const FrameAt& frame) {
    Add(frame.stamp_s, "/tf", kTransforms, TransformBytes({frame}));
  }

  void Add(double at_s, const char* topic, const char* type, const std::string& bytes) {
    bag_.Add(at_s, topic, type, bytes);
    ++counts_[{topic, type}];
    first_s_ = std::min(first_s_, at_s);
    last_s_ = std::max(last_s_, at_s);
  }

  // Evenly between the two poses around it.
  Pose WheelsAt(double stamp_s) const {
    const auto behind =
        std::upper_bound(log_.odometry.begin(), log_.odometry.end(), stamp_s,
                         [](double at_s, const OdomLine& line) { return at_s < line.stamp_s; });
    if (behind == log_.odometry.begin()) return behind->pose;
    const OdomLine& a = *(behind - 1);
    if (behind == log_.odometry.end()) return a.pose;
    const double share = (stamp_s - a.stamp_s) / (behind->stamp_s - a.stamp_s);
    const double turn = std::remainder(behind->pose.yaw - a.pose.yaw, 2 * std::numbers::pi);
    return {a.pose.x + share * (behind->pose.x - a.pose.x),
            a.pose.y + share * (behind->pose.y - a.pose.y), a.pose.yaw + share * turn};
  }

  Motion MotionAround(double stamp_s, double yaw) const {
    const Pose a = WheelsAt(stamp_s - kHalfWindow_s);
    const Pose b = WheelsAt(stamp_s + kHalfWindow_s);
    const double window_s = 2 * kHalfWindow_s;
    return {((b.x - a.x) * std::cos(yaw) + (b.y - a.y) * std::sin(yaw)) / window_s,
            std::remainder(b.yaw - a.yaw, 2 * std::numbers::pi) / window_s};
  }

  const CarmenLog& log_;
  bool told_;  // the log has speeds
  FramedBag bag_;
  std::map<std::pair<std::string, std::string>, size_t> counts_;  // by topic and type
  double first_s_ = std::numeric_limits<double>::infinity();
  double last_s_ = 0;
};

}  // namespace

absl::Status WriteCarmenBags(const std::string& log_gz,
                             const std::vector<CarmenStretch>& stretches) {
  ASSIGN_OR_RETURN(const CarmenLog log, ReadCarmenLog(log_gz));
  for (const CarmenStretch& stretch : stretches) {
    BagOfDrive bag(log);
    bag.Take(stretch.from_s, stretch.to_s);
    RETURN_IF_ERROR(bag.Write(stretch.folder));
  }
  return absl::OkStatus();
}

}  // namespace tests
