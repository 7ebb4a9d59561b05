#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The unit drove by itself in worlds rebuilt from recordings (closed_drive.h). Only worlds count in
// which the recorded drive came out as recorded. Clips are counted, not drives: drives from several
// starts of one clip see the same walls, so a clip with one collision has collided, and a clip
// reaches its goal when every drive in it does. Leaving the envelope is a collision; leaving the
// floor that was seen is one too, because nobody knows what stands there.

namespace gatekeeper::gates {
namespace {

constexpr int kMostFindings = 100;

struct ClipDrives {
  bool struck = false;
  bool reached = true;
};

bool Struck(const v1::ClosedLoopRun& run) {
  return !std::isnan(run.collided_at_s()) || !std::isnan(run.left_map_at_s()) ||
         run.min_clearance_m() < 0;
}

bool Reached(const v1::ClosedLoopRun& run) {
  return !std::isnan(run.reached_goal_at_s()) && !Struck(run);
}

double DrivenSeconds(const v1::ClosedLoopRun& run) { return run.x_m_size() * run.period_s(); }

// What ended the drive, or why it ended nowhere; empty: it reached its goal unharmed.
std::string Fate(const v1::ClosedLoopRun& run) {
  if (!std::isnan(run.collided_at_s()))
    return absl::StrFormat("drives into something %.2f s after its start", run.collided_at_s());
  if (!std::isnan(run.left_map_at_s())) {
    return absl::StrFormat("leaves the floor that the recording saw %.2f s after its start",
                           run.left_map_at_s());
  }
  if (run.min_clearance_m() < 0)
    return absl::StrFormat("leaves the envelope by %.2f m", -run.min_clearance_m());
  if (!Reached(run)) {
    return absl::StrFormat("does not get to (%.1f, %.1f) within %.0f s, %d stops", run.goal_x_m(),
                           run.goal_y_m(), DrivenSeconds(run), run.stops());
  }
  return "";
}

double FateSecond(const v1::ClosedLoopRun& run) {
  if (!std::isnan(run.collided_at_s())) return run.collided_at_s();
  if (!std::isnan(run.left_map_at_s())) return run.left_map_at_s();
  return DrivenSeconds(run);
}

void AddFinding(const v1::ClosedLoopRun& run, const std::string& message, double at_s,
                v1::GateResult& result) {
  if (result.findings_size() >= kMostFindings) return;
  v1::Finding& finding = *result.add_findings();
  finding.set_scenario(run.scenario());
  finding.set_at_s(at_s);
  finding.set_message(message);
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

double Share(uint64_t part, uint64_t of) {
  return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
}

}  // namespace

v1::GateResult JudgeClosedLoop(const Evidence& evidence) {
  const v1::ClosedLoopGate& limits = evidence.suite.closed_loop();
  const double alpha = evidence.suite.alpha();
  v1::GateResult result;
  std::map<std::string, ClipDrives> clips;
  std::map<std::string, std::string> not_used;
  uint64_t drives = 0;
  uint64_t stops = 0;
  double driven_s = 0;
  for (const v1::ClosedLoopRun& run : evidence.closed_loop) {
    if (!run.not_used().empty()) {
      not_used[run.scenario()] = run.not_used();
      continue;
    }
    ++drives;
    stops += run.stops();
    driven_s += DrivenSeconds(run);
    ClipDrives& clip = clips[run.scenario()];
    clip.struck = clip.struck || Struck(run);
    clip.reached = clip.reached && Reached(run);
    const std::string fate = Fate(run);
    if (!fate.empty()) AddFinding(run, fate, run.start_s() + FateSecond(run), result);
  }
  for (const auto& [id, why] : not_used) {
    v1::ClosedLoopRun named;
    named.set_scenario(id);
    AddFinding(named, "not used: " + why, 0, result);
  }
  const uint64_t n = clips.size();
  const auto struck = static_cast<uint64_t>(std::count_if(
      clips.begin(), clips.end(), [](const auto& clip) { return clip.second.struck; }));
  const auto reached = static_cast<uint64_t>(std::count_if(
      clips.begin(), clips.end(), [](const auto& clip) { return clip.second.reached; }));
  const double collisions = UpperBound(struck, n, alpha / 2);
  const double goals = LowerBound(reached, n, alpha / 2);

  const bool few = drives < limits.runs();
  const auto decide = [&](bool holds, bool flawless) {
    if (few) return struck > 0 && !flawless ? v1::FAIL : v1::INSUFFICIENT;
    if (holds) return v1::PASS;
    return flawless ? v1::INSUFFICIENT : v1::FAIL;  // not one clip failed: what is missing is clips
  };
  v1::SegmentBound safe = Row("collisions", n, Share(struck, n), limits.max_collision_rate(),
                              decide(collisions <= limits.max_collision_rate(), struck == 0));
  safe.set_upper(collisions);
  v1::SegmentBound there = Row("goals", n, Share(reached, n), limits.min_goal_rate(),
                               decide(goals >= limits.min_goal_rate(), reached == n));
  there.set_lower(goals);
  *result.add_segments() = safe;
  *result.add_segments() = there;
  const bool failed = safe.outcome() == v1::FAIL || there.outcome() == v1::FAIL;
  const bool passed = safe.outcome() == v1::PASS && there.outcome() == v1::PASS;
  result.set_outcome(failed ? v1::FAIL : passed ? v1::PASS : v1::INSUFFICIENT);
  result.set_n(drives);
  result.set_n_eff(static_cast<double>(n));
  result.set_alpha(alpha / 2);
  result.set_value(Share(struck, n));
  result.set_bound(collisions);
  result.set_limit(limits.max_collision_rate());
  result.set_margin(limits.max_collision_rate() - collisions);
  result.set_marginal(result.outcome() == v1::PASS &&
                      (UpperBound(struck + 1, n, alpha / 2) > limits.max_collision_rate() ||
                       LowerBound(reached - 1, n, alpha / 2) < limits.min_goal_rate()));
  result.set_summary(absl::StrFormat(
      "%d drives (at least %d) in %d clips: %d clips with a collision, upper bound %.3f (%.3f); %d "
      "with the goal reached, lower bound %.3f (%.3f); %.1f stops an hour; %d clips not used",
      drives, limits.runs(), n, struck, collisions, limits.max_collision_rate(), reached, goals,
      limits.min_goal_rate(), driven_s > 0 ? static_cast<double>(stops) * 3600 / driven_s : 0,
      not_used.size()));
  return result;
}

}  // namespace gatekeeper::gates
