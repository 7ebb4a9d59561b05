#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/bootstrap.h"
#include "gatekeeper/gates/calibration.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// Whether a model knows when it is wrong: what the policy lets through on the model's own word must
// seldom be wrong, wrong answers must be doubted more than right ones, and a doubt of 20 % must
// mean that one answer in five is wrong. An answer is wrong when it does not agree with the
// recorded command.

namespace gatekeeper::gates {
namespace {

// Risk overall, order and calibration; the segments' risks come on top.
constexpr int kCriteria = 3;

enum class Word { kNone, kConfidence, kUncertainty };

// What the policy judges by; where it judges by neither, what the model tells at all.
Word WordOf(const Evidence& evidence) {
  if (evidence.policy.output().has_confidence()) return Word::kConfidence;
  if (evidence.policy.output().has_uncertainty()) return Word::kUncertainty;
  bool uncertain = false;
  for (const Replay& replay : evidence.replays) {
    for (const v1::TickRecord& tick : replay.ticks) {
      if (tick.raw_size() == 0) continue;
      if (tick.confidence() != 1) return Word::kConfidence;
      uncertain = uncertain || tick.uncertainty() != 0;
    }
  }
  return uncertain ? Word::kUncertainty : Word::kNone;
}

double DoubtOf(Word word, const v1::TickRecord& tick) {
  return word == Word::kConfidence ? 1 - tick.confidence() : tick.uncertainty();
}

// The policy holds the model back while the trigger of its doubt is active.
bool Accepted(const v1::OutputRule& output, const v1::TickRecord& tick) {
  return std::none_of(
      tick.triggers().begin(), tick.triggers().end(), [&](const std::string& trigger) {
        return (output.has_confidence() && trigger == output.confidence().trigger()) ||
               (output.has_uncertainty() && trigger == output.uncertainty().trigger());
      });
}

// Every tick's score, once: one list a replay.
using Scores = std::vector<std::vector<TickScore>>;

// Everything that was answered and can be told right from wrong. A recording is a block.
struct Answers {
  std::vector<DoubtedAnswer> all;
  size_t recordings = 0;
  uint64_t wrong = 0;
  bool shares = true;  // every doubt lies between 0 and 1
};

Answers Collect(const Evidence& evidence, const Scores& scores, Word word) {
  Answers answers;
  std::map<std::string, size_t> blocks;
  for (size_t i = 0; i < scores.size(); ++i) {
    const Replay& replay = evidence.replays[i];
    for (const TickScore& score : scores[i]) {
      const v1::TickRecord& tick = replay.ticks[score.tick];
      if (tick.raw_size() == 0) continue;
      const double doubt = DoubtOf(word, tick);
      if (std::isnan(doubt)) continue;  // the policy holds that back as lowest confidence
      const size_t block = blocks.try_emplace(RecordingOf(replay), blocks.size()).first->second;
      answers.shares = answers.shares && doubt >= 0 && doubt <= 1;
      answers.all.push_back({.doubt = doubt, .wrong = !score.agrees(), .block = block});
      answers.wrong += score.agrees() ? 0 : 1;
    }
  }
  answers.recordings = blocks.size();
  return answers;
}

// What the policy accepts in a segment or (empty tag) everywhere, and how much of it is wrong, by
// recording. Ticks of one drive are not independent, so recordings are what is drawn and counted;
// one of which nothing is accepted is none.
struct AcceptedAnswers {
  std::vector<double> wrong;
  std::vector<double> accepted;

