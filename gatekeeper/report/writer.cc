#include "gatekeeper/report/writer.h"

#include "absl/strings/str_format.h"
#include "gatekeeper/report/text.h"

namespace gatekeeper::report {

absl::StatusOr<ReportFormat> ParseReportFormat(std::string_view name) {
  if (name == "table") return ReportFormat::kTable;
  if (name == "json") return ReportFormat::kJson;
  if (name == "junit") return ReportFormat::kJUnit;
  if (name == "markdown") return ReportFormat::kMarkdown;
  if (name == "sarif") return ReportFormat::kSarif;
  if (name == "github") return ReportFormat::kGithub;
  if (name == "html") return ReportFormat::kHtml;
  return absl::InvalidArgumentError(absl::StrFormat(
      "no report format \"%s\"; there are table, json, junit, markdown, sarif, github and html",
      name));
}

std::string WriteReport(ReportFormat format, const v1::GateReport& report, const Place& place) {
  const v1::GateReport clean = Cleaned(report);
  switch (format) {
    case ReportFormat::kTable:
      return TableReport(clean);
    case ReportFormat::kJson:
      return JsonReport(clean);
    case ReportFormat::kJUnit:
      return JUnitReport(clean);
    case ReportFormat::kMarkdown:
      return MarkdownReport(clean);
    case ReportFormat::kSarif:
      return SarifReport(clean, place);
    case ReportFormat::kGithub:
      return GithubReport(clean, place);
    case ReportFormat::kHtml:
      return HtmlReport(clean, place);
  }
  return {};
}

}  // namespace gatekeeper::report
