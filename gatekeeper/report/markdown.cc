#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/report/text.h"

// For GitHub's step summary, which loses everything when it is larger than 1 MiB.

namespace gatekeeper::report {
namespace {

constexpr size_t kBudget = 900 * 1000;  // bytes
constexpr int kMaxRows = 100;           // of one gate
constexpr size_t kMaxCell = 1000;       // bytes before escaping, which at most doubles most text

std::string Cell(const std::string& text) { return EscapeMarkdown(Shortened(text, kMaxCell)); }

std::string Head(const v1::GateReport& report) {
  std::string out = absl::StrFormat("## %s: %s@%s\n\n", OutcomeName(report.outcome()),
                                    Cell(report.unit_name()), Cell(report.unit_version()));
  out += Cell(absl::StrFormat("O%s. ", CountText(report).substr(1)));
  out += absl::StrFormat(
      "%d scenarios, %d ticks, mean score %.3f (for people; it decides nothing).\n\n",
      report.scenarios(), report.ticks(), report.mean_score());
  out += absl::StrFormat("Unit sha256 %s, suite %s sha256 %s, engine %s.\n\n",
                         Cell(report.unit_digest()), Cell(report.suite_id()),
                         Cell(report.suite_sha256()), Cell(report.engine()));
  for (const std::string& remark : Remarks(report)) out += Cell(remark) + "\n\n";
  out += "| gate | result | what decided |\n|---|---|---|\n";
  for (const v1::GateResult& gate : report.gates()) {
    out += absl::StrFormat("| %s | %s | %s |\n", Cell(gate.id()), ResultText(gate),
                           Cell(gate.summary()));
  }
  return out;
}

std::string Where(const v1::Finding& finding) {
  if (!finding.file().empty())
    return Cell(absl::StrFormat("%s:%d", finding.file(), finding.line()));
  return Cell(finding.scenario());
}

std::string Section(const v1::GateResult& gate) {
  std::string out =
      absl::StrFormat("\n### %s: %s\n\n", Cell(gate.id()), OutcomeName(gate.outcome()));
  out += "| where | second | segment | finding | clip |\n|---|---|---|---|---|\n";
  for (int i = 0; i < gate.findings_size() && i < kMaxRows; ++i) {
    const v1::Finding& finding = gate.findings(i);
    const std::string second =
        finding.scenario().empty() ? "" : absl::StrFormat("%.2f", finding.at_s());
    out += absl::StrFormat("| %s | %s | %s | %s | %s |\n", Where(finding), second,
                           Cell(finding.segment()), Cell(finding.message()), Cell(finding.clip()));
  }
  if (gate.findings_size() > kMaxRows) {
    out += absl::StrFormat("\nand %d more\n", gate.findings_size() - kMaxRows);
  }
  return out;
}

}  // namespace

std::string MarkdownReport(const v1::GateReport& report) {
  constexpr size_t kRoomForNote = 200;
  std::string out = Head(report);
  size_t left_off = 0;
  for (const v1::GateResult* gate : WorstFirst(report)) {
    if (gate->findings_size() == 0) continue;
    const std::string section = Section(*gate);
    if (out.size() + section.size() + kRoomForNote > kBudget) {
      ++left_off;
    } else {
      out += section;
    }
  }
  if (left_off > 0) {
    out += absl::StrFormat(
        "\nThe findings of %d gates are too long for this page; the JSON report has them.\n",
        left_off);
  }
  return out;
}

}  // namespace gatekeeper::report
