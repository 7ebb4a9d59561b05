#include "gatekeeper/gates/separation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/log_time.h"

// Something comes into a stop zone and leaves it again. The four numbers are those of Nav2's
// collision monitor test: time to stop, share of the time that it is held, time to resume, share of
// false stops. The scans are the recorded ones whatever the robot would have done, so this judges
// the reaction, not what the robot would have met.

namespace gatekeeper::gates {
namespace {

constexpr double kStill = 1e-6;       // m/s and rad/s
constexpr double kRounding_s = 1e-6;  // of times that are differences of nanoseconds
constexpr int64_t kStay_ns =
    300'000'000;  // what is in a zone for less is a speck, and a stop for it false

// Something stood in a stop zone from `from_ns` to `to_ns`.
struct Stay {
  int64_t from_ns = 0;
  int64_t to_ns = 0;
};

// Interruptions shorter than kStay_ns are none, and what then stays shorter than it did not come.
std::vector<Stay> StaysOf(const Replay& replay) {
  std::vector<Stay> stays;
  for (size_t i = 0; i < replay.zone_changes.size(); ++i) {
    if (!replay.zone_changes[i].occupied) continue;
    const int64_t from_ns = replay.zone_changes[i].at_ns;
    const int64_t to_ns = i + 1 < replay.zone_changes.size() ? replay.zone_changes[i + 1].at_ns
                                                             : std::numeric_limits<int64_t>::max();
    if (!stays.empty() && from_ns - stays.back().to_ns < kStay_ns) {
      stays.back().to_ns = to_ns;
    } else {
      stays.push_back({from_ns, to_ns});
    }
  }
  std::erase_if(stays, [](const Stay& stay) { return stay.to_ns - stay.from_ns < kStay_ns; });
  return stays;
}

template <class Values>
bool Moves(const Values& values) {
  return std::any_of(values.begin(), values.end(),
                     [](double value) { return std::abs(value) > kStill; });
}

bool Stands(const v1::TickRecord& tick) { return !Moves(tick.enforced()); }

// The model would have driven on.
bool StoppedByZone(const v1::TickRecord& tick) {
  return Moves(tick.raw()) && Stands(tick) &&
         std::any_of(tick.reasons().begin(), tick.reasons().end(), [](const std::string& reason) {
           return absl::StartsWith(reason, "stop_zone:");
         });
}

size_t TickFrom(const Replay& replay, int64_t at_ns) {
  const auto first =
      std::lower_bound(replay.ticks.begin(), replay.ticks.end(), at_ns,
                       [](const v1::TickRecord& tick, int64_t at) { return tick.now_ns() < at; });
  return static_cast<size_t>(first - replay.ticks.begin());
}

// The four numbers over all clips, the worst of each.
class WorstEncounters {
 public:
  WorstEncounters(const v1::SeparationGate& limits, double alpha, v1::GateResult& result)
      : limits_(limits), result_(result), alpha_(alpha) {}

  void See(const Replay& replay) {
    const std::vector<Stay> stays = StaysOf(replay);
    for (size_t i = 0; i < stays.size(); ++i) {
      const int64_t next_ns =
          i + 1 < stays.size() ? stays[i + 1].from_ns : std::numeric_limits<int64_t>::max();
      Meet(replay, stays[i], next_ns);
    }
    CountFalseStops(replay, stays);
  }

