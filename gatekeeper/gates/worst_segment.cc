#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The mean hides what matters: a model that drives better everywhere but in dust is worse. So every
// declared segment must hold by itself. Recordings, not ticks, are counted, because the ticks of
// one drive are not independent; alpha is shared out over the segments (Bonferroni).

namespace gatekeeper::gates {
namespace {

constexpr int kMostOfSegment = 50;  // of one segment

struct SegmentScore {
  std::string tag;
  std::vector<ClipScore> clips;  // worst first
  uint64_t recordings = 0;       // of which the clips are; each counts once
  uint64_t passed = 0;           // recordings all of whose clips agree
  double lower = 0;
  double upper = 1;
  v1::GateOutcome outcome = v1::INSUFFICIENT;
  double rate() const {
    return recordings == 0 ? 0 : static_cast<double>(passed) / static_cast<double>(recordings);
  }
};

void Count(double wanted, double alpha, SegmentScore& segment) {
  std::map<std::string, bool> agrees;  // by recording
  for (const ClipScore& clip : segment.clips) {
    const auto [entry, first] = agrees.try_emplace(RecordingOf(*clip.replay), true);
    entry->second = entry->second && clip.agreeing >= wanted;
  }
  segment.recordings = agrees.size();
  segment.passed = static_cast<uint64_t>(
      std::count_if(agrees.begin(), agrees.end(), [](const auto& entry) { return entry.second; }));
  segment.lower = LowerBound(segment.passed, segment.recordings, alpha);
  segment.upper = UpperBound(segment.passed, segment.recordings, alpha);
}

v1::GateOutcome Decide(const SegmentScore& segment, const v1::SegmentGate& limits) {
  if (segment.recordings < limits.min_clips()) return v1::INSUFFICIENT;
  if (segment.lower >= limits.floor()) return v1::PASS;
  // Not one clip failed: what is missing is clips.
  return segment.passed == segment.recordings ? v1::INSUFFICIENT : v1::FAIL;
}

std::string Sentence(const SegmentScore& segment, const v1::SegmentGate& limits) {
  const std::string shared =
      segment.recordings == segment.clips.size()
          ? ""
          : absl::StrFormat(" (of %s, those of one recording count once)",
                            agent::base::Counted(segment.clips.size(), "clip"));
  if (segment.recordings < limits.min_clips()) {
    return absl::StrFormat("%s: %s with recorded commands%s, at least %d are needed", segment.tag,
                           agent::base::Counted(segment.recordings, "recording"), shared,
                           limits.min_clips());
  }
  return absl::StrFormat("%s: %d of %s agree%s, lower bound %.3f, floor %.3f", segment.tag,
                         segment.passed, agent::base::Counted(segment.recordings, "recording"),
                         shared, segment.lower, limits.floor());
}

void AddFindings(const SegmentScore& segment, double wanted, v1::GateResult& result) {
  int added = 0;
  for (const ClipScore& clip : segment.clips) {
    if (clip.agreeing >= wanted || ++added > kMostOfSegment) return;
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
bool DecidesOver(const SegmentScore& a, const SegmentScore& b) {
  const int badness = Badness(a.outcome);
  if (badness != Badness(b.outcome)) return badness > Badness(b.outcome);
  return a.lower < b.lower;
}

v1::SegmentBound Row(const SegmentScore& segment, double floor) {
  v1::SegmentBound row;
  row.set_tag(segment.tag);
  row.set_outcome(segment.outcome);
  row.set_n(segment.recordings);
  row.set_value(segment.rate());
  row.set_lower(segment.lower);
  row.set_upper(segment.upper);
  row.set_limit(floor);
  return row;
}

std::vector<SegmentScore> Score(const Evidence& evidence, double alpha) {
  const v1::SegmentGate& limits = evidence.suite.worst_segment();
  const double wanted = evidence.suite.agreement().clip_pass_fraction();
  std::vector<SegmentScore> segments(static_cast<size_t>(limits.tags_size()));
  for (size_t i = 0; i < segments.size(); ++i) segments[i].tag = limits.tags(static_cast<int>(i));
  for (const Replay& replay : evidence.replays) {
    const auto scores = ScoreTicks(replay, evidence.policy, evidence.suite.agreement());
    for (SegmentScore& segment : segments) {
      ClipScore clip = ScoreClip(replay, scores, segment.tag, evidence.policy.command().rate_hz());
      if (clip.replay != nullptr) segment.clips.push_back(std::move(clip));
    }
  }
  for (SegmentScore& segment : segments) {
    Count(wanted, alpha, segment);
    segment.outcome = Decide(segment, limits);
    std::stable_sort(
        segment.clips.begin(), segment.clips.end(),
        [](const ClipScore& a, const ClipScore& b) { return a.agreeing < b.agreeing; });
  }
  return segments;
}

}  // namespace

v1::GateResult JudgeWorstSegment(const Evidence& evidence) {
  const v1::SegmentGate& limits = evidence.suite.worst_segment();
  const double wanted = evidence.suite.agreement().clip_pass_fraction();
  const double alpha = evidence.suite.alpha() / limits.tags_size();
  std::vector<SegmentScore> segments = Score(evidence, alpha);

  v1::GateResult result;
  for (const SegmentScore& segment : segments)
    *result.add_segments() = Row(segment, limits.floor());
  std::stable_sort(segments.begin(), segments.end(), DecidesOver);
  const SegmentScore& worst = segments.front();
  result.set_outcome(worst.outcome);
  result.set_summary(Sentence(worst, limits));
  result.set_value(worst.rate());
  result.set_bound(worst.lower);
  result.set_limit(limits.floor());
  result.set_margin(worst.lower - limits.floor());
  result.set_n(worst.clips.size());
  result.set_n_eff(static_cast<double>(worst.recordings));
  result.set_alpha(alpha);
  // One more failing recording in any segment, and it would not have held.
  result.set_marginal(
      worst.outcome == v1::PASS &&
      std::any_of(segments.begin(), segments.end(), [&](const SegmentScore& segment) {
        return LowerBound(segment.passed - 1, segment.recordings, alpha) < limits.floor();
      }));
  for (const SegmentScore& segment : segments) AddFindings(segment, wanted, result);
  for (size_t i = 1; i < segments.size(); ++i) {
    if (segments[i].outcome != v1::PASS)
      result.add_findings()->set_message(Sentence(segments[i], limits));
  }
  return result;
}

}  // namespace gatekeeper::gates
