#include "gatekeeper/gates/horizon.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/statistics.h"
#include "gatekeeper/resim/bearing.h"
#include "gatekeeper/resim/drive_model.h"

namespace gatekeeper::gates {
namespace {

using resim::TimedTwist;

constexpr size_t kMostShortest = 50;

// What a drive is fitted to, as the controller knew it.
resim::DriveLog LogOf(const Replay& replay) {
  resim::DriveLog log;
  for (size_t i = 0; i < replay.measured.size(); ++i) {
    const MeasuredMotion& motion = replay.measured[i];
    if (std::isnan(motion.vx_mps)) continue;
    log.measured.push_back({replay.ticks[i].now_ns(), motion.vx_mps, motion.wz_radps});
  }
  for (const RecordedCommand& command : replay.commands) {
    if (command.values.size() == 2)
      log.commands.push_back({command.at_ns, command.values[0], command.values[1]});
  }
  return log;
}

agent::runtime::TwistLimits LimitsOf(const v1::ControlPolicy& policy) {
  const v1::LimitSet& nominal = policy.limits().nominal();
  agent::runtime::TwistLimits limits;
  limits.acc_max_mps2 = {{0}, {nominal.acc_max_mps2().empty() ? 1 : nominal.acc_max_mps2(0)}};
  limits.dec_max_mps2 = {{0}, {1}};
  if (!nominal.dec_max_mps2().empty()) {
    limits.dec_max_mps2.values[0] =
        *std::min_element(nominal.dec_max_mps2().begin(), nominal.dec_max_mps2().end());
  }
  limits.wz_acc_max_radps2 = nominal.wz_acc_max_radps2();
  return limits;
}

bool IsTwist(const google::protobuf::RepeatedField<double>& values) {
  return values.size() == 2 && std::isfinite(values[0]) && std::isfinite(values[1]);
}

// What the unit asked for; where its model gave no usable answer, what was driven instead.
TimedTwist AskedFor(const v1::TickRecord& tick) {
  if (IsTwist(tick.raw())) return {tick.now_ns(), tick.raw(0), tick.raw(1)};
  if (IsTwist(tick.enforced())) return {tick.now_ns(), tick.enforced(0), tick.enforced(1)};
  return {tick.now_ns(), 0, 0};
}

// The first tick with an answer and a known pose.
std::optional<size_t> FirstDriven(const Replay& replay) {
  for (size_t i = 0; i < replay.ticks.size() && i < replay.measured.size(); ++i) {
    if (IsTwist(replay.ticks[i].raw()) && !std::isnan(replay.measured[i].x_m)) return i;
  }
  return std::nullopt;
}

resim::Drive StartDrive(const Replay& replay, size_t first, const resim::DriveModel& model,
                        const resim::DriveLog& log) {
  const MeasuredMotion& start = replay.measured[first];
  const int64_t start_ns = replay.ticks[first].now_ns();
  resim::Drive drive(model, {start.x_m, start.y_m, start.yaw_rad}, start_ns, start.vx_mps,
                     start.wz_radps);
  for (const TimedTwist& command : log.commands) {  // those still on their way
    if (command.at_ns > start_ns - model.latency_ns && command.at_ns < start_ns)
      drive.Command(command);
  }
  return drive;
}

double MedianOf(std::vector<double> sorted) {
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Of every recording the median over its clips, in ascending order.
std::vector<double> Lengths(const std::vector<Replay>& replays) {
  std::map<std::string, std::vector<double>> clips;
  for (const Replay& replay : replays) {
    if (!std::isnan(replay.horizon.seconds))
      clips[RecordingOf(replay)].push_back(replay.horizon.seconds);
  }
  std::vector<double> lengths;
  for (auto& [recording, seconds] : clips) {
    std::sort(seconds.begin(), seconds.end());
    lengths.push_back(MedianOf(seconds));
  }
  std::sort(lengths.begin(), lengths.end());
  return lengths;
}

// Recordings of whose clips at least half leave the recorded way before this second. A clip that
// ends before it does could have been longer: it says too little, not no.
size_t LeavingBefore(double wanted_s, const std::vector<Replay>& replays) {
  std::map<std::string, int> leaving;  // by recording: clips that leave less those that do not
  for (const Replay& replay : replays) {
    const Horizon& horizon = replay.horizon;
    if (std::isnan(horizon.seconds)) continue;
    leaving[RecordingOf(replay)] += horizon.left && horizon.seconds < wanted_s ? 1 : -1;
  }
  return static_cast<size_t>(std::count_if(leaving.begin(), leaving.end(),
                                           [](const auto& entry) { return entry.second >= 0; }));
}

void CompareWithDeployed(const Evidence& evidence, double median_s, v1::GateResult& result) {
  if (!evidence.deployed.has_value()) return;
  const std::vector<double> before = Lengths(evidence.deployed->replays);
  if (before.empty() || MedianOf(before) <= median_s) return;
  result.add_findings()->set_message(
      absl::StrFormat("the horizon shrank: median %.2f s, with %s %.2f s", median_s,
                      evidence.deployed->label, MedianOf(before)));
}

void AddShortest(const Evidence& evidence, v1::GateResult& result) {
  std::vector<const Replay*> left;
  for (const Replay& replay : evidence.replays) {
    if (replay.horizon.left && replay.horizon.seconds < evidence.suite.horizon().min_median_s())
      left.push_back(&replay);
  }
  std::stable_sort(left.begin(), left.end(), [](const Replay* a, const Replay* b) {
    return a->horizon.seconds < b->horizon.seconds;
  });
  for (size_t i = 0; i < std::min(left.size(), kMostShortest); ++i) {
    const Horizon& horizon = left[i]->horizon;
    *result.add_findings() = FindingAt(
        *left[i], left[i]->ticks[horizon.ticks].now_ns(),
        absl::StrFormat("the commanded way leaves the recorded one after %.2f s: %.2f m and %.1f "
                        "degrees off; nothing behind this is compared with the recording",
                        horizon.seconds, horizon.deviation_m, horizon.deviation_deg));
  }
}

}  // namespace

Horizon HorizonOf(const Replay& replay, const v1::ControlPolicy& policy,
                  const v1::HorizonGate& limits) {
  Horizon horizon;
  const std::optional<size_t> first = FirstDriven(replay);
  if (policy.command().type() != "twist2d" || !first.has_value()) return horizon;
  const resim::DriveLog log = LogOf(replay);
  const resim::DriveModel model = resim::FitDrive(log, LimitsOf(policy));
  resim::Drive drive = StartDrive(replay, *first, model, log);
  const int64_t start_ns = drive.now_ns();
  for (size_t i = *first; i < replay.ticks.size(); ++i) {
    const int64_t now_ns = replay.ticks[i].now_ns();
    drive.DriveTo(now_ns);
    const MeasuredMotion& there = replay.measured[i];
    horizon.deviation_m =
        agent::runtime::Distance(agent::runtime::Vec2{drive.pose().x_m, drive.pose().y_m},
                                 agent::runtime::Vec2{there.x_m, there.y_m});
    horizon.deviation_deg =
        std::abs(resim::WrappedRad(drive.pose().yaw_rad - there.yaw_rad)) * 180 / std::numbers::pi;
    horizon.seconds = static_cast<double>(now_ns - start_ns) * 1e-9;
    if (horizon.deviation_m > limits.max_deviation_m() ||
        horizon.deviation_deg > limits.max_deviation_deg()) {
      horizon.ticks = i;
      horizon.left = true;
      return horizon;
    }
    drive.Command(AskedFor(replay.ticks[i]));
  }
  return horizon;
}

void SetHorizons(Evidence& evidence) {
  if (!evidence.suite.has_horizon()) return;
  const v1::HorizonGate& limits = evidence.suite.horizon();
  for (Replay& replay : evidence.replays)
    replay.horizon = HorizonOf(replay, evidence.policy, limits);
  if (!evidence.deployed.has_value()) return;
  for (Replay& replay : evidence.deployed->replays)
    replay.horizon = HorizonOf(replay, evidence.deployed->policy, limits);
}

v1::GateResult JudgeHorizon(const Evidence& evidence) {
  const double wanted_s = evidence.suite.horizon().min_median_s();
  v1::GateResult result;
  result.set_limit(wanted_s);
  result.set_alpha(evidence.suite.alpha());
  const std::vector<double> lengths = Lengths(evidence.replays);
  const auto clips = static_cast<size_t>(
      std::count_if(evidence.replays.begin(), evidence.replays.end(),
                    [](const Replay& replay) { return !std::isnan(replay.horizon.seconds); }));
  result.set_n(clips);
  result.set_n_eff(static_cast<double>(lengths.size()));
  if (lengths.empty()) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary("no clip has odometry and twist commands to compare ways by");
    return result;
  }
  const double median_s = MedianOf(lengths);
  // The lower bound of the median mirrors the upper one: as many samples from the other end.
  const int64_t below = SamplesAboveBound(lengths.size(), 0.5, 1 - evidence.suite.alpha());
  const double bound_s = below < 0 ? 0 : lengths[static_cast<size_t>(below)];
  result.set_value(median_s);
  result.set_bound(bound_s);
  result.set_margin(bound_s - wanted_s);
  if (bound_s >= wanted_s) {
    result.set_outcome(v1::PASS);
  } else {
    const bool most_leave = 2 * LeavingBefore(wanted_s, evidence.replays) >= lengths.size();
    result.set_outcome(most_leave ? v1::FAIL : v1::INSUFFICIENT);
  }
  const auto left = std::count_if(evidence.replays.begin(), evidence.replays.end(),
                                  [](const Replay& replay) { return replay.horizon.left; });
  result.set_summary(absl::StrFormat(
      "the commanded way stays near the recorded one for %.2f s (median of %s, lower bound "
      "%.2f s, wanted %.2f s); %s too short to see it leave",
      median_s, agent::base::Counted(lengths.size(), "recording"), bound_s, wanted_s,
      agent::base::Counted(clips - static_cast<size_t>(left), "clip")));
  CompareWithDeployed(evidence, median_s, result);
  AddShortest(evidence, result);
  return result;
}

}  // namespace gatekeeper::gates
