#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gatekeeper/report/place.h"
#include "proto/gates.pb.h"

namespace gatekeeper::report {

const char* OutcomeName(v1::GateOutcome outcome);  // "PASS", "FAIL", "INSUFFICIENT"

// How many gates ended how; the one place that counts, so that all reports agree.
struct GateCounts {
  int pass = 0;
  int fail = 0;
  int insufficient = 0;
  int waived = 0;  // do not hold, and somebody answers for it; not counted above
  int total() const { return pass + fail + insufficient + waived; }
};
GateCounts Count(const v1::GateReport& report);
// "of 11 gates 9 held, 1 failed, 1 had too little evidence", and how many were waived if any.
std::string CountText(const v1::GateReport& report);

// Gates that failed first, then those with too little evidence, then those that held; else in
// order.
std::vector<const v1::GateResult*> WorstFirst(const v1::GateReport& report);

// A copy in which every string is valid UTF-8 without control characters (they are shown as \xNN).
v1::GateReport Cleaned(const v1::GateReport& report);

// One sentence each on what a reader must know beside the gates: which attempt this is, where the
// suite came from, who waived what, what the suite leaves out, what was not run anew.
std::vector<std::string> Remarks(const v1::GateReport& report);

// "PASS", "FAIL, waived", ...
std::string ResultText(const v1::GateResult& gate);

// "dusty_07 at 12.35 s [dusty]: message" with what is known of it; file:line for static findings.
std::string FindingText(const v1::Finding& finding);
inline constexpr size_t kMaxMessage = 1000;  // bytes of it where a service shows it

std::string EscapeXml(std::string_view text);
std::string EscapeMarkdown(std::string_view text);  // also fits into a table cell
// At most `cap` bytes, cut between characters, with "..." at the end when it was cut.
std::string Shortened(const std::string& text, size_t cap);

// The shapes; `report` has been through Cleaned.
std::string TableReport(const v1::GateReport& report);
std::string JsonReport(const v1::GateReport& report);
std::string JUnitReport(const v1::GateReport& report);
std::string MarkdownReport(const v1::GateReport& report);
std::string SarifReport(const v1::GateReport& report, const Place& place);
std::string GithubReport(const v1::GateReport& report, const Place& place);
std::string HtmlReport(const v1::GateReport& report, const Place& place);

}  // namespace gatekeeper::report
