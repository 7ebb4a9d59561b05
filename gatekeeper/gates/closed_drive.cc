#include "gatekeeper/gates/closed_drive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/runtime/controller.h"
#include "agent/runtime/envelope.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/log_time.h"
#include "gatekeeper/resim/bearing.h"
#include "gatekeeper/resim/route.h"
#include "gatekeeper/resim/site_twin.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Nanos;
using agent::runtime::Pose2;
using agent::runtime::Vec2;
using resim::kGoalBearing;
using resim::kGoalRange;

constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
// Starts lie in the first half of the clip, spread so that any number of the first ones is spread.
constexpr double kStarts[kMostStarts] = {0,       1. / 4,  1. / 8,  3. / 8,
                                         1. / 16, 5. / 16, 3. / 16, 7. / 16};
constexpr double kSlower = 2;      // than the recorded robot, it may be
constexpr double kStartUp_s = 10;  // and that long on top: a swapped unit begins slowly
constexpr double kMoves_mps = 0.1;
constexpr double kStands_mps = 0.02;
constexpr int64_t kCheck_ns = 10'000'000;  // at 1.5 m/s every 1.5 cm

// Why this unit cannot be driven here; empty: it can.
std::string CannotDrive(const agent::runtime::Policy& policy) {
  if (policy.command().type != agent::runtime::CommandType::kTwist2d)
    return "an arm is not simulated";
  const std::set<std::string> made = {"scan", "odom", kGoalBearing, kGoalRange};
  for (const agent::runtime::InputLimits& input : policy.inputs()) {
    if (input.required && !made.contains(input.channel))
      return absl::StrFormat("the unit needs %s, which is not simulated", input.channel);
  }
  return "";
}

// How often messages of one channel come, from the log; at most once a tick.
template <class Timed>
int64_t MedianInterval(const std::vector<Timed>& series) {
  std::vector<int64_t> intervals;
  for (size_t i = 1; i < series.size(); ++i)
    intervals.push_back(series[i].at_ns - series[i - 1].at_ns);
  if (intervals.empty()) return 0;
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  return *middle;
}

// A unit on its way through the twin.
class TwinDrive {
 public:
  TwinDrive(const resim::SiteTwin& twin, TestBench& bench, const PlannedDrive& planned,
            double goal_within_m, v1::ClosedLoopRun& run)
      : twin_(twin),
        policy_(bench.rules().policy),
        goal_within_m_(goal_within_m),
        start_ns_(twin.log.first_ns() +
                  static_cast<int64_t>(planned.start * static_cast<double>(twin.log.last_ns() -
                                                                           twin.log.first_ns()))),
        end_ns_(start_ns_ +
                static_cast<int64_t>(
                    (kSlower * Seconds(twin.log.last_ns() - start_ns_) + kStartUp_s) * 1e9)),
        route_(twin.log, start_ns_),
        drive_(twin.drive, twin.log.PoseAt(start_ns_), start_ns_, 0, 0),
        noise_(planned.seed),
        scan_every_ns_(MedianInterval(twin.log.scans)),
        controller_(agent::runtime::LatchState{}),
        run_(run) {
    controller_.SetLink(true, Nanos(start_ns_));
    controller_.SwapTo(&bench.pilot(), nullptr, Nanos(start_ns_));
  }

  double way_m() const { return route_.length_m(); }
  double start_s() const { return Seconds(start_ns_ - twin_.log.first_ns()); }
  Vec2 goal() const { return route_.goal(); }

  // `ticks`: where they are to be kept; null: nowhere.
  void Go(std::vector<v1::TickRecord>* ticks) {
    agent::trust::Sha256Stream digest;
    for (int64_t now = start_ns_; now <= end_ns_ && !Over();
         now += policy_.command().period.count()) {
      Keep();
      Sense(now);
      const agent::runtime::Tick& tick = controller_.Step(Nanos(now));
      v1::TickRecord record = agent::runtime::ToRecord(tick);
      digest.Update(record.SerializeAsString());
      if (ticks != nullptr) ticks->push_back(std::move(record));
      run_.set_last_state(tick.state);
      run_.mutable_last_reasons()->Clear();
      for (const std::string_view reason : tick.reasons) run_.add_last_reasons(std::string(reason));
      const bool twist = !tick.stop && tick.enforced.size() == 2;
      drive_.Command({now, twist ? tick.enforced[0] : 0, twist ? tick.enforced[1] : 0});
      DriveOn(now + policy_.command().period.count());
    }
    const agent::base::Digest verdicts = digest.Finish();
    run_.set_verdicts(std::string(verdicts.bytes.begin(), verdicts.bytes.end()));
  }

