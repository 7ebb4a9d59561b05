#include "gatekeeper/gates/replay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_reader.h"
#include "agent/runtime/controller.h"
#include "agent/runtime/envelope.h"
#include "agent/runtime/tool_point.h"
#include "agent/trust/hash.h"
#include "gatekeeper/faults/channel.h"
#include "gatekeeper/gates/fault_actor.h"
#include "gatekeeper/gates/input_oracle.h"
#include "gatekeeper/gates/obedient_robot.h"
#include "gatekeeper/gates/separation.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Nanos;

constexpr size_t kHashedAtOnce = size_t{64} << 10;  // bytes of ticks
constexpr int64_t kRoomAtFirst = 4096;              // ticks; a recording may lie about its length

// Nothing farther (m) is in a stop zone; rounded up. 0 without one.
float StopReachM(const agent::runtime::Policy& policy) {
  double reach_m = 0;
  for (const agent::runtime::ScanZone& zone : policy.separation())
    if (zone.stop) reach_m = std::max(reach_m, zone.region.reach_m());
  return reach_m == 0
             ? 0
             : std::nextafter(static_cast<float>(reach_m), std::numeric_limits<float>::infinity());
}

// One replay under way.
class Player {
 public:
  Player(const Scenario& scenario, TestBench& bench, const Fault& fault, InputOracle* oracle)
      : bench_(bench),
        policy_(bench.rules().policy),
        fault_(fault),
        controller_(agent::runtime::LatchState{}),
        watch_(policy_),
        robot_(policy_),
        stream_(StagesOf(fault)),
        actor_(fault, bench),
        oracle_(oracle),
        stop_reach_m_(StopReachM(policy_)),
        plain_(fault.kind == Fault::Kind::kNone && oracle == nullptr) {
    replay_.scenario = &scenario;
    for (const agent::runtime::InputLimits& input : policy_.inputs()) {
      if (input.required) awaited_.insert(input.channel);
    }
  }

  Replay Play() {
    replay_.status = ReadAll();
    if (replay_.status.ok() && !started_) Start(replay_.last_ns);
    if (replay_.status.ok() && !Over()) replay_.status = Finish();
    if (!replay_.status.ok()) {
      replay_.ticks.clear();
      replay_.frames.clear();
      replay_.motion_clearance_m.clear();
      replay_.measured.clear();
    }
    replay_.faults = watch_.Faults();
    digest_.Update(bytes_);
    replay_.verdicts = digest_.Finish();
    return std::move(replay_);
  }

 private:
  absl::Status ReadAll() {
    const auto& channels = replay_.scenario->document.channels();
    ASSIGN_OR_RETURN(const auto reader,
                     agent::recording::ObservationReader::Open(
                         replay_.scenario->recording,
                         agent::recording::ChannelMap(channels.begin(), channels.end())));
    outlives_ = fault_.closed() && fault_.until_ns > reader.end_ns();
    MakeRoom((reader.end_ns() - reader.start_ns()) / policy_.command().period.count());
    const absl::Status status =
        reader.ForEach(fault_.from_ns, fault_.closed() ? fault_.until_ns : INT64_MAX,
                       [this](const auto& item) { return Take(item); });
    if (!status.ok() && !Over()) return status;
    if (!any_)
      return absl::InvalidArgumentError("the recording holds no observation and no command");
    return absl::OkStatus();
  }

  void MakeRoom(int64_t ticks) {
    const auto room = static_cast<size_t>(std::clamp<int64_t>(ticks + 1, 0, kRoomAtFirst));
    replay_.ticks.reserve(room);
    replay_.frames.reserve(room);
    replay_.motion_clearance_m.reserve(room);
    replay_.measured.reserve(room);
  }

