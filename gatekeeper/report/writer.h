#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gatekeeper/report/place.h"
#include "proto/gates.pb.h"

namespace gatekeeper::report {

enum class ReportFormat {
  kTable,     // for a terminal
  kJson,      // protobuf's JSON of GateReport, with the field names of proto/gates.proto
  kJUnit,     // for GitLab, Jenkins and others; INSUFFICIENT is a failure there, too
  kMarkdown,  // a step summary: under 900 KB, cut at section borders
  kSarif,     // for code scanning: at most 5,000 results, the worst gates first; each at a file
  kGithub,    // workflow commands: at most ten errors and ten warnings
  kHtml,      // one self-contained page with pictures
};

// "table", "json", "junit", "markdown", "sarif", "github" or "html"; kInvalidArgument lists them
// otherwise.
absl::StatusOr<ReportFormat> ParseReportFormat(std::string_view name);

// One report, the same counts in every shape. Text from outside (scenario names, messages) is
// escaped.
std::string WriteReport(ReportFormat format, const v1::GateReport& report, const Place& place = {});

}  // namespace gatekeeper::report
