#include "gatekeeper/resim/drive_log.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_reader.h"
#include "gatekeeper/resim/bearing.h"

namespace gatekeeper::resim {
namespace {

using agent::recording::ChannelMap;
using agent::recording::ObservationReader;
using agent::recording::RecordedItem;

bool Finite(double a, double b) { return std::isfinite(a) && std::isfinite(b); }

class LogBuilder {
 public:
  absl::Status Take(const RecordedItem& item) {
    if (const auto* command = std::get_if<v1::Command>(&item.content)) {
      TakeCommand(*command, item.log_time_ns);
    } else if (const auto* observation = std::get_if<v1::Observation>(&item.content)) {
      if (observation->has_odom()) TakeOdometry(observation->odom(), item.log_time_ns);
      TakeGoal(*observation, item.log_time_ns);
      if (observation->has_scan()) TakeScan(observation->scan(), item.log_time_ns);
    }
    if (numbers_ > kMaxLogNumbers) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "it holds more than %d numbers of one drive; cut it into clips", kMaxLogNumbers));
    }
    return absl::OkStatus();
  }

  absl::Status TakeCorrected(const RecordedItem& item) {
    const auto* observation = std::get_if<v1::Observation>(&item.content);
    if (observation != nullptr && observation->has_odom())
      TakePose(observation->odom(), item.log_time_ns, corrected_);
    return absl::OkStatus();
  }

  DriveLog Finish() {
    if (CommandsAreMeasured()) log_.commands.clear();
    if (corrected_.size() >= 2) {
      if (log_.poses.size() >= 2) log_.measured = SpeedsBetween(log_.poses);
      log_.poses = Carried(log_, corrected_);
      log_.corrected = true;
      log_.goals.clear();
    }
    return std::move(log_);
  }

 private:
  void TakeCommand(const v1::Command& command, int64_t at_ns) {
    numbers_ += kTwistNumbers;
    TimedTwist twist{.at_ns = at_ns};
    if (!command.stop()) {
      if (command.values_size() != 2 || !Finite(command.values(0), command.values(1))) return;
      twist.vx_mps = command.values(0);
      twist.wz_radps = command.values(1);
    }
    log_.commands.push_back(twist);
  }

  void TakeOdometry(const v1::Odometry& odom, int64_t at_ns) {
    numbers_ += kPoseNumbers + kTwistNumbers;
    TakePose(odom, at_ns, log_.poses);
    if (Finite(odom.vx_mps(), odom.wz_radps()))
      log_.measured.push_back({at_ns, odom.vx_mps(), odom.wz_radps()});
  }

  // Bearing and range of one packet, from the newest pose.
  void TakeGoal(const v1::Observation& packet, int64_t at_ns) {
    const auto bearing = packet.signals().find(kGoalBearing);
    const auto range = packet.signals().find(kGoalRange);
    if (bearing == packet.signals().end() || range == packet.signals().end()) return;
    if (log_.poses.empty() || !Finite(bearing->second.value(), range->second.value())) return;
    numbers_ += sizeof(TimedGoal) / sizeof(float);
    const agent::runtime::Pose2& pose = log_.poses.back().pose;
    const agent::runtime::SinCos way =
        agent::runtime::ExactSinCos(pose.yaw_rad + bearing->second.value());
    const double range_m = range->second.value();
    log_.goals.push_back({at_ns, {pose.x_m + range_m * way.cos, pose.y_m + range_m * way.sin}});
  }

  static void TakePose(const v1::Odometry& odom, int64_t at_ns, std::vector<TimedPose>& poses) {
    if (!Finite(odom.x_m(), odom.y_m()) || !std::isfinite(odom.yaw_rad())) return;
    if (!poses.empty() && poses.back().at_ns == at_ns) return;  // one place at a time
    poses.push_back({at_ns, {odom.x_m(), odom.y_m(), odom.yaw_rad()}});
  }

  void TakeScan(const v1::LaserScan& scan, int64_t at_ns) {
    if (scan.ranges_m().empty()) return;
    if (log_.scans.empty()) {
      if (!Finite(scan.angle_min_rad(), scan.angle_increment_rad())) return;
      log_.angle_min_rad = scan.angle_min_rad();
      log_.angle_increment_rad = scan.angle_increment_rad();
    } else if (static_cast<size_t>(scan.ranges_m_size()) != log_.scans.front().ranges_m.size()) {
      return;  // another laser's
    }
    numbers_ += static_cast<size_t>(scan.ranges_m_size());
    log_.scans.push_back({at_ns, {scan.ranges_m().begin(), scan.ranges_m().end()}});
  }

  bool CommandsAreMeasured() const {
    return !log_.commands.empty() &&
           std::equal(log_.commands.begin(), log_.commands.end(), log_.measured.begin(),
                      log_.measured.end(), [](const TimedTwist& a, const TimedTwist& b) {
                        return a.at_ns == b.at_ns && a.vx_mps == b.vx_mps &&
                               a.wz_radps == b.wz_radps;
                      });
  }

  // What the odometry did from each pose to the next: nearer to the wheels than a speed that was
  // measured at some moment in between.
  static std::vector<TimedTwist> SpeedsBetween(const std::vector<TimedPose>& poses) {
    std::vector<TimedTwist> speeds;
    for (size_t i = 0; i + 1 < poses.size(); ++i) {
      const auto& [x, y, yaw] = poses[i].pose;
      const double dt = static_cast<double>(poses[i + 1].at_ns - poses[i].at_ns) * 1e-9;
      const double turn = WrappedRad(poses[i + 1].pose.yaw_rad - yaw);
      const agent::runtime::SinCos way = agent::runtime::ExactSinCos(yaw + turn / 2);
      const double ahead =
          (poses[i + 1].pose.x_m - x) * way.cos + (poses[i + 1].pose.y_m - y) * way.sin;
      speeds.push_back({poses[i].at_ns, ahead / dt, turn / dt});
    }
    speeds.push_back({poses.back().at_ns, 0, 0});
    return speeds;
  }

  // `pose` moved as the odometry's `from` must be moved to lie at `to`.
  static agent::runtime::Pose2 Moved(const agent::runtime::Pose2& from,
                                     const agent::runtime::Pose2& to,
                                     const agent::runtime::Pose2& pose) {
    const double turn = to.yaw_rad - from.yaw_rad;
    const agent::runtime::SinCos way = agent::runtime::ExactSinCos(turn);
    const double dx = pose.x_m - from.x_m;
    const double dy = pose.y_m - from.y_m;
    return {to.x_m + dx * way.cos - dy * way.sin, to.y_m + dx * way.sin + dy * way.cos,
            pose.yaw_rad + turn};
  }

  // Corrections may be rare (AMCL sends one every 0.25 m), and none comes from a robot that stands:
  // between two of them the odometry tells the way, led from the one to the other.
  static std::vector<TimedPose> Carried(const DriveLog& odometry,
                                        const std::vector<TimedPose>& corrected) {
    std::vector<TimedPose> poses;
    auto next = odometry.poses.begin();
    for (size_t i = 0; i + 1 < corrected.size(); ++i) {
      const TimedPose& a = corrected[i];
      const TimedPose& b = corrected[i + 1];
      poses.push_back(a);
      if (odometry.poses.size() < 2) continue;
      const agent::runtime::Pose2 at_a = odometry.PoseAt(a.at_ns);
      const agent::runtime::Pose2 at_b = odometry.PoseAt(b.at_ns);
      while (next != odometry.poses.end() && next->at_ns <= a.at_ns) ++next;
      for (; next != odometry.poses.end() && next->at_ns < b.at_ns; ++next) {
        const agent::runtime::Pose2 from_a = Moved(at_a, a.pose, next->pose);
        const agent::runtime::Pose2 from_b = Moved(at_b, b.pose, next->pose);
        const double share =
            static_cast<double>(next->at_ns - a.at_ns) / static_cast<double>(b.at_ns - a.at_ns);
        poses.push_back(
            {next->at_ns,
             {from_a.x_m + share * (from_b.x_m - from_a.x_m),
              from_a.y_m + share * (from_b.y_m - from_a.y_m),
              WrappedRad(from_a.yaw_rad + share * WrappedRad(from_b.yaw_rad - from_a.yaw_rad))}});
      }
    }
    poses.push_back(corrected.back());
    return poses;
  }

  static constexpr size_t kPoseNumbers = sizeof(TimedPose) / sizeof(float);
  static constexpr size_t kTwistNumbers = sizeof(TimedTwist) / sizeof(float);

  DriveLog log_;
  std::vector<TimedPose> corrected_;
  size_t numbers_ = 0;  // of the size of a range, kept so far
};