  uint64_t recordings() const { return accepted.size(); }
};

AcceptedAnswers Accepted(const Evidence& evidence, const Scores& scores, const std::string& tag) {
  AcceptedAnswers answers;
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < scores.size(); ++i) {
    const Replay& replay = evidence.replays[i];
    for (const TickScore& score : scores[i]) {
      const v1::TickRecord& tick = replay.ticks[score.tick];
      const double at_s = replay.Second(tick.now_ns());
      if (tick.raw_size() == 0 || !Accepted(evidence.policy.output(), tick)) continue;
      if (!tag.empty() && !InSegment(replay.scenario->document, at_s, tag)) continue;
      const size_t place = places.try_emplace(RecordingOf(replay), places.size()).first->second;
      answers.wrong.resize(places.size());
      answers.accepted.resize(places.size());
      answers.wrong[place] += score.agrees() ? 0 : 1;
      answers.accepted[place] += 1;
    }
  }
  return answers;
}

v1::SegmentBound RiskRow(const std::string& tag, const AcceptedAnswers& answers, double alpha,
                         const v1::GateSuite& suite) {
  const double limit = suite.uncertainty().max_risk();
  const Bounds risk = BootstrapRatio(answers.wrong, answers.accepted, alpha, suite.seed());
  v1::SegmentBound row;
  row.set_tag(tag.empty() ? "risk" : "risk in " + tag);
  row.set_n(static_cast<uint64_t>(
      std::accumulate(answers.accepted.begin(), answers.accepted.end(), 0.0)));
  row.set_value(risk.value);
  row.set_lower(risk.lower);
  // Recordings without a wrong tick cannot tell how many there are elsewhere: never below what as
  // many without any leave open.
  row.set_upper(std::max(risk.upper, UpperBound(0, answers.recordings(), alpha)));
  row.set_limit(limit);
  row.set_outcome(answers.recordings() < kLeastBlocks ? v1::INSUFFICIENT
                  : row.upper() <= limit              ? v1::PASS
                  : risk.value > limit                ? v1::FAIL
                                                      : v1::INSUFFICIENT);
  return row;
}

enum class Wanted { kAtLeast, kAtMost };

// A figure that must lie on the good side of its limit with its bound.
v1::SegmentBound Row(const char* name, const Bounds& bounds, Wanted wanted, double limit) {
  const bool at_least = wanted == Wanted::kAtLeast;
  v1::SegmentBound row;
  row.set_tag(name);
  row.set_value(bounds.value);
  row.set_lower(bounds.lower);
  row.set_upper(bounds.upper);
  row.set_limit(limit);
  const bool held = at_least ? bounds.lower >= limit : bounds.upper <= limit;
  const bool seen = at_least ? bounds.value >= limit : bounds.value <= limit;
  row.set_outcome(held                                                           ? v1::PASS
                  : std::isnan(bounds.value) || std::isnan(bounds.lower) || seen ? v1::INSUFFICIENT
                                                                                 : v1::FAIL);
  return row;
}

// Why these answers cannot decide anything; empty when they can.
std::string Lacking(const Answers& answers) {
  if (answers.recordings < kLeastBlocks) {
    return absl::StrFormat("%s with recorded commands and answers, at least %d are needed",
                           agent::base::Counted(answers.recordings, "recording"), kLeastBlocks);
  }
  if (!answers.shares) {
    return "the uncertainty leaves 0 to 1 and cannot be compared with a share of wrong answers: "
           "bind a confidence";
  }
  if (answers.wrong == 0)
    return "no answer is wrong: nothing shows that a wrong one would be doubted";
  return "";
}

v1::GateResult Insufficient(const std::string& why) {
  v1::GateResult result;
  result.set_outcome(v1::INSUFFICIENT);
  result.set_summary(why);
  return result;
}

// The surest wrong answer that was let through: where to look first.
void AddSurest(const Evidence& evidence, const Scores& scores, Word word, v1::GateResult& result) {
  const Replay* where = nullptr;
  const v1::TickRecord* surest = nullptr;
  for (size_t i = 0; i < scores.size(); ++i) {
    const Replay& replay = evidence.replays[i];
    for (const TickScore& score : scores[i]) {
      const v1::TickRecord& tick = replay.ticks[score.tick];
      if (tick.raw_size() == 0 || score.agrees()) continue;
      if (!Accepted(evidence.policy.output(), tick)) continue;
      if (surest != nullptr && DoubtOf(word, tick) >= DoubtOf(word, *surest)) continue;
      where = &replay;
      surest = &tick;
    }
  }
  if (surest == nullptr) return;
  *result.add_findings() = FindingAt(
      *where, surest->now_ns(),
      absl::StrFormat("the surest wrong answer: %s %.3f",
                      word == Word::kConfidence ? "confidence" : "uncertainty",
                      word == Word::kConfidence ? surest->confidence() : surest->uncertainty()));
}

// What the worst row says decides.
void Decide(double alpha, double brier, v1::GateResult& result) {
  const auto& rows = result.segments();
  const v1::SegmentBound& worst = *std::max_element(
      rows.begin(), rows.end(), [](const v1::SegmentBound& a, const v1::SegmentBound& b) {
        return Badness(a.outcome()) < Badness(b.outcome());
      });
  const bool at_least = worst.tag() == "auroc";
  result.set_outcome(worst.outcome());
  result.set_value(worst.value());
  result.set_bound(at_least ? worst.lower() : worst.upper());
  result.set_limit(worst.limit());
  result.set_margin(at_least ? result.bound() - worst.limit() : worst.limit() - result.bound());
  result.set_alpha(alpha);
  result.set_summary(absl::StrFormat("%s is %.3f, at %s %.3f, wanted at %s %.3f; Brier score %.3f",
                                     worst.tag(), worst.value(), at_least ? "least" : "most",
                                     result.bound(), at_least ? "least" : "most", worst.limit(),
                                     brier));
}

}  // namespace

