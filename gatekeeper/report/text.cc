#include "gatekeeper/report/text.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/message.h"

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

// Every string of the message and of those in it, whatever their names.
void CleanMessage(google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
        CleanMessage(field->is_repeated() ? *reflection.MutableRepeatedMessage(&message, field, i)
                                          : *reflection.MutableMessage(&message, field));
      } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
        if (field->is_repeated()) {
          reflection.SetRepeatedString(&message, field, i,
                                       Clean(reflection.GetRepeatedString(message, field, i)));
        } else {
          reflection.SetString(&message, field, Clean(reflection.GetString(message, field)));
        }
      }
    }
  }
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
    } else if (gate.waived()) {
      ++counts.waived;
    } else if (gate.outcome() == v1::FAIL) {
      ++counts.fail;
    } else {
      ++counts.insufficient;
    }
  }
  return counts;
}

std::string CountText(const v1::GateReport& report) {
  const GateCounts counts = Count(report);
  std::string text = absl::StrFormat("of %d gates %d held, %d failed, %d had too little evidence",
                                     counts.total(), counts.pass, counts.fail, counts.insufficient);
  if (counts.waived > 0) text += absl::StrFormat(", %d waived", counts.waived);
  return text;
}

std::vector<const v1::GateResult*> WorstFirst(const v1::GateReport& report) {
  std::vector<const v1::GateResult*> gates;
  for (const v1::GateOutcome outcome :
       {v1::FAIL, v1::INSUFFICIENT, v1::GATE_OUTCOME_UNSPECIFIED, v1::PASS}) {
    for (const v1::GateResult& gate : report.gates()) {
      if (gate.outcome() == outcome) gates.push_back(&gate);
    }
  }
  return gates;
}

v1::GateReport Cleaned(const v1::GateReport& report) {
  v1::GateReport clean = report;
  CleanMessage(clean);
  return clean;
}

std::vector<std::string> Remarks(const v1::GateReport& report) {
  std::vector<std::string> remarks;
  const v1::GatePlan& plan = report.plan();
  if (!plan.policy_commit().empty()) {
    remarks.push_back(absl::StrFormat("The suite is %s's at commit %s.", plan.policy_repository(),
                                      plan.policy_commit().substr(0, 12)));
  } else if (!plan.sha256().empty()) {
    remarks.push_back(
        absl::StrFormat("The suite is the plain file %s, of no policy repository: whoever wrote "
                        "the release may have written it too.",
                        plan.suite_path()));
  }
  if (plan.attempt() > 0) {
    remarks.push_back(
        absl::StrFormat("Attempt %d of this unit under this suite; %d earlier ones did not hold.",
                        plan.attempt(), plan.attempts_failed()));
  }
  if (plan.failed_since_pass() > 0) {
    remarks.push_back(absl::StrFormat(
        "%d attempt%s with %s, in any version, did not hold under this suite since one passed.",
        plan.failed_since_pass(), plan.failed_since_pass() == 1 ? "" : "s", report.unit_name()));
  }
  if (plan.attempt() == 0 && !plan.sha256().empty()) {
    remarks.emplace_back("Nobody counts attempts: there is no gatekeeper's home here.");
  }
  if (!report.deployed_digest().empty()) {
    remarks.push_back(
        absl::StrFormat("Compared with sha256:%s.", report.deployed_digest().substr(0, 12)));
  }
  for (const v1::Waiver& waiver : report.waivers()) {
    remarks.push_back(absl::StrFormat(
        "Gate %s is waived until %s: %s (asked for by %s, approved by %s).", waiver.gate(),
        waiver.expires(), waiver.reason(), waiver.requested_by(), waiver.approved_by()));
  }
  if (report.not_planned_size() > 0) {
    remarks.push_back(
        absl::StrFormat("Not part of this suite: %s.", absl::StrJoin(report.not_planned(), ", ")));
  }
  if (report.replays().reused() > 0) {
    remarks.push_back(absl::StrFormat("%d replays were run, %d kept from earlier runs.",
                                      report.replays().run(), report.replays().reused()));
  }
  if (report.replays().shards() > 0) {
    remarks.push_back(absl::StrFormat("Merged from %d shards.", report.replays().shards()));
  }
  return remarks;
}

std::string ResultText(const v1::GateResult& gate) {
  return absl::StrFormat("%s%s", OutcomeName(gate.outcome()), gate.waived() ? ", waived" : "");
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
