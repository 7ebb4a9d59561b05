#include "absl/strings/str_format.h"
#include "gatekeeper/report/text.h"

namespace gatekeeper::report {
namespace {

constexpr int kMaxFindingLines = 10;  // of one gate; the other formats hold all

std::string FindingLines(const v1::GateResult& gate) {
  std::string out;
  for (int i = 0; i < gate.findings_size() && i < kMaxFindingLines; ++i) {
    out += absl::StrFormat("    %s\n", Shortened(FindingText(gate.findings(i)), 400));
  }
  if (gate.findings_size() > kMaxFindingLines) {
    out += absl::StrFormat("    and %d more\n", gate.findings_size() - kMaxFindingLines);
  }
  return out;
}

}  // namespace

std::string TableReport(const v1::GateReport& report) {
  std::string out =
      absl::StrFormat("unit    %s@%s  sha256:%s\nsuite   %s  sha256:%s\nengine  %s\n\n",
                      report.unit_name(), report.unit_version(), report.unit_digest().substr(0, 12),
                      report.suite_id(), report.suite_sha256().substr(0, 12), report.engine());
  out += absl::StrFormat("%-16s %-13s %s\n", "GATE", "RESULT", "WHAT DECIDED");
  for (const v1::GateResult& gate : report.gates()) {
    out += absl::StrFormat("%-16s %-13s %s\n", gate.id(), ResultText(gate),
                           Shortened(gate.summary(), 400));
    out += FindingLines(gate);
  }
  out += absl::StrFormat(
      "\n%d scenarios, %d ticks, mean score %.3f (for people; it decides nothing)\n",
      report.scenarios(), report.ticks(), report.mean_score());
  for (const std::string& remark : Remarks(report)) out += Shortened(remark, 400) + "\n";
  out += absl::StrFormat("%s: %s\n", OutcomeName(report.outcome()), CountText(report));
  return out;
}

}  // namespace gatekeeper::report
