#include "gatekeeper/gates/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace gatekeeper::gates {
namespace {

constexpr double kMinScored_s = 1.0;  // a clip with less of a segment says nothing about it

// The command recorded nearest in time to `at_ns`, not further away than `within_ns`.
const RecordedCommand* Nearest(const std::vector<RecordedCommand>& commands, int64_t at_ns,
                               int64_t within_ns) {
  const auto after = std::lower_bound(
      commands.begin(), commands.end(), at_ns,
      [](const RecordedCommand& command, int64_t at) { return command.at_ns < at; });
  const RecordedCommand* best = nullptr;
  if (after != commands.end()) best = &*after;
  if (after != commands.begin()) {
    const RecordedCommand& before = *(after - 1);
    if (best == nullptr || at_ns - before.at_ns <= best->at_ns - at_ns) best = &before;
  }
  if (best == nullptr || std::abs(best->at_ns - at_ns) > within_ns) return nullptr;
  return best;
}

TickScore ScoreTick(const v1::TickRecord& tick, const RecordedCommand& recorded,
                    const v1::ControlPolicy& policy, const v1::Agreement& agreement) {
  TickScore score;
  score.deviation = -1;
  for (int i = 0; i < policy.command().fields_size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const std::string& field = policy.command().fields(i);
    const double found =
        i < tick.raw_size() ? tick.raw(i) : std::numeric_limits<double>::quiet_NaN();
    const double tolerance = ToleranceOf(field, agreement);
    const double distance = std::abs(found - recorded.values[at]);
    double deviation = std::numeric_limits<double>::infinity();
    if (std::isfinite(found)) deviation = distance == 0 ? 0 : distance / tolerance;
    if (deviation <= score.deviation) continue;
    score.deviation = deviation;
    score.field = field;
    score.wanted = recorded.values[at];
    score.found = found;
  }
  return score;
}

}  // namespace

double ToleranceOf(const std::string& field, const v1::Agreement& agreement) {
  if (field == "vx_mps") return agreement.vx_tolerance_mps();
  if (field == "wz_radps") return agreement.wz_tolerance_radps();
  return agreement.joint_tolerance_rad();
}

std::vector<TickScore> ScoreTicks(const Replay& replay, const v1::ControlPolicy& policy,
                                  const v1::Agreement& agreement) {
  std::vector<TickScore> scores;
  const auto fields = static_cast<size_t>(policy.command().fields_size());
  const auto period_ns = static_cast<int64_t>(std::llround(1e9 / policy.command().rate_hz()));
  bool answered = false;
  for (size_t i = 0; i < std::min(replay.ticks.size(), replay.horizon.ticks); ++i) {
    const v1::TickRecord& tick = replay.ticks[i];
    answered = answered || tick.raw_size() > 0;
    if (!answered && tick.now_ns() - replay.first_ns < kStartUp_ns) continue;
    const RecordedCommand* recorded = Nearest(replay.commands, tick.now_ns(), period_ns);
    if (recorded == nullptr || recorded->values.size() != fields) continue;
    scores.push_back(ScoreTick(tick, *recorded, policy, agreement));
    scores.back().tick = i;
  }
  return scores;
}

ClipScore ScoreClip(const Replay& replay, const std::vector<TickScore>& scores,
                    const std::string& tag, double rate_hz) {
  ClipScore clip;
  uint64_t scored = 0;
  uint64_t agreeing = 0;
  for (const TickScore& score : scores) {
    const double at_s = replay.Second(replay.ticks[score.tick].now_ns());
    if (!tag.empty() && !InSegment(replay.scenario->document, at_s, tag)) continue;
    if (scored == 0 || score.deviation > clip.worst.deviation) clip.worst = score;
    ++scored;
    if (score.agrees()) ++agreeing;
  }
  if (static_cast<double>(scored) < kMinScored_s * rate_hz) return {};
  clip.replay = &replay;
  clip.agreeing = static_cast<double>(agreeing) / static_cast<double>(scored);
  return clip;
}

const std::string& ClipOf(const v1::Scenario& scenario) {
  return scenario.sha256().empty() ? scenario.id() : scenario.sha256();
}

const std::string& RecordingOf(const v1::Scenario& scenario) {
  return scenario.origin().sha256().empty() ? ClipOf(scenario) : scenario.origin().sha256();
}

const std::string& RecordingOf(const Replay& replay) {
  return RecordingOf(replay.scenario->document);
}

double MeanScore(const std::vector<Replay>& replays, const v1::ControlPolicy& policy,
                 const v1::Agreement& agreement) {
  double sum = 0;
  int clips = 0;
  for (const Replay& replay : replays) {
    const std::vector<TickScore> scores = ScoreTicks(replay, policy, agreement);
    if (scores.empty()) continue;
    const auto agreeing = std::count_if(scores.begin(), scores.end(),
                                        [](const TickScore& score) { return score.agrees(); });
    sum += static_cast<double>(agreeing) / static_cast<double>(scores.size());
    ++clips;
  }
  return clips == 0 ? 0 : sum / clips;
}

}  // namespace gatekeeper::gates