bool HasTopic(const agent::recording::McapReader& mcap, const std::string& topic) {
  const auto& channels = mcap.channels();
  return std::any_of(channels.begin(), channels.end(),
                     [&](const auto& entry) { return entry.second.topic == topic; });
}

}  // namespace

template <class Timed>
const Timed& LastAt(const std::vector<Timed>& series, int64_t at_ns) {
  const auto after =
      std::upper_bound(series.begin(), series.end(), at_ns,
                       [](int64_t at, const Timed& item) { return at < item.at_ns; });
  return after == series.begin() ? series.front() : *(after - 1);
}
template const TimedPose& LastAt(const std::vector<TimedPose>&, int64_t);
template const TimedTwist& LastAt(const std::vector<TimedTwist>&, int64_t);
template const TimedGoal& LastAt(const std::vector<TimedGoal>&, int64_t);

agent::runtime::Pose2 DriveLog::PoseAt(int64_t at_ns) const {
  const TimedPose& before = LastAt(poses, at_ns);
  const size_t next = static_cast<size_t>(&before - poses.data()) + 1;
  if (at_ns <= before.at_ns || next == poses.size()) return before.pose;
  const TimedPose& after = poses[next];
  const double share =
      static_cast<double>(at_ns - before.at_ns) / static_cast<double>(after.at_ns - before.at_ns);
  const auto& [x, y, yaw] = before.pose;
  return {x + share * (after.pose.x_m - x), y + share * (after.pose.y_m - y),
          yaw + share * WrappedRad(after.pose.yaw_rad - yaw)};
}

absl::StatusOr<DriveLog> ReadDriveLog(const std::string& path, const ChannelMap& channels,
                                      int64_t from_ns, int64_t to_ns) {
  LogBuilder builder;
  ASSIGN_OR_RETURN(const auto reader, ObservationReader::Open(path, channels));
  RETURN_IF_ERROR(
      reader.ForEach(from_ns, to_ns, [&](const RecordedItem& item) { return builder.Take(item); }));
  if (HasTopic(reader.mcap(), kCorrectedTopic)) {
    ASSIGN_OR_RETURN(const auto corrected,
                     ObservationReader::Open(path, {{"odom", kCorrectedTopic}}));
    RETURN_IF_ERROR(corrected.ForEach(
        from_ns, to_ns, [&](const RecordedItem& item) { return builder.TakeCorrected(item); }));
  }
  DriveLog log = builder.Finish();
  if (log.poses.size() < 2 || log.scans.empty()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("it has %d poses and %d scans; a drive needs two poses and a scan",
                        log.poses.size(), log.scans.size()));
  }
  return log;
}

}  // namespace gatekeeper::resim