 private:
  bool Over() const {
    return !std::isnan(run_.collided_at_s()) || !std::isnan(run_.reached_goal_at_s()) ||
           !std::isnan(run_.left_map_at_s());
  }

  void Keep() {
    const Pose2& pose = drive_.pose();
    run_.add_x_m(pose.x_m);
    run_.add_y_m(pose.y_m);
    run_.add_yaw_rad(pose.yaw_rad);
    const double clearance_m = agent::runtime::ClearanceM(policy_, pose);
    if (!(run_.min_clearance_m() <= clearance_m)) run_.set_min_clearance_m(clearance_m);
    const double speed_mps =
        agent::runtime::FootprintSpeedMps(policy_.footprint(), drive_.vx_mps(), drive_.wz_radps());
    if (moved_ && speed_mps < kStands_mps) run_.set_stops(run_.stops() + 1);
    moved_ = speed_mps > kMoves_mps || (moved_ && speed_mps >= kStands_mps);
  }

  // What the robot's program would send.
  void Sense(int64_t now) {
    v1::Observation packet;
    packet.set_seq(++seq_);
    packet.set_stamp_ns(now);
    packet.set_want_command(true);
    packet.set_network_up(true);
    const Pose2& pose = drive_.pose();
    v1::Odometry& odom = *packet.mutable_odom();
    odom.set_stamp_ns(now);
    odom.set_x_m(pose.x_m);
    odom.set_y_m(pose.y_m);
    odom.set_yaw_rad(pose.yaw_rad);
    odom.set_vx_mps(drive_.vx_mps());
    odom.set_wz_radps(drive_.wz_radps());
    if (now >= next_scan_ns_) {
      next_scan_ns_ = std::max(next_scan_ns_, start_ns_) + scan_every_ns_;
      packet.mutable_scan()->set_stamp_ns(now);
      const resim::Standing standing = twin_.movers.At(now);
      resim::SimulateScan(twin_.laser, {twin_.map, standing}, pose, noise_, *packet.mutable_scan());
    }
    const Vec2 ahead = route_.Ahead(pose);
    const auto tell = [&](const char* name, double value) {
      v1::Signal& signal = (*packet.mutable_signals())[name];
      signal.set_stamp_ns(now);
      signal.set_value(value);
    };
    tell(kGoalBearing, resim::BearingRad(pose, ahead));
    tell(kGoalRange, agent::runtime::Distance(Vec2{pose.x_m, pose.y_m}, ahead));
    controller_.Observe(packet, Nanos(now));
  }

  void DriveOn(int64_t until_ns) {
    while (drive_.now_ns() < until_ns && !Over()) {
      drive_.DriveTo(std::min(until_ns, drive_.now_ns() + kCheck_ns));
      const Pose2& pose = drive_.pose();
      const Vec2 here{pose.x_m, pose.y_m};
      const double at_s = Seconds(drive_.now_ns() - start_ns_);
      if (twin_.map.Hits(policy_.footprint(), pose)) {
        run_.set_collided_at_s(at_s);
      } else if (RunsIntoMover()) {
        run_.set_collided_at_s(at_s);
        run_.set_collided_with_mover(true);
      } else if (agent::runtime::Distance(here, route_.goal()) <= goal_within_m_) {
        run_.set_reached_goal_at_s(at_s);
      } else if (twin_.map.At(here) == resim::GridMap::Cell::kUnknown) {
        run_.set_left_map_at_s(at_s);
      }
    }
  }

