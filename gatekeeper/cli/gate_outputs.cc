#include "gatekeeper/cli/gate_outputs.h"

#include <cstdio>

#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::cli {
namespace {

constexpr char kShard[] = "shard";

absl::Status SealUnit(const gates::GatePass& pass, const seal::SealKeys& keys) {
  ASSIGN_OR_RETURN(const auto sealed, seal::Seal(pass, keys, agent::base::SystemClock().WallMs()));
  std::fprintf(stderr, "sealed: %s@%s sha256:%s\n", sealed.manifest().name().c_str(),
               sealed.manifest().version().c_str(), sealed.digest().hex().c_str());
  return absl::OkStatus();
}

ExitCode Verdict(v1::GateOutcome outcome) {
  if (outcome == v1::PASS) return ExitCode::kOk;
  return outcome == v1::FAIL ? ExitCode::kGateFailed : ExitCode::kInsufficient;
}

}  // namespace

absl::StatusOr<GateOutputs> ParseGateOutputs(const std::vector<std::string>& texts) {
  GateOutputs outputs;
  int on_stdout = 0;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string file = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (text.substr(0, equals) == kShard) {
      if (file.empty() || !outputs.shard.empty())
        return absl::InvalidArgumentError("a shard goes to one file: -o shard=FILE");
      outputs.shard = file;
      continue;
    }
    GateOutputs::Report output{};
    ASSIGN_OR_RETURN(output.format, report::ParseReportFormat(text.substr(0, equals)));
    output.file = file;
    if (output.file.empty() && ++on_stdout > 1) {
      return absl::InvalidArgumentError(
          "only one report can go to standard output; give the others a file: -o junit=FILE");
    }
    outputs.reports.push_back(output);
  }
  if (on_stdout == 0 && outputs.shard.empty())
    outputs.reports.push_back({report::ReportFormat::kTable, ""});
  return outputs;
}

absl::Status WriteReports(const GateOutputs& outputs, const v1::GateReport& report,
                          report::Place place) {
  agent::base::OsFiles files;
  for (const GateOutputs::Report& output : outputs.reports) {
    place.file = output.file;
    const std::string text = report::WriteReport(output.format, report, place);
    if (output.file.empty()) {
      std::fputs(text.c_str(), stdout);
    } else {
      RETURN_IF_ERROR(files.WriteDurably(output.file, text, 0644));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Conclude(const gates::GateRun& run,
                                  const std::optional<seal::SealKeys>& keys) {
  if (run.pass && keys) RETURN_IF_ERROR(SealUnit(*run.pass, *keys));
  return Verdict(run.report.outcome());
}

}  // namespace gatekeeper::cli