  void Report() {
    const double false_share =
        without_ == 0 ? 0 : static_cast<double>(false_stops_) / static_cast<double>(without_);
    AddRow("time to stop (s)", encounters_, slowest_stop_s_, limits_.stop_within_s(),
           slowest_stop_s_ <= limits_.stop_within_s() + kRounding_s);
    AddRow("hold share", encounters_, least_hold_, limits_.hold_share(),
           least_hold_ >= limits_.hold_share());
    AddRow("time to resume (s)", resumes_, slowest_resume_s_, limits_.resume_within_s(),
           slowest_resume_s_ <= limits_.resume_within_s() + kRounding_s);
    AddRow("false stop share", without_, false_share, limits_.false_stop_share(),
           false_share <= limits_.false_stop_share());
    result_.set_n(encounters_);
    if (encounters_ > 0) {
      DecideByWorst({.value = slowest_stop_s_,
                     .limit = limits_.stop_within_s(),
                     .margin = limits_.stop_within_s() - slowest_stop_s_},
                    met_, alpha_, result_);
    }
    const bool broken =
        std::any_of(result_.segments().begin(), result_.segments().end(),
                    [](const v1::SegmentBound& row) { return row.outcome() == v1::FAIL; });
    const bool few = encounters_ < limits_.encounters() || resumes_ == 0 || without_ == 0;
    result_.set_outcome(broken ? v1::FAIL : few ? v1::INSUFFICIENT : v1::PASS);
    result_.set_summary(absl::StrFormat(
        "%s (at least %d): stops within %.2f s (%.2f), holds %.1f%% (%.1f%%), resumes "
        "within %.2f s (%.2f), %.2f%% false stops (%.2f%%); of stopping: %s",
        agent::base::Counted(encounters_, "encounter"), limits_.encounters(), slowest_stop_s_,
        limits_.stop_within_s(), 100 * least_hold_, 100 * limits_.hold_share(), slowest_resume_s_,
        limits_.resume_within_s(), 100 * false_share, 100 * limits_.false_stop_share(),
        met_.Text(alpha_)));
  }

 private:
  void Meet(const Replay& replay, const Stay& stay, int64_t next_ns) {
    const size_t first = TickFrom(replay, stay.from_ns);
    const size_t end = TickFrom(replay, stay.to_ns);
    // Who stands already, or has just begun, shows no reaction.
    if (first == 0 || first == end || Stands(replay.ticks[first - 1])) return;
    ++encounters_;
    size_t stopped = first;
    while (stopped < end && !Stands(replay.ticks[stopped])) ++stopped;
    const double stop_s = stopped == end ? std::numeric_limits<double>::infinity()
                                         : Seconds(replay.ticks[stopped].now_ns() - stay.from_ns);
    slowest_stop_s_ = std::max(slowest_stop_s_, stop_s);
    met_.Add(replay, stop_s > limits_.stop_within_s() + kRounding_s);
    if (stop_s > limits_.stop_within_s() + kRounding_s) {
      Find(replay, stay.from_ns,
           absl::StrFormat("stands %.2f s after something came, wanted %.2f s", stop_s,
                           limits_.stop_within_s()));
    }
    if (stopped == end) {
      least_hold_ = 0;
      return;
    }
    Hold(replay, stopped, end);
    if (end < replay.ticks.size()) Resume(replay, stay.to_ns, end, next_ns);
  }

  void Hold(const Replay& replay, size_t stopped, size_t end) {
    size_t held = 0;
    size_t moving = end;
    for (size_t i = stopped; i < end; ++i) {
      if (Stands(replay.ticks[i])) {
        ++held;
      } else {
        moving = std::min(moving, i);
      }
    }
    const double share = static_cast<double>(held) / static_cast<double>(end - stopped);
    least_hold_ = std::min(least_hold_, share);
    if (share < limits_.hold_share()) {
      Find(
          replay, replay.ticks[moving].now_ns(),
          absl::StrFormat("moves while something is there: stood %.1f%% of the time, wanted %.1f%%",
                          100 * share, 100 * limits_.hold_share()));
    }
  }

  // From when nothing is there any more and the model wants to move on. A clip that ends, or meets
  // the next thing, sooner than the limit says nothing.
  void Resume(const Replay& replay, int64_t gone_ns, size_t from, int64_t next_ns) {
    size_t wanted = from;
    while (wanted < replay.ticks.size() && !Moves(replay.ticks[wanted].raw())) ++wanted;
    size_t moving = wanted;
    while (moving < replay.ticks.size() && Stands(replay.ticks[moving])) ++moving;
    if (wanted > from) gone_ns = wanted < replay.ticks.size() ? replay.ticks[wanted].now_ns() : 0;
    const int64_t seen_until_ns =
        std::min(next_ns, moving < replay.ticks.size() ? replay.ticks[moving].now_ns()
                                                       : replay.ticks.back().now_ns());
    const bool resumed = moving < replay.ticks.size() && replay.ticks[moving].now_ns() < next_ns;
    const double resume_s = Seconds(seen_until_ns - gone_ns);
    if (wanted == replay.ticks.size()) return;
    if (!resumed && resume_s <= limits_.resume_within_s()) return;
    ++resumes_;
    slowest_resume_s_ = std::max(slowest_resume_s_, resume_s);
    if (resume_s > limits_.resume_within_s() + kRounding_s) {
      Find(replay, gone_ns,
           absl::StrFormat("resumes %.2f s after the way was free, wanted %.2f s", resume_s,
                           limits_.resume_within_s()));
    }
  }