  absl::Status Take(const agent::recording::RecordedItem& item) {
    if (std::holds_alternative<v1::TickRecord>(item.content)) return absl::OkStatus();
    const int64_t now = item.log_time_ns;
    if (now < 0) return absl::InvalidArgumentError("a log time lies beyond the year 2262");
    if (!std::exchange(any_, true)) {
      replay_.first_ns = now;
      replay_.last_ns = now;
    }
    if ((now - replay_.first_ns) / policy_.command().period.count() > kMaxTicks) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("the recording is %.0f s long; at most %d ticks are replayed",
                          replay_.Second(now), kMaxTicks));
    }
    if (!started_ && now - replay_.first_ns > kStartUp_ns) Start(replay_.first_ns + kStartUp_ns);
    RETURN_IF_ERROR(StepBefore(now));
    if (Over()) return absl::CancelledError("the fault has been watched to its end");
    replay_.last_ns = std::max(replay_.last_ns, now);
    if (const auto* command = std::get_if<v1::Command>(&item.content)) {
      Keep(*command, now);
    } else {
      Hear(std::get<v1::Observation>(item.content), now);
    }
    return absl::OkStatus();
  }

  void Keep(const v1::Command& command, int64_t now) {
    const auto finite = [](double value) { return std::isfinite(value); };
    if (command.stop() || !std::all_of(command.values().begin(), command.values().end(), finite))
      return;
    replay_.commands.push_back({now, {command.values().begin(), command.values().end()}});
  }

  void Hear(const v1::Observation& recorded, int64_t now) {
    StampsOf(recorded, stamps_);
    watch_.See(stamps_, now);
    if (recorded.has_scan()) NoteZone(recorded.scan(), now);
    for (const ChannelStamp& stamp : stamps_) {
      if (heard_.find(stamp.channel) != heard_.end()) continue;
      const std::string channel(stamp.channel);
      heard_.insert(channel);
      replay_.channels.insert(channel);
      awaited_.erase(channel);
    }
    if (plain_) {
      controller_.Observe(recorded, Nanos(now));
    } else {
      Tell(recorded, now);
    }
    if (!started_ && awaited_.empty()) Start(now);
  }

  void NoteZone(const v1::LaserScan& scan, int64_t now) {
    const auto& ranges = scan.ranges_m();
    const bool near = std::any_of(ranges.begin(), ranges.end(), [this](float range_m) {
      return range_m > 0 && range_m <= stop_reach_m_;
    });
    const bool occupied = near && StopZoneOccupied(policy_, scan);
    const bool before = !replay_.zone_changes.empty() && replay_.zone_changes.back().occupied;
    if (occupied != before) replay_.zone_changes.push_back({now, occupied});
  }

  // Sends an observation on its way to the controller, as the fault leaves it.
  void Tell(v1::Observation observation, int64_t now) {
    if (fault_.Obeys(now)) robot_.Answer(observation);
    Apply(fault_, now, observation);
    if (outlives_) {
      v1::Observation newest = observation;
      faults::FillGaps(newest_, newest);
      newest_ = std::move(newest);
    }
    actor_.Touch(now, observation);
    stream_.Take({now, now, std::move(observation)});
    Deliver(now);
  }

  void Deliver(int64_t now) {
    for (const faults::Message& message : stream_.Due(now)) {
      if (oracle_ != nullptr) oracle_->Hear(message);
      controller_.Observe(message.observation, Nanos(message.at_ns));
    }
  }

  void Start(int64_t at) {
    started_ = true;
    next_tick_ = at;
    controller_.SetLink(true, Nanos(at));
    const bool stands_by = fault_.previous != Fault::Previous::kAbsent;
    controller_.SwapTo(&bench_.pilot(), stands_by ? &bench_.previous() : nullptr, Nanos(at));
  }

  bool Over() const { return fault_.closed() && started_ && next_tick_ > fault_.until_ns; }

  absl::Status StepBefore(int64_t now) {
    while (started_ && next_tick_ < now && !Over()) RETURN_IF_ERROR(Step());
    return absl::OkStatus();
  }

  // The ticks up to the recording's last message, and then, for a fault that outlives the
  // recording, in a world that stands still but whose sensors go on.
  absl::Status Finish() {
    while (next_tick_ <= replay_.last_ns && !Over()) RETURN_IF_ERROR(Step());
    const v1::Observation still = newest_;  // its stamps are shifted from here, not added up
    while (fault_.closed() && !Over()) {
      v1::Observation shifted = still;
      faults::ShiftStamps(next_tick_ - replay_.last_ns, shifted);
      Tell(std::move(shifted), next_tick_);
      RETURN_IF_ERROR(Step());
    }
    return absl::OkStatus();
  }

  absl::Status Step() {
    Deliver(next_tick_);
    actor_.Act(next_tick_, controller_);
    if (oracle_ != nullptr) oracle_->Step(next_tick_);
    const agent::runtime::Tick& tick = controller_.Step(Nanos(next_tick_));
    RETURN_IF_ERROR(Record(tick));
    if (const auto took = bench_.model().TakeMeasured(); took.has_value()) {
      replay_.frames.push_back({replay_.ticks.size() - 1, *took});
    }
    const bool pose_known = controller_.board().RecordOf(agent::runtime::ChannelKind::kOdom).seen;
    replay_.motion_clearance_m.push_back(
        pose_known || policy_.command().type == agent::runtime::CommandType::kJoints
            ? MotionClearance(policy_, controller_.board().odom(), tick.enforced, tick.clearance_m)
            : std::numeric_limits<double>::quiet_NaN());
    replay_.measured.push_back(pose_known ? MeasuredBy(controller_.board().odom())
                                          : MeasuredMotion{});
    if (fault_.Obeys(next_tick_)) robot_.Drive(tick.enforced);
    next_tick_ += policy_.command().period.count();
    return absl::OkStatus();
  }

  absl::Status Record(const agent::runtime::Tick& tick) {
    v1::TickRecord& record = replay_.ticks.emplace_back();
    agent::runtime::WriteRecord(tick, record);
    if (!record.AppendToString(&bytes_))
      return absl::InternalError("a tick record does not serialise");
    if (bytes_.size() < kHashedAtOnce) return absl::OkStatus();
    digest_.Update(bytes_);
    bytes_.clear();
    return absl::OkStatus();
  }

  static MeasuredMotion MeasuredBy(const v1::Odometry& odom) {
    return {odom.x_m(), odom.y_m(), odom.yaw_rad(), odom.vx_mps(), odom.wz_radps()};
  }

  TestBench& bench_;
  const agent::runtime::Policy& policy_;
  const Fault& fault_;
  agent::runtime::Controller controller_;
  RecordingWatch watch_;
  ObedientRobot robot_;
  faults::Stream stream_;
  FaultActor actor_;
  InputOracle* oracle_;  // may be null
  float stop_reach_m_;
  agent::trust::Sha256Stream digest_;
  Replay replay_;
  std::set<std::string, std::less<>> heard_;  // as replay_.channels, for cheap asking
  std::set<std::string> awaited_;             // required channels that have not come yet
  std::vector<ChannelStamp> stamps_;          // of the observation at hand
  std::string bytes_;                         // of ticks that the digest has not seen yet
  v1::Observation newest_;  // of every channel, for the world that stands still after a fault
  bool plain_;              // nothing comes between the recording and the controller
  bool outlives_ = false;   // the fault does the recording
  bool any_ = false;
  bool started_ = false;
  int64_t next_tick_ = 0;
};

