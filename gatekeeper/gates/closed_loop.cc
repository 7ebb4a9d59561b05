#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/closed_drive.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The unit drove by itself in worlds rebuilt from recordings (closed_drive.h). Only worlds count in
// which the recorded drive came out as recorded. Clips are counted, not drives: drives from several
// starts of one clip see the same walls, so a clip with one collision has collided, and a clip
// reaches its goal when every drive in it does. Leaving the envelope is a collision; leaving the
// floor that is known is one too, because nobody knows what stands there.

namespace gatekeeper::gates {
namespace {

constexpr int kMostFindings = 100;

bool Struck(const v1::ClosedLoopRun& run) {
  return !std::isnan(run.collided_at_s()) || !std::isnan(run.left_map_at_s()) ||
         run.min_clearance_m() < 0;
}

bool Reached(const v1::ClosedLoopRun& run) {
  return !std::isnan(run.reached_goal_at_s()) && !Struck(run);
}

// "at (3.1, 4.4) in NOMINAL, held by stop_zone:touch"
std::string WhereItEnds(const v1::ClosedLoopRun& run) {
  std::string text = run.x_m().empty() ? "nowhere"
                                       : absl::StrFormat("at (%.1f, %.1f)", *run.x_m().rbegin(),
                                                         *run.y_m().rbegin());
  absl::StrAppendFormat(&text, " in %s", run.last_state());
  for (int i = 0; i < run.last_reasons_size(); ++i)
    text += (i == 0 ? ", held by " : ", ") + run.last_reasons(i);
  return text;
}

// What ended the drive, or why it ended nowhere; empty: it reached its goal unharmed.
std::string Fate(const v1::ClosedLoopRun& run) {
  if (!std::isnan(run.collided_at_s())) {
    return absl::StrFormat("drives into something %.2f s after its start%s", run.collided_at_s(),
                           run.collided_with_mover()
                               ? ", which moved there in the recording too (and reacts to nobody)"
                               : "");
  }
  if (!std::isnan(run.left_map_at_s())) {
    return absl::StrFormat("leaves the floor that the map knows %.2f s after its start",
                           run.left_map_at_s());
  }
  if (run.min_clearance_m() < 0)
    return absl::StrFormat("leaves the envelope by %.2f m", -run.min_clearance_m());
  if (!Reached(run)) {
    return absl::StrFormat("does not get to (%.1f, %.1f) within %.0f s, %d stops; ends %s",
                           run.goal_x_m(), run.goal_y_m(), EndSecond(run), run.stops(),
                           WhereItEnds(run));
  }
  return "";
}

void AddFinding(const std::string& scenario, const std::string& message, double at_s,
                v1::GateResult& result) {
  if (result.findings_size() >= kMostFindings) return;
  v1::Finding& finding = *result.add_findings();
  finding.set_scenario(scenario);
  finding.set_at_s(at_s);
  finding.set_message(message);
}

struct ClipDrives {
  bool struck = false;
  bool reached = true;
};

// What all drives came to.
struct Tally {
  std::map<std::string, ClipDrives> clips;      // by recording
  std::map<std::string, std::string> not_used;  // scenario -> why
  uint64_t drives = 0;
  std::map<std::string, uint32_t> movers;  // by scenario that was driven
  uint64_t stops = 0;
  uint64_t walked_into = 0;
  double driven_s = 0;
  // The worst of the worlds that were driven in.
  double pose_error_m = 0;
  double range_error_m = 0;
  double far_off = 0;
  double far_off_walls = 0;

