#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/bootstrap.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/paired.h"

// The new unit beside the one that drives today, on the same clips: as good overall and in every
// declared segment, but for delta, and named wherever it fails what the other passed. A clip
// compared with itself tells more than two rates that lie apart by the luck of the draw.

namespace gatekeeper::gates {
namespace {

constexpr int kMostNewlyFailing = 200;

// One clip, or its part in a segment, with both units.
struct PairedClip {
  ClipScore now;
  ClipScore before;
};

struct Comparison {
  std::string tag;  // empty: the whole clips
  std::vector<PairedClip> clips;
  PairedCounts counts;  // of recordings
  double level = 0;     // error rate of the bounds
  bool holds = false;
};

// Which unit passed one recording: all of its clips.
struct Passed {
  bool now = true;
  bool before = true;
};

void Count(double wanted, Comparison& comparison) {
  std::map<std::string, Passed> recordings;
  for (const PairedClip& clip : comparison.clips) {
    Passed& passed = recordings[RecordingOf(*clip.now.replay)];
    passed.now = passed.now && clip.now.agreeing >= wanted;
    passed.before = passed.before && clip.before.agreeing >= wanted;
  }
  comparison.counts = {.n = recordings.size(), .gained = 0, .lost = 0};
  for (const auto& [recording, passed] : recordings) {
    if (passed.now && !passed.before) ++comparison.counts.gained;
    if (!passed.now && passed.before) ++comparison.counts.lost;
  }
}

// The whole clips first, then the segments in the suite's order.
std::vector<Comparison> CompareAll(const Evidence& evidence) {
  const v1::Agreement& agreement = evidence.suite.agreement();
  std::vector<Comparison> comparisons(1);
  for (const std::string& tag : evidence.suite.worst_segment().tags()) {
    comparisons.emplace_back().tag = tag;
  }
  const DeployedUnit& deployed = *evidence.deployed;
  for (size_t i = 0; i < evidence.replays.size() && i < deployed.replays.size(); ++i) {
    const Replay& now = evidence.replays[i];
    const Replay& before = deployed.replays[i];
    const auto scores_now = ScoreTicks(now, evidence.policy, agreement);
    const auto scores_before = ScoreTicks(before, deployed.policy, agreement);
    for (Comparison& comparison : comparisons) {
      PairedClip clip{
          ScoreClip(now, scores_now, comparison.tag, evidence.policy.command().rate_hz()),
          ScoreClip(before, scores_before, comparison.tag, deployed.policy.command().rate_hz())};
      if (clip.now.replay != nullptr && clip.before.replay != nullptr) {
        comparison.clips.push_back(std::move(clip));
      }
    }
  }
  for (Comparison& comparison : comparisons) Count(agreement.clip_pass_fraction(), comparison);
  return comparisons;
}

// The whole clips at alpha; the segments share alpha by Holm's procedure.
void Test(double alpha, double delta, std::vector<Comparison>& comparisons) {
  Comparison& overall = comparisons.front();
  overall.level = alpha;
  overall.holds = TangoPValue(overall.counts, -delta) <= alpha;
  std::vector<double> p_values;
  for (size_t i = 1; i < comparisons.size(); ++i)
    p_values.push_back(TangoPValue(comparisons[i].counts, -delta));
  const std::vector<HolmStep> steps = Holm(p_values, alpha);
  for (size_t i = 1; i < comparisons.size(); ++i) {
    comparisons[i].level = steps[i - 1].level;
    comparisons[i].holds = steps[i - 1].rejected;
  }
}

v1::GateOutcome Decide(bool holds, double difference, double delta) {
  if (holds) return v1::PASS;
  // Not worse by as much as it may be, as far as these clips show: what is missing is clips.
  return difference <= -delta ? v1::FAIL : v1::INSUFFICIENT;
}

v1::SegmentBound Row(const Comparison& comparison, double delta) {
  v1::SegmentBound row;
  row.set_tag(comparison.tag.empty() ? "all" : comparison.tag);
  row.set_n(comparison.counts.n);
  row.set_value(comparison.counts.difference());
  row.set_lower(TangoLowerBound(comparison.counts, comparison.level));
  row.set_upper(TangoUpperBound(comparison.counts, comparison.level));
  row.set_limit(-delta);
  row.set_outcome(Decide(comparison.holds, row.value(), delta));
  return row;
}

// The quieter kind of worse: no clip fails, but fewer ticks agree. Clips are the blocks.
v1::SegmentBound AgreementRow(const Comparison& overall, const v1::GateSuite& suite) {
  std::map<std::string, Series> by_recording;
  for (const PairedClip& clip : overall.clips) {
    by_recording[RecordingOf(*clip.now.replay)].push_back(clip.now.agreeing - clip.before.agreeing);
  }
  std::vector<double> differences;
  for (const auto& [recording, series] : by_recording) {
    double sum = 0;
    for (const double difference : series) sum += difference;
    differences.push_back(sum / static_cast<double>(series.size()));
  }
  const double delta = suite.non_inferiority().delta();
  const auto mean = [&differences](const std::vector<uint32_t>& times) {
    double sum = 0;
    for (size_t i = 0; i < times.size(); ++i) sum += times[i] * differences[i];
    return sum / static_cast<double>(times.size());
  };
  const Bounds bounds = Bootstrap(differences.size(), mean, suite.alpha(), suite.seed());
  v1::SegmentBound row;
  row.set_tag("agreement of ticks");
  row.set_n(differences.size());
  row.set_value(bounds.value);
  row.set_lower(bounds.lower);
  row.set_upper(bounds.upper);
  row.set_limit(-delta);
  row.set_outcome(differences.size() < kLeastBlocks
                      ? v1::INSUFFICIENT
                      : Decide(bounds.lower > -delta, bounds.value, delta));
  return row;
}

// Clips that the deployed unit passed and this one fails, as a whole or in a segment: one finding
// each, worst first.
std::set<std::string> AddNewlyFailing(const std::vector<Comparison>& comparisons, double wanted,
                                      const std::string& deployed, v1::GateResult& result) {
  std::set<std::string> names;
  for (const Comparison& comparison : comparisons) {
    std::vector<const PairedClip*> failing;
    for (const PairedClip& clip : comparison.clips) {
      if (clip.now.agreeing < wanted && clip.before.agreeing >= wanted) failing.push_back(&clip);
    }
    std::stable_sort(failing.begin(), failing.end(), [](const PairedClip* a, const PairedClip* b) {
      return a->now.agreeing < b->now.agreeing;
    });
    for (const PairedClip* clip : failing) {
      const ClipScore& now = clip->now;
      const bool named = !names.insert(now.replay->id()).second;
      if (named || result.findings_size() >= kMostNewlyFailing) continue;
      v1::Finding& finding = *result.add_findings();
      finding =
          FindingAt(*now.replay, now.replay->ticks[now.worst.tick].now_ns(),
                    absl::StrFormat(
                        "passes with %s (%.1f%% of the ticks agree) and fails now (%.1f%%, wanted "
                        "%.1f%%); worst here: %s %.3f, recorded %.3f",
                        deployed, 100 * clip->before.agreeing, 100 * now.agreeing, 100 * wanted,
                        now.worst.field, now.worst.found, now.worst.wanted));
      if (!comparison.tag.empty()) finding.set_segment(comparison.tag);
    }
  }
  return names;
}

// One more clip lost, and the bound would no longer hold.
bool Marginal(const Comparison& comparison, double delta) {
  PairedCounts worse = comparison.counts;
  ++worse.lost;
  if (worse.gained + worse.lost > worse.n) --worse.gained;
  return TangoPValue(worse, -delta) > comparison.level;
}

bool IsWorse(const v1::SegmentBound& a, const v1::SegmentBound& b) {
  const int badness = Badness(a.outcome());
  if (badness != Badness(b.outcome())) return badness > Badness(b.outcome());
  return a.lower() < b.lower();
}

void SetDeciding(const v1::SegmentBound& row, double alpha, v1::GateResult& result) {
  result.set_outcome(row.outcome());
  result.set_value(row.value());
  result.set_bound(row.lower());
  result.set_limit(row.limit());
  result.set_margin(row.lower() - row.limit());
  result.set_alpha(alpha);
}

}  // namespace

v1::GateResult JudgeNonInferiority(const Evidence& evidence) {
  v1::GateResult result;
  const v1::NonInferiorityGate& limits = evidence.suite.non_inferiority();
  if (!evidence.deployed.has_value()) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary(
        "there is no unit to compare with: gate run UNIT --against DEPLOYED_UNIT_FOLDER");
    return result;
  }
  std::vector<Comparison> comparisons = CompareAll(evidence);
  Test(evidence.suite.alpha(), limits.delta(), comparisons);
  std::vector<v1::SegmentBound> rows;
  for (const Comparison& comparison : comparisons) rows.push_back(Row(comparison, limits.delta()));
  rows.push_back(AgreementRow(comparisons.front(), evidence.suite));
  for (const v1::SegmentBound& row : rows) *result.add_segments() = row;
  const v1::SegmentBound worst = *std::min_element(rows.begin(), rows.end(), IsWorse);
  SetDeciding(worst, evidence.suite.alpha(), result);
  for (const Comparison& comparison : comparisons) {
    if (comparison.tag == worst.tag()) result.set_alpha(comparison.level);
  }
  result.set_n(comparisons.front().clips.size());
  result.set_n_eff(static_cast<double>(comparisons.front().counts.n));
  const std::set<std::string> newly =
      AddNewlyFailing(comparisons, evidence.suite.agreement().clip_pass_fraction(),
                      evidence.deployed->label, result);
  if (newly.size() > limits.max_newly_failing()) result.set_outcome(v1::FAIL);
  result.set_marginal(result.outcome() == v1::PASS &&
                      std::any_of(comparisons.begin(), comparisons.end(),
                                  [&](const auto& c) { return Marginal(c, limits.delta()); }));
  result.set_summary(absl::StrFormat(
      "of the clips that pass with %s %d newly failing (%d allowed); %s: lower bound of the "
      "difference on %s "
      "%.3f, wanted above %.3f",
      evidence.deployed->label, newly.size(), limits.max_newly_failing(), worst.tag(),
      agent::base::Counted(worst.n(), "recording"), worst.lower(), worst.limit()));
  return result;
}

}  // namespace gatekeeper::gates