// Both parts of the twist are shed alike, so the slower one says how long it takes.
double BrakingSeconds(const agent::runtime::Policy& policy, double vx, double wz) {
  const agent::runtime::TwistLimits& limits = policy.nominal();
  return std::max(std::abs(vx) / std::max(limits.dec_max_mps2.Least(), 1e-3),
                  std::abs(wz) / std::max(limits.wz_acc_max_radps2, 1e-3));
}

// A way over the floor in equal steps, none of which moves any point of the outline further than
// `step_m`.
struct Way {
  const agent::runtime::Policy& policy;
  agent::runtime::Pose2 start;
  double way_m;
  double turn_rad;
  int steps;
  double step_m;

  double ClearanceAt(int step) const {
    const double share = static_cast<double>(step) / steps;
    return agent::runtime::ClearanceM(
        policy, agent::runtime::Moved(start, way_m * share, turn_rad * share));
  }
};

// The least of `least` and the clearances at all steps between `from` and `to`, to a nanometre. As
// a distance shrinks by no more than the outline moves, most steps cannot be the least and are not
// looked at; straight towards a wall it shrinks by just that, and none is.
double LeastBetween(const Way& way, std::pair<int, double> from, std::pair<int, double> to,
                    double least) {
  constexpr double kRounding_m = 1e-9;
  if (to.first - from.first < 2) return least;
  const double bound = (from.second + to.second - way.step_m * (to.first - from.first)) / 2;
  if (bound > kRounding_m && bound >= least - kRounding_m) return least;
  const int middle = from.first + (to.first - from.first) / 2;
  const std::pair<int, double> at(middle, way.ClearanceAt(middle));
  least = LeastBetween(way, from, at, std::min(least, at.second));
  return LeastBetween(way, at, to, least);
}

}  // namespace

double MotionClearance(const agent::runtime::Policy& policy, const v1::Odometry& odom,
                       const std::vector<double>& enforced, double standing_m) {
  constexpr double kStep_m = 0.02;
  constexpr double kFarthest_m = 50;  // no policy here lets a robot need longer to stop
  if (policy.command().type == agent::runtime::CommandType::kJoints) {
    return enforced.size() == policy.joints().size()
               ? agent::runtime::ToolClearanceM(policy, enforced)
               : std::numeric_limits<double>::quiet_NaN();
  }
  const agent::runtime::Pose2 start{odom.x_m(), odom.y_m(), odom.yaw_rad()};
  const double least =
      std::isnan(standing_m) ? agent::runtime::ClearanceM(policy, start) : standing_m;
  if (enforced.size() != 2) return least;
  const double vx = enforced[0];
  const double wz = enforced[1];
  if (std::isnan(least) || (vx == 0 && wz == 0)) return least;
  const double driven_s = std::chrono::duration<double>(policy.command().period).count() +
                          BrakingSeconds(policy, vx, wz) / 2;
  const double way_m = std::clamp(vx * driven_s, -kFarthest_m, kFarthest_m);
  const double turn_rad = wz * driven_s;
  const double outline_m = std::abs(way_m) + policy.footprint().turn_reach_m() * std::abs(turn_rad);
  const auto steps = static_cast<int>(std::ceil(outline_m / kStep_m));
  if (steps < 1) return least;
  const Way way{policy, start, way_m, turn_rad, steps, outline_m / steps};
  const double last = way.ClearanceAt(steps);
  return LeastBetween(way, {0, least}, {steps, last}, std::min(least, last));
}

Replay RunReplay(const Scenario& scenario, TestBench& bench, const Fault& fault,
                 InputOracle* oracle) {
  return Player(scenario, bench, fault, oracle).Play();
}

}  // namespace gatekeeper::gates
