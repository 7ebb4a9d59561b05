#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

// Every clip that was ever kept because a unit failed on it, or because something happened there:
// the unit keeps the envelope and the requirements in it, and drives as recorded where that was
// right. One clip that fails is a failure; there is nothing to estimate.

namespace gatekeeper::gates {
namespace {

// The checks that hold for any replay, asked about the corpus instead of the library.
void AddFailures(const v1::GateResult& judged, v1::GateResult& result) {
  if (judged.outcome() != v1::FAIL) return;  // too little evidence is the library's matter
  for (v1::Finding finding : judged.findings()) {
    finding.set_scenario("corpus/" + finding.scenario());
    *result.add_findings() = std::move(finding);
  }
}

void JudgeAgreement(const Replay& replay, const Evidence& evidence, v1::GateResult& result) {
  const double wanted = evidence.suite.agreement().clip_pass_fraction();
  uint64_t scored = 0;
  uint64_t agreeing = 0;
  TickScore worst;
  for (const TickScore& score : ScoreTicks(replay, evidence.policy, evidence.suite.agreement())) {
    const double at_s = replay.Second(replay.ticks[score.tick].now_ns());
    if (InSegment(replay.scenario->document, at_s, kNotImitated)) continue;
    if (scored == 0 || score.deviation > worst.deviation) worst = score;
    ++scored;
    if (score.agrees()) ++agreeing;
  }
  const double share =
      scored == 0 ? 1 : static_cast<double>(agreeing) / static_cast<double>(scored);
  if (share >= wanted) return;
  v1::Finding finding =
      FindingAt(replay, replay.ticks[worst.tick].now_ns(),
                absl::StrFormat("%.1f%% of the ticks agree, wanted %.1f%%; worst here: %s %.3f, "
                                "recorded %.3f",
                                100 * share, 100 * wanted, worst.field, worst.found, worst.wanted));
  finding.set_scenario("corpus/" + finding.scenario());
  *result.add_findings() = std::move(finding);
}

void AddReplays(const Evidence& evidence, v1::GateResult& result) {
  Evidence about_corpus;
  about_corpus.suite = evidence.suite;
  about_corpus.policy = evidence.policy;
  about_corpus.fallback = evidence.fallback;
  about_corpus.replays = evidence.corpus->replays;
  AddFailures(JudgeEnvelope(about_corpus), result);
  AddFailures(JudgeRequirements(about_corpus), result);
  for (const Replay& replay : evidence.corpus->replays) {
    if (replay.status.ok()) {
      JudgeAgreement(replay, evidence, result);
    } else {
      v1::Finding& finding = *result.add_findings();
      finding.set_scenario("corpus/" + replay.id());
      finding.set_message(std::string(replay.status.message()));
    }
  }
}

// How many clips the findings are about.
template <class Findings>
size_t Clips(const Findings& findings) {
  std::vector<std::string> names;
  for (const v1::Finding& finding : findings) names.push_back(finding.scenario());
  std::sort(names.begin(), names.end());
  return static_cast<size_t>(std::unique(names.begin(), names.end()) - names.begin());
}

}  // namespace

v1::GateResult JudgeRegression(const Evidence& evidence) {
  v1::GateResult result;
  const CorpusCheck& corpus = *evidence.corpus;
  AddReplays(evidence, result);
  const size_t failing = Clips(result.findings());
  for (const v1::Finding& finding : corpus.missing) *result.add_findings() = finding;
  for (const v1::Finding& finding : corpus.unlocked) *result.add_findings() = finding;
  const size_t wrong = Clips(result.findings());
  DecideByCount({.n = corpus.scenarios.size(), .wrong = wrong}, result);
  if (wrong > 0) {
    result.set_outcome(v1::FAIL);
    result.set_summary(
        absl::StrFormat("corpus of %s: %d failing, %d missing or changed, %d not locked",
                        agent::base::Counted(corpus.scenarios.size(), "clip"), failing,
                        Clips(corpus.missing), Clips(corpus.unlocked)));
  } else if (corpus.replays.size() != corpus.scenarios.size()) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary("nothing was replayed: " + evidence.not_replayed);
  } else if (corpus.scenarios.empty()) {
    result.set_outcome(v1::PASS);  // a team begins with none, and the history below keeps it honest
    result.set_summary("the corpus is empty yet");
  } else {
    result.set_outcome(v1::PASS);
    result.set_summary(absl::StrFormat("corpus of %s: none failing",
                                       agent::base::Counted(corpus.scenarios.size(), "clip")));
  }
  if (corpus.no_history.empty() || result.outcome() != v1::PASS) return result;
  if (!corpus.pinned) {
    result.set_summary(result.summary() + "; whether it only grew nobody can tell");
    return result;
  }
  // A repository promises a corpus that only grows: where that cannot be seen it is no evidence.
  result.set_outcome(v1::INSUFFICIENT);
  result.set_summary("whether the corpus only grew cannot be told: " + corpus.no_history);
  return result;
}

}  // namespace gatekeeper::gates