v1::GateResult JudgeUncertainty(const Evidence& evidence) {
  const Word word = WordOf(evidence);
  if (word == Word::kNone) {
    return Insufficient(
        "the model tells neither confidence nor uncertainty: bind one in the card's outputs");
  }
  Scores scores;
  for (const Replay& replay : evidence.replays)
    scores.push_back(ScoreTicks(replay, evidence.policy, evidence.suite.agreement()));
  const Answers answers = Collect(evidence, scores, word);
  const std::string lacks = Lacking(answers);
  if (!lacks.empty()) return Insufficient(lacks);
  const v1::UncertaintyGate& limits = evidence.suite.uncertainty();
  const auto& tags = evidence.suite.worst_segment().tags();
  const double alpha = evidence.suite.alpha() / (kCriteria + tags.size());
  const uint64_t seed = evidence.suite.seed();
  const DoubtedAnswers sorted(answers.all);

  v1::GateResult result;
  const AcceptedAnswers accepted = Accepted(evidence, scores, "");
  const Bounds auroc = Bootstrap(
      answers.recordings, [&](const auto& times) { return sorted.Auroc(times); }, alpha, seed);
  const Bounds error = Bootstrap(
      answers.recordings, [&](const auto& times) { return sorted.CalibrationError(times); }, alpha,
      seed);
  *result.add_segments() = RiskRow("", accepted, alpha, evidence.suite);
  *result.add_segments() = Row("auroc", auroc, Wanted::kAtLeast, limits.min_auroc());
  *result.add_segments() = Row("calibration error", error, Wanted::kAtMost, limits.max_ece());
  result.mutable_segments(1)->set_n(answers.all.size());
  result.mutable_segments(2)->set_n(answers.all.size());
  for (const std::string& tag : tags) {
    *result.add_segments() = RiskRow(tag, Accepted(evidence, scores, tag), alpha, evidence.suite);
  }
  result.set_n(answers.all.size());
  result.set_n_eff(static_cast<double>(accepted.recordings()));
  Decide(alpha, sorted.Brier(std::vector<uint32_t>(answers.recordings, 1)), result);
  if (result.outcome() == v1::FAIL) AddSurest(evidence, scores, word, result);
  for (const v1::SegmentBound& row : result.segments()) {
    if (row.outcome() == v1::PASS) continue;
    result.add_findings()->set_message(absl::StrFormat("%s is %.3f (%.3f to %.3f), limit %.3f",
                                                       row.tag(), row.value(), row.lower(),
                                                       row.upper(), row.limit()));
  }
  return result;
}

}  // namespace gatekeeper::gates
