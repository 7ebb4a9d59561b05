#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The mean hides what matters: a model that drives better everywhere but in dust is worse. So every
// declared segment must hold by itself. Clips, not ticks, are counted, because the ticks of one
// drive are not independent; alpha is shared out over the segments (Bonferroni).

namespace gatekeeper::gates {
namespace {

constexpr double kMinScored_s = 1.0;  // a clip with less of a segment says nothing about it
constexpr int kMaxFindings = 50;      // of one segment

struct ClipScore {
  const Replay* replay = nullptr;
  double agreeing = 0;  // share of the scored ticks in the segment
  TickScore worst;
};

struct SegmentScore {
  std::string tag;
  std::vector<ClipScore> clips;  // worst first
  uint64_t passed = 0;
  double bound = 0;
  v1::GateOutcome outcome = v1::INSUFFICIENT;
  double rate() const {
    return clips.empty() ? 0 : static_cast<double>(passed) / static_cast<double>(clips.size());
  }
};

ClipScore ScoreClip(const Replay& replay, const std::vector<TickScore>& scores,
                    const std::string& tag, double rate_hz) {
  ClipScore clip;
  uint64_t scored = 0;
  uint64_t agreeing = 0;
  for (const TickScore& score : scores) {
    const double at_s = replay.Second(replay.ticks[score.tick].now_ns());
    if (!InSegment(replay.scenario->document, at_s, tag)) continue;
    if (scored == 0 || score.deviation > clip.worst.deviation) clip.worst = score;
    ++scored;
    if (score.agrees()) ++agreeing;
  }
  if (static_cast<double>(scored) < kMinScored_s * rate_hz) return {};
  clip.replay = &replay;
  clip.agreeing = static_cast<double>(agreeing) / static_cast<double>(scored);
  return clip;
}

v1::GateOutcome Decide(const SegmentScore& segment, const v1::SegmentGate& limits) {
  if (segment.clips.size() < limits.min_clips()) return v1::INSUFFICIENT;
  if (segment.bound >= limits.floor()) return v1::PASS;
  // Not one clip failed: what is missing is clips.
  return segment.passed == segment.clips.size() ? v1::INSUFFICIENT : v1::FAIL;
}

std::string Sentence(const SegmentScore& segment, const v1::SegmentGate& limits) {
  if (segment.clips.size() < limits.min_clips()) {
    return absl::StrFormat("%s: %d clips with recorded commands, at least %d are needed",
                           segment.tag, segment.clips.size(), limits.min_clips());
  }
  return absl::StrFormat("%s: %d of %d clips agree, lower bound %.3f, floor %.3f", segment.tag,
                         segment.passed, segment.clips.size(), segment.bound, limits.floor());
}

void AddFindings(const SegmentScore& segment, double wanted, v1::GateResult& result) {
  int added = 0;
  for (const ClipScore& clip : segment.clips) {
    if (clip.agreeing >= wanted || ++added > kMaxFindings) return;
    const TickScore& worst = clip.worst;
    v1::Finding& finding = *result.add_findings();
    finding =
        FindingAt(*clip.replay, clip.replay->ticks[worst.tick].now_ns(),
                  absl::StrFormat("%.1f%% of the %s ticks agree, wanted %.1f%%; worst here: %s "
                                  "%.3f, recorded %.3f",
                                  100 * clip.agreeing, segment.tag, 100 * wanted, worst.field,
                                  worst.found, worst.wanted));
    finding.set_segment(segment.tag);
  }
}

// The segment that decides: the worst outcome, and the lowest bound among those.
bool WorseThan(const SegmentScore& a, const SegmentScore& b) {
  const auto badness = [](const SegmentScore& s) {
    return s.outcome == v1::FAIL ? 2 : s.outcome == v1::PASS ? 0 : 1;
  };
  if (badness(a) != badness(b)) return badness(a) > badness(b);
  return a.bound < b.bound;
}

}  // namespace

v1::GateResult JudgeWorstSegment(const Evidence& evidence) {
  const v1::SegmentGate& limits = evidence.suite.worst_segment();
  const double wanted = evidence.suite.agreement().clip_pass_fraction();
  const double alpha = evidence.suite.alpha() / limits.tags_size();

  std::vector<SegmentScore> segments(static_cast<size_t>(limits.tags_size()));
  for (size_t i = 0; i < segments.size(); ++i) segments[i].tag = limits.tags(static_cast<int>(i));
  for (const Replay& replay : evidence.replays) {
    const auto scores = ScoreTicks(replay, evidence.policy, evidence.suite.agreement());
    for (SegmentScore& segment : segments) {
      ClipScore clip = ScoreClip(replay, scores, segment.tag, evidence.policy.command().rate_hz());
      if (clip.replay == nullptr) continue;
      if (clip.agreeing >= wanted) ++segment.passed;
      segment.clips.push_back(std::move(clip));
    }
  }
  for (SegmentScore& segment : segments) {
    segment.bound = LowerBound(segment.passed, segment.clips.size(), alpha);
    segment.outcome = Decide(segment, limits);
    std::stable_sort(
        segment.clips.begin(), segment.clips.end(),
        [](const ClipScore& a, const ClipScore& b) { return a.agreeing < b.agreeing; });
  }
  std::stable_sort(segments.begin(), segments.end(), WorseThan);

  v1::GateResult result;
  const SegmentScore& worst = segments.front();
  result.set_outcome(worst.outcome);
  result.set_summary(Sentence(worst, limits));
  result.set_value(worst.rate());
  result.set_bound(worst.bound);
  result.set_limit(limits.floor());
  result.set_n(worst.clips.size());
  for (const SegmentScore& segment : segments) AddFindings(segment, wanted, result);
  for (size_t i = 1; i < segments.size(); ++i) {
    if (segments[i].outcome != v1::PASS)
      result.add_findings()->set_message(Sentence(segments[i], limits));
  }
  return result;
}

}  // namespace gatekeeper::gates
