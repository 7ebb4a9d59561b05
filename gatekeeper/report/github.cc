#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/report/text.h"

// Workflow commands that GitHub turns into annotations. It keeps ten of a kind a step and drops the
// rest without a word: the worst come first, and the last place says how many are left out.

namespace gatekeeper::report {
namespace {

constexpr size_t kMaxOfAKind = 10;

std::string EscapeData(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '%') {
      out += "%25";
    } else if (c == '\r') {
      out += "%0D";
    } else if (c == '\n') {
      out += "%0A";
    } else {
      out += c;
    }
  }
  return out;
}

std::string EscapeProperty(const std::string& text) {
  std::string out;
  for (const char c : EscapeData(text)) {
    if (c == ':') {
      out += "%3A";
    } else if (c == ',') {
      out += "%2C";
    } else {
      out += c;
    }
  }
  return out;
}

// `file` is empty for what stands at no file of the checkout: the words name it then.
std::string Annotation(const char* kind, const v1::GateResult& gate, const v1::Finding& finding,
                       const std::string& file) {
  std::string out = absl::StrFormat("::%s ", kind);
  if (!file.empty()) {
    out += absl::StrFormat("file=%s,", EscapeProperty(file));
    if (finding.line() > 0) out += absl::StrFormat("line=%d,", finding.line());
  }
  return out + absl::StrFormat("title=%s::%s\n", EscapeProperty("gate " + gate.id()),
                               EscapeData(Shortened(FindingText(finding), kMaxMessage)));
}

std::vector<std::string> OfKind(const v1::GateReport& report, const char* kind, bool failed,
                                const Place& place) {
  std::vector<std::string> lines;
  std::vector<std::string> details;  // after every gate has said its one sentence
  for (const v1::GateResult& gate : report.gates()) {
    if (gate.outcome() == v1::PASS) continue;
    if ((gate.outcome() == v1::FAIL && !gate.waived()) != failed) continue;
    v1::Finding whole;
    whole.set_message(gate.summary());
    lines.push_back(Annotation(kind, gate, whole, ""));
    for (const v1::Finding& finding : gate.findings()) {
      const SourceFile file = FileOf(report, gate, finding, place);
      details.push_back(Annotation(kind, gate, finding, PathInCheckout(file, place)));
    }
  }
  lines.insert(lines.end(), details.begin(), details.end());
  if (lines.size() <= kMaxOfAKind) return lines;
  const size_t hidden = lines.size() - (kMaxOfAKind - 1);
  lines.resize(kMaxOfAKind - 1);
  lines.push_back(absl::StrFormat(
      "::%s title=gates::and %d more: the other reports of this run hold all of them\n", kind,
      hidden));
  return lines;
}

}  // namespace

std::string GithubReport(const v1::GateReport& report, const Place& place) {
  std::string out;
  for (const std::string& line : OfKind(report, "error", true, place)) out += line;
  for (const std::string& line : OfKind(report, "warning", false, place)) out += line;
  if (report.outcome() != v1::PASS) return out;
  const GateCounts counts = Count(report);
  return out + absl::StrFormat("::notice title=gates::PASS: of %d gates %d held\n", counts.total(),
                               counts.pass);
}

}  // namespace gatekeeper::report
