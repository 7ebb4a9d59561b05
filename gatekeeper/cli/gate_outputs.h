#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/report/writer.h"
#include "gatekeeper/seal/seal.h"

namespace gatekeeper::cli {

// Where a gate run's findings go.
struct GateOutputs {
  struct Report {
    report::ReportFormat format;
    std::string file;  // empty: standard output
  };
  std::vector<Report> reports;
  std::string shard;  // file of "-o shard=FILE"; empty: none
};

// "json=report.json", "shard=FILE", or "table" for standard output; at most one may go there, and
// the table does when none is named.
absl::StatusOr<GateOutputs> ParseGateOutputs(const std::vector<std::string>& texts);
absl::Status WriteReports(const GateOutputs& outputs, const v1::GateReport& report,
                          report::Place place);

// Seals what passed, when there are keys, and says what a script shall see.
absl::StatusOr<ExitCode> Conclude(const gates::GateRun& run,
                                  const std::optional<seal::SealKeys>& keys);

}  // namespace gatekeeper::cli