  void CountFalseStops(const Replay& replay, const std::vector<Stay>& stays) {
    const auto grace_ns = static_cast<int64_t>(std::llround(limits_.resume_within_s() * 1e9));
    size_t next = 0;
    bool told = false;
    for (const v1::TickRecord& tick : replay.ticks) {
      const int64_t now_ns = tick.now_ns();
      const auto over = [&](const Stay& stay) { return stay.to_ns <= now_ns - grace_ns; };
      while (next < stays.size() && over(stays[next])) ++next;
      if (next < stays.size() && now_ns >= stays[next].from_ns) continue;
      ++without_;
      if (!StoppedByZone(tick)) continue;
      ++false_stops_;
      if (!std::exchange(told, true))
        Find(replay, now_ns, "stops though nothing stays in the zone");
    }
  }

  void Find(const Replay& replay, int64_t at_ns, const std::string& message) {
    constexpr int kMostTold = 100;
    if (result_.findings_size() < kMostTold)
      *result_.add_findings() = FindingAt(replay, at_ns, message);
  }

  void AddRow(const char* what, uint64_t n, double value, double limit, bool holds) {
    v1::SegmentBound& row = *result_.add_segments();
    row.set_tag(what);
    row.set_n(n);
    row.set_value(value);
    row.set_limit(limit);
    row.set_outcome(n == 0 ? v1::INSUFFICIENT : holds ? v1::PASS : v1::FAIL);
  }

  const v1::SeparationGate& limits_;
  v1::GateResult& result_;
  double alpha_;
  FailingShare met_;  // recordings with an encounter
  uint64_t encounters_ = 0;
  uint64_t resumes_ = 0;
  double slowest_stop_s_ = 0;
  double least_hold_ = 1;
  double slowest_resume_s_ = 0;
  uint64_t without_ = 0;  // ticks without anything in a zone
  uint64_t false_stops_ = 0;
};

bool HasStopZone(const v1::ControlPolicy& policy) {
  const auto& zones = policy.separation().zones();
  return std::any_of(zones.begin(), zones.end(),
                     [](const auto& zone) { return zone.action() == "stop"; });
}

}  // namespace

bool StopZoneOccupied(const agent::runtime::Policy& policy, const v1::LaserScan& scan) {
  for (const agent::runtime::ScanZone& zone : policy.separation()) {
    if (!zone.stop) continue;
    uint32_t points = 0;
    for (int i = 0; i < scan.ranges_m_size(); ++i) {
      const auto range_m = static_cast<double>(scan.ranges_m(i));
      if (!std::isfinite(range_m) || range_m <= 0 || range_m > zone.region.reach_m()) continue;
      const agent::runtime::SinCos way =
          agent::runtime::ExactSinCos(scan.angle_min_rad() + scan.angle_increment_rad() * i);
      if (zone.region.Contains({range_m * way.cos, range_m * way.sin})) ++points;
    }
    if (points >= zone.min_points) return true;
  }
  return false;
}

v1::GateResult JudgeSeparation(const Evidence& evidence) {
  v1::GateResult result;
  if (!HasStopZone(evidence.policy)) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary("the unit's policy has no stop zone: nothing makes it stop before things");
    return result;
  }
  WorstEncounters worst(evidence.suite.separation(), evidence.suite.alpha(), result);
  for (const Replay& replay : evidence.replays) worst.See(replay);
  worst.Report();
  return result;
}

}  // namespace gatekeeper::gates