  // One that the robot's own motion leads to. Others walk into it, which is counted once a meeting.
  bool RunsIntoMover() {
    const std::optional<Vec2> touched =
        twin_.movers.At(drive_.now_ns()).Touch(policy_.footprint(), drive_.pose());
    const bool met = std::exchange(meets_, touched.has_value());
    if (!touched) return false;
    const double speed_mps =
        agent::runtime::FootprintSpeedMps(policy_.footprint(), drive_.vx_mps(), drive_.wz_radps());
    const double ahead_mps = drive_.vx_mps() - drive_.wz_radps() * touched->y;
    const double aside_mps = drive_.wz_radps() * touched->x;
    const bool outward = ahead_mps * touched->x + aside_mps * touched->y > 0;
    if (speed_mps >= kStands_mps && outward) return true;
    if (!met) run_.set_walked_into(run_.walked_into() + 1);
    return false;
  }

  const resim::SiteTwin& twin_;
  const agent::runtime::Policy& policy_;
  double goal_within_m_;
  int64_t start_ns_;
  int64_t end_ns_;
  resim::Route route_;
  resim::Drive drive_;
  resim::Noise noise_;
  int64_t scan_every_ns_;
  int64_t next_scan_ns_ = 0;
  agent::runtime::Controller controller_;
  v1::ClosedLoopRun& run_;
  uint64_t seq_ = 0;
  bool moved_ = false;
  bool meets_ = false;  // something that moves touches the robot
};

// Where a suite does not say: one range in ten. CARMEN's quiet stretches come to 0.03 to 0.07.
constexpr double kMaxFarOff = 0.1;

// Empty: the simulation may be believed here.
std::string Disbelief(const resim::SiteTwin& twin, const v1::ClosedLoopGate& limits) {
  const resim::Faithfulness& found = twin.faithfulness;
  if (found.pose_error_m > limits.max_pose_error_m()) {
    return absl::StrFormat(
        "the recorded %s lead %.2f m away from the recorded pose at %.2f s, allowed %.2f m",
        twin.log.commands.empty() ? "speeds" : "commands", found.pose_error_m,
        found.pose_error_at_s, limits.max_pose_error_m());
  }
  if (found.range_error_m > limits.max_range_error_m()) {
    return absl::StrFormat(
        "simulated ranges are %.3f m (median) off the recorded ones, allowed %.3f m",
        found.range_error_m, limits.max_range_error_m());
  }
  if (found.far_off > MaxFarOff(limits)) {
    return absl::StrFormat(
        "%.1f %% of the recorded ranges are more than %.2f m off the rebuilt world (%.1f %% "
        "without its %d moving objects), allowed %.1f %%",
        100 * found.far_off, resim::kFarOff_m, 100 * found.far_off_walls, twin.movers.size(),
        100 * MaxFarOff(limits));
  }
  if (!std::isnan(found.impossible_at_s)) {
    return absl::StrFormat(
        "at %.2f s the recorded robot stands in a wall of the map, or on floor that the map does "
        "not know: are its poses in the map's frame?",
        found.impossible_at_s);
  }
  return "";
}

