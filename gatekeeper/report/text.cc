#include "gatekeeper/report/text.h"

#include "absl/strings/str_format.h"

namespace gatekeeper::report {
namespace {

// Length of the valid UTF-8 sequence at the start of `text` (RFC 3629), 0 when there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
  if (first == 0xED && byte(1) >= 0xA0) return 0;  // surrogates
  if (first == 0xF0 && byte(1) < 0x90) return 0;   // overlong
  if (first == 0xF4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
  // C1 controls and the two non-characters that XML forbids.
  if (first == 0xC2 && byte(1) < 0xA0) return 0;
  if (first == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 0;
  return length;
}

std::string Clean(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.substr(i));
    const auto c = static_cast<unsigned char>(text[i]);
    const bool control = c < 0x20 || c == 0x7F;
    if (length == 0 || (control && c != '\n')) {
      out += absl::StrFormat("\\x%02x", c);
      ++i;
    } else if (control) {
      out += ' ';
      ++i;
    } else {
      out += std::string(text.substr(i, length));
      i += length;
    }
  }
  return out;
}

void CleanFinding(v1::Finding& finding) {
  finding.set_scenario(Clean(finding.scenario()));
  finding.set_segment(Clean(finding.segment()));
  finding.set_message(Clean(finding.message()));
  finding.set_file(Clean(finding.file()));
  finding.set_clip(Clean(finding.clip()));
}

}  // namespace

const char* OutcomeName(v1::GateOutcome outcome) {
  switch (outcome) {
    case v1::PASS:
      return "PASS";
    case v1::FAIL:
      return "FAIL";
    default:
      return "INSUFFICIENT";  // what is unknown has not been shown
  }
}

GateCounts Count(const v1::GateReport& report) {
  GateCounts counts;
  for (const v1::GateResult& gate : report.gates()) {
    if (gate.outcome() == v1::PASS) {
      ++counts.pass;
    } else if (gate.outcome() == v1::FAIL) {
      ++counts.fail;
    } else {
      ++counts.insufficient;
    }
  }
  return counts;
}

v1::GateReport Cleaned(const v1::GateReport& report) {
  v1::GateReport clean = report;
  clean.set_unit_name(Clean(report.unit_name()));
  clean.set_unit_version(Clean(report.unit_version()));
  clean.set_unit_digest(Clean(report.unit_digest()));
  clean.set_suite_id(Clean(report.suite_id()));
  clean.set_suite_sha256(Clean(report.suite_sha256()));
  clean.set_engine(Clean(report.engine()));
  for (v1::InputRef& input : *clean.mutable_inputs()) {
    input.set_id(Clean(input.id()));
    input.set_sha256(Clean(input.sha256()));
  }
  for (v1::GateResult& gate : *clean.mutable_gates()) {
    gate.set_id(Clean(gate.id()));
    gate.set_summary(Clean(gate.summary()));
    for (v1::Finding& finding : *gate.mutable_findings()) CleanFinding(finding);
  }
  return clean;
}

std::string FindingText(const v1::Finding& finding) {
  std::string text;
  if (!finding.file().empty()) {
    text = finding.line() > 0 ? absl::StrFormat("%s:%d: ", finding.file(), finding.line())
                              : absl::StrFormat("%s: ", finding.file());
  } else if (!finding.scenario().empty()) {
    text = absl::StrFormat("%s at %.2f s", finding.scenario(), finding.at_s());
    if (!finding.segment().empty()) text += absl::StrFormat(" [%s]", finding.segment());
    text += ": ";
  }
  text += finding.message();
  if (!finding.clip().empty()) text += absl::StrFormat(" (clip %s)", finding.clip());
  return text;
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string EscapeMarkdown(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*_{}[]()#+!|~$@";
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      if (kSpecial.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string Shortened(const std::string& text, size_t cap) {
  if (text.size() <= cap) return text;
  size_t end = cap > 3 ? cap - 3 : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace gatekeeper::report
