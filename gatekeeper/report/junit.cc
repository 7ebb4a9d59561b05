#include "absl/strings/str_format.h"
#include "gatekeeper/report/text.h"

// The Jenkins/GitLab dialect. Text stands only inside <failure> and <system-out>: one stray text
// node elsewhere makes GitLab drop the whole file.

namespace gatekeeper::report {
namespace {

constexpr size_t kMaxBody =
    64 * 1024;  // a file may have 30 MB on GitLab, and one gate need not fill it

std::string FindingBody(const v1::GateResult& gate) {
  std::string body;
  for (int i = 0; i < gate.findings_size(); ++i) {
    const std::string line = EscapeXml(FindingText(gate.findings(i))) + "\n";
    if (body.size() + line.size() > kMaxBody) {
      return body + absl::StrFormat("and %d more\n", gate.findings_size() - i);
    }
    body += line;
  }
  return body;
}

std::string TestCase(const v1::GateResult& gate) {
  const std::string head = absl::StrFormat(
      "    <testcase classname=\"gatekeeper.gates\" name=\"%s\"", EscapeXml(gate.id()));
  std::string body = FindingBody(gate);
  if (gate.waived()) body = EscapeXml(ResultText(gate) + ": " + gate.summary()) + "\n" + body;
  if (gate.outcome() != v1::PASS && !gate.waived()) {
    return absl::StrFormat(
        "%s>\n      <failure type=\"%s\" message=\"%s\">%s</failure>\n    </testcase>\n", head,
        OutcomeName(gate.outcome()), EscapeXml(gate.summary()), body);
  }
  if (body.empty()) return head + "/>\n";
  return absl::StrFormat("%s>\n      <system-out>%s</system-out>\n    </testcase>\n", head, body);
}

std::string Property(const char* name, const std::string& value) {
  return absl::StrFormat("      <property name=\"%s\" value=\"%s\"/>\n", name, EscapeXml(value));
}

}  // namespace

std::string JUnitReport(const v1::GateReport& report) {
  const GateCounts counts = Count(report);
  const std::string numbers =
      absl::StrFormat("tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"0\"", counts.total(),
                      counts.fail + counts.insufficient);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += absl::StrFormat("<testsuites %s>\n  <testsuite name=\"gates of %s@%s\" %s>\n", numbers,
                         EscapeXml(report.unit_name()), EscapeXml(report.unit_version()), numbers);
  out += "    <properties>\n";
  out += Property("outcome", OutcomeName(report.outcome()));
  out += Property("unit_sha256", report.unit_digest());
  out += Property("suite", report.suite_id());
  out += Property("suite_sha256", report.suite_sha256());
  out += Property("engine", report.engine());
  out += Property("scenarios", absl::StrFormat("%d", report.scenarios()));
  out += Property("ticks", absl::StrFormat("%d", report.ticks()));
  out += Property("mean_score", absl::StrFormat("%.3f", report.mean_score()));
  out += "    </properties>\n";
  for (const v1::GateResult& gate : report.gates()) out += TestCase(gate);
  return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace gatekeeper::report