v1::ClosedLoopRun DriveKeeping(const Scenario& scenario, TestBench& bench,
                               const PlannedDrive& planned, const DriveRules& rules,
                               std::vector<v1::TickRecord>* ticks) {
  const v1::ClosedLoopGate& limits = rules.limits;
  const agent::runtime::Policy& policy = bench.rules().policy;
  v1::ClosedLoopRun run;
  run.set_scenario(scenario.document.id());
  run.set_seed(planned.seed);
  run.set_collided_at_s(kNever);
  run.set_reached_goal_at_s(kNever);
  run.set_left_map_at_s(kNever);
  run.set_min_clearance_m(kNever);
  run.set_period_s(Seconds(policy.command().period.count()));
  run.set_not_used(CannotDrive(policy));
  if (!run.not_used().empty()) return run;
  const auto& channels = scenario.document.channels();
  auto log = resim::ReadDriveLog(scenario.recording, {channels.begin(), channels.end()});
  auto twin = log.ok() ? resim::Reconstruct(*std::move(log), policy.footprint(), policy.nominal(),
                                            rules.map != nullptr ? &rules.map->map : nullptr)
                       : absl::StatusOr<resim::SiteTwin>(log.status());
  if (!twin.ok()) {
    run.set_not_used(std::string(twin.status().message()));
    return run;
  }
  run.set_pose_error_m(twin->faithfulness.pose_error_m);
  run.set_range_error_m(twin->faithfulness.range_error_m);
  run.set_latency_s(Seconds(twin->drive.latency_ns));
  run.set_range_sigma_m(twin->laser.sigma_m);
  run.set_dropout(twin->laser.dropout);
  run.set_outlier(twin->laser.outlier);
  run.set_far_off_walls(twin->faithfulness.far_off_walls);
  run.set_far_off(twin->faithfulness.far_off);
  run.set_movers(static_cast<uint32_t>(twin->movers.size()));
  run.set_not_used(Disbelief(*twin, limits));
  if (!run.not_used().empty()) return run;
  TwinDrive drive(*twin, bench, planned, limits.goal_within_m(), run);
  run.set_start_s(drive.start_s());
  run.set_goal_x_m(drive.goal().x);
  run.set_goal_y_m(drive.goal().y);
  if (drive.way_m() <= limits.goal_within_m()) {
    run.set_not_used(
        absl::StrFormat("the recorded robot went no farther than %.2f m", drive.way_m()));
    return run;
  }
  drive.Go(ticks);
  return run;
}

}  // namespace

double MaxFarOff(const v1::ClosedLoopGate& limits) {
  return limits.max_far_off() > 0 ? limits.max_far_off() : kMaxFarOff;
}

double EndSecond(const v1::ClosedLoopRun& run) {
  if (!std::isnan(run.collided_at_s())) return run.collided_at_s();
  if (!std::isnan(run.left_map_at_s())) return run.left_map_at_s();
  return run.x_m_size() * run.period_s();
}

std::vector<PlannedDrive> PlanDrives(const std::vector<Scenario>& scenarios,
                                     const v1::GateSuite& suite) {
  std::vector<PlannedDrive> planned;
  if (!suite.has_closed_loop() || scenarios.empty()) return planned;
  const auto clips = static_cast<uint32_t>(scenarios.size());
  const uint32_t starts =
      std::clamp((suite.closed_loop().runs() + clips - 1) / clips, 1U, kMostStarts);
  for (size_t i = 0; i < scenarios.size(); ++i) {
    uint64_t digest = 0;
    for (size_t byte = 0; byte < 8; ++byte) digest = digest << 8 | scenarios[i].sha256.bytes[byte];
    for (uint32_t k = 0; k < starts; ++k) {
      resim::Noise draw(suite.seed() ^ digest ^ (uint64_t{k} << 56));
      planned.push_back({.scenario = i, .seed = draw.Next(), .start = kStarts[k]});
    }
  }
  return planned;
}

std::string Text(const PlannedDrive& drive, const DriveRules& rules) {
  const v1::ClosedLoopGate& limits = rules.limits;
  return absl::StrFormat(
      "drive from %.4f seed %d, goal %.17g m, pose %.17g m, range %.17g m, far off %.17g, map %s",
      drive.start, drive.seed, limits.goal_within_m(), limits.max_pose_error_m(),
      limits.max_range_error_m(), MaxFarOff(limits),
      rules.map != nullptr ? rules.map->sha256.hex() : "of its own");
}

v1::ClosedLoopRun DriveClosedLoop(const Scenario& scenario, TestBench& bench,
                                  const PlannedDrive& planned, const DriveRules& rules) {
  return DriveKeeping(scenario, bench, planned, rules, nullptr);
}

Replay ReplayClosedLoop(const Scenario& scenario, TestBench& bench, const PlannedDrive& planned,
                        const DriveRules& rules) {
  Replay replay;
  replay.scenario = &scenario;
  const v1::ClosedLoopRun run = DriveKeeping(scenario, bench, planned, rules, &replay.ticks);
  replay.motion_clearance_m.resize(replay.ticks.size(), kNever);
  replay.measured.resize(replay.ticks.size());
  std::copy(run.verdicts().begin(), run.verdicts().end(), replay.verdicts.bytes.begin());
  return replay;
}

}  // namespace gatekeeper::gates
