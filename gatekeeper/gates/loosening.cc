#include "absl/strings/str_format.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

// S16: a unit may tighten by itself what robots obey today; what it allows beyond that wants a
// second pair of eyes. Their word is a waiver of this gate in the policy repository: it names the
// unit, two people and a last day.

namespace gatekeeper::gates {

v1::GateResult JudgeLoosening(const Evidence& evidence) {
  v1::GateResult result;
  if (!evidence.deployed.has_value()) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary(
        evidence.against.empty()
            ? "nobody named the unit that drives today: give it with --against FOLDER, so that "
              "what this one allows beyond it can be told"
            : absl::StrFormat("what this unit allows beyond the one in %s was not compared: %s",
                              evidence.against, evidence.not_replayed));
    return result;
  }
  for (const bundle::RuleChange& change : evidence.deployed->looser) {
    v1::Finding& finding = *result.add_findings();
    finding.set_message(absl::StrFormat("S16: %s: %s was %s, is %s", change.document, change.path,
                                        change.before, change.after));
  }
  const int looser = result.findings_size();
  const auto rules = static_cast<uint64_t>(looser);
  DecideByCount({.n = rules, .wrong = rules}, result);
  result.set_outcome(looser == 0 ? v1::PASS : v1::FAIL);
  result.set_summary(
      looser == 0 ? absl::StrFormat("no rule is looser than in %s", evidence.deployed->label)
                  : absl::StrFormat(
                        "%d rule%s looser than in %s; a second person must say so in a waiver of "
                        "this gate",
                        looser, looser == 1 ? " is" : "s are", evidence.deployed->label));
  return result;
}

}  // namespace gatekeeper::gates
