#include "absl/strings/str_format.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

constexpr uint64_t kDocuments = 3;  // control policy, fallback rules, model card

}  // namespace

v1::GateResult JudgeStaticPolicy(const Evidence& evidence) {
  v1::GateResult result;
  for (const bundle::Diagnostic& diagnostic : evidence.diagnostics) {
    v1::Finding& finding = *result.add_findings();
    finding.set_file(diagnostic.file);
    finding.set_line(static_cast<uint32_t>(diagnostic.line > 0 ? diagnostic.line : 0));
    finding.set_message(absl::StrFormat("%s: %s", diagnostic.rule, diagnostic.message));
  }
  DecideByCount({.n = kDocuments, .wrong = static_cast<uint64_t>(result.findings_size())}, result);
  result.set_outcome(result.findings_size() == 0 ? v1::PASS : v1::FAIL);
  result.set_summary(result.findings_size() == 0
                         ? "control policy, fallback rules and model card break no rule"
                         : absl::StrFormat("broken rules: %d", result.findings_size()));
  if (!evidence.at_site && result.outcome() == v1::PASS) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary(absl::StrFormat("%s; name it in the suite (site: FILE)", bundle::kNoSite));
  }
  return result;
}

}  // namespace gatekeeper::gates