  uint64_t n() const { return clips.size(); }
  uint64_t struck() const {
    return static_cast<uint64_t>(std::count_if(
        clips.begin(), clips.end(), [](const auto& clip) { return clip.second.struck; }));
  }
  uint64_t reached() const {
    return static_cast<uint64_t>(std::count_if(
        clips.begin(), clips.end(), [](const auto& clip) { return clip.second.reached; }));
  }
  double StopsAnHour() const {
    return driven_s > 0 ? static_cast<double>(stops) * 3600 / driven_s : 0;
  }
};

Tally Count(const Evidence& evidence) {
  std::map<std::string, std::string> recordings;  // by scenario
  for (const Replay& replay : evidence.replays) recordings[replay.id()] = RecordingOf(replay);
  Tally tally;
  std::set<std::string> used;
  for (const v1::ClosedLoopRun& run : evidence.closed_loop) {
    if (!run.not_used().empty()) {
      tally.not_used[run.scenario()] = run.not_used();
      continue;
    }
    used.insert(run.scenario());
    ++tally.drives;
    tally.stops += run.stops();
    tally.walked_into += run.walked_into();
    tally.movers[run.scenario()] = run.movers();
    tally.pose_error_m = std::max(tally.pose_error_m, run.pose_error_m());
    tally.range_error_m = std::max(tally.range_error_m, run.range_error_m());
    tally.far_off = std::max(tally.far_off, run.far_off());
    tally.far_off_walls = std::max(tally.far_off_walls, run.far_off_walls());
    tally.driven_s += run.x_m_size() * run.period_s();
    const auto recording = recordings.find(run.scenario());
    ClipDrives& clip =
        tally.clips[recording == recordings.end() ? run.scenario() : recording->second];
    clip.struck = clip.struck || Struck(run);
    clip.reached = clip.reached && Reached(run);
  }
  // Too near to its goal from a later start, say.
  for (const std::string& id : used) tally.not_used.erase(id);
  return tally;
}

void AddFindings(const Evidence& evidence, const Tally& tally, v1::GateResult& result) {
  for (const v1::ClosedLoopRun& run : evidence.closed_loop) {
    const std::string fate = run.not_used().empty() ? Fate(run) : "";
    if (!fate.empty()) AddFinding(run.scenario(), fate, SecondOfEnd(run), result);
  }
  for (const auto& [id, why] : tally.not_used) AddFinding(id, "not used: " + why, 0, result);
}

v1::SegmentBound Row(const char* what, uint64_t n, double value, double limit,
                     v1::GateOutcome outcome) {
  v1::SegmentBound row;
  row.set_tag(what);
  row.set_n(n);
  row.set_value(value);
  row.set_limit(limit);
  row.set_outcome(outcome);
  return row;
}

// How near the worlds that were driven in come to their recordings. What comes no nearer than the
// limits was not driven in, so these rows hold wherever there is a drive.
void AddReproduction(const Tally& tally, const v1::ClosedLoopGate& limits, v1::GateResult& result) {
  if (tally.drives == 0) return;
  const auto add = [&](const char* what, double value, double limit) {
    v1::SegmentBound& row = *result.add_segments();
    row = Row(what, tally.n(), value, limit, v1::PASS);
    row.set_upper(value);
  };
  add("reproduction: pose error (m)", tally.pose_error_m, limits.max_pose_error_m());
  add("reproduction: range error (m)", tally.range_error_m, limits.max_range_error_m());
  add("reproduction: ranges far off", tally.far_off, MaxFarOff(limits));
}

std::string ReproductionText(const Tally& tally, const v1::ClosedLoopGate& limits) {
  uint64_t movers = 0;
  for (const auto& [id, count] : tally.movers) movers += count;
  return absl::StrFormat(
      "the worlds are at worst %.2f m (%.2f) and ranges %.3f m (%.3f) off their recordings, with "
      "%.1f %% of ranges far off (%.1f %%; %.1f %% without what moves); moving objects: %d, times "
      "that one walked into the robot: %d",
      tally.pose_error_m, limits.max_pose_error_m(), tally.range_error_m,
      limits.max_range_error_m(), 100 * tally.far_off, 100 * MaxFarOff(limits),
      100 * tally.far_off_walls, movers, tally.walked_into);
}

double Share(uint64_t part, uint64_t of) {
  return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
}

}  // namespace

double SecondOfEnd(const v1::ClosedLoopRun& run) { return run.start_s() + EndSecond(run); }

std::vector<size_t> FailingInWorlds(const Evidence& evidence) {
  // First starts come before second ones: a part of the library makes more starts of a clip, which
  // must not stand before those that the whole library shows.
  std::map<std::string, size_t> starts;  // by scenario
  std::vector<std::pair<size_t, size_t>> order;
  for (size_t i = 0; i < evidence.closed_loop.size(); ++i) {
    const v1::ClosedLoopRun& run = evidence.closed_loop[i];
    const size_t start = starts[run.scenario()]++;
    if (run.not_used().empty() && !Fate(run).empty()) order.emplace_back(start, i);
  }
  std::sort(order.begin(), order.end());
  order.resize(std::min<size_t>(order.size(), kMostShown));
  std::vector<size_t> failing;
  for (const auto& [start, i] : order) failing.push_back(i);
  return failing;
}

v1::GateResult JudgeClosedLoop(const Evidence& evidence) {
  const v1::ClosedLoopGate& limits = evidence.suite.closed_loop();
  const double alpha = evidence.suite.alpha() / 2;  // two bounds decide together
  const Tally tally = Count(evidence);
  const uint64_t n = tally.n();
  const uint64_t struck = tally.struck();
  const uint64_t reached = tally.reached();
  const double collisions = UpperBound(struck, n, alpha);
  const double goals = LowerBound(reached, n, alpha);
  const auto decide = [&](bool holds, bool flawless) {
    if (tally.drives < limits.runs()) return struck > 0 && !flawless ? v1::FAIL : v1::INSUFFICIENT;
    if (holds) return v1::PASS;
    return flawless ? v1::INSUFFICIENT : v1::FAIL;  // not one clip failed: what is missing is clips
  };
  v1::SegmentBound safe = Row("collisions", n, Share(struck, n), limits.max_collision_rate(),
                              decide(collisions <= limits.max_collision_rate(), struck == 0));
  safe.set_upper(collisions);
  v1::SegmentBound there = Row("goals", n, Share(reached, n), limits.min_goal_rate(),
                               decide(goals >= limits.min_goal_rate(), reached == n));
  there.set_lower(goals);

  v1::GateResult result;
  AddFindings(evidence, tally, result);
  *result.add_segments() = safe;
  *result.add_segments() = there;
  AddReproduction(tally, limits, result);
  const bool failed = safe.outcome() == v1::FAIL || there.outcome() == v1::FAIL;
  const bool passed = safe.outcome() == v1::PASS && there.outcome() == v1::PASS;
  result.set_outcome(failed ? v1::FAIL : passed ? v1::PASS : v1::INSUFFICIENT);
  result.set_n(tally.drives);
  result.set_n_eff(static_cast<double>(n));
  result.set_alpha(alpha);
  result.set_value(Share(struck, n));
  result.set_bound(collisions);
  result.set_limit(limits.max_collision_rate());
  result.set_margin(limits.max_collision_rate() - collisions);
  result.set_marginal(passed && (UpperBound(struck + 1, n, alpha) > limits.max_collision_rate() ||
                                 LowerBound(reached - 1, n, alpha) < limits.min_goal_rate()));
  result.set_summary(absl::StrFormat(
      "%s (at least %d) in %s: %s with a collision, upper bound %.3f (%.3f); %d "
      "with the goal reached, lower bound %.3f (%.3f); %.1f stops an hour; %s not used",
      agent::base::Counted(tally.drives, "drive"), limits.runs(),
      agent::base::Counted(n, "recording"), agent::base::Counted(struck, "recording"), collisions,
      limits.max_collision_rate(), reached, goals, limits.min_goal_rate(), tally.StopsAnHour(),
      agent::base::Counted(tally.not_used.size(), "clip")));
  if (tally.drives > 0)
    result.set_summary(result.summary() + "; " + ReproductionText(tally, limits));
  return result;
}

}  // namespace gatekeeper::gates
