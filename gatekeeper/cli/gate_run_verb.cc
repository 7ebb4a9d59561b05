#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/str_format.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/gate_source.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/report/writer.h"
#include "gatekeeper/seal/seal.h"

namespace gatekeeper::cli {
namespace {

struct RunArguments {
  std::string unit;
  std::vector<std::string> outputs;
  GateSource source;
  gates::SuiteInput input;
};

struct Output {
  report::ReportFormat format;
  std::string file;  // empty: standard output
};

// "json=report.json", or "table" for standard output; at most one may go there.
absl::StatusOr<std::vector<Output>> ParseOutputs(const std::vector<std::string>& texts) {
  std::vector<Output> outputs;
  int on_stdout = 0;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    Output output{};
    ASSIGN_OR_RETURN(output.format, report::ParseReportFormat(text.substr(0, equals)));
    if (equals != std::string::npos) output.file = text.substr(equals + 1);
    if (output.file.empty() && ++on_stdout > 1) {
      return absl::InvalidArgumentError(
          "only one report can go to standard output; give the others a file: -o junit=FILE");
    }
    outputs.push_back(output);
  }
  if (on_stdout == 0) outputs.push_back({report::ReportFormat::kTable, ""});
  return outputs;
}

absl::Status WriteOutputs(const std::vector<Output>& outputs, const v1::GateReport& report) {
  agent::base::OsFiles files;
  for (const Output& output : outputs) {
    const std::string text = report::WriteReport(output.format, report);
    if (output.file.empty()) {
      std::fputs(text.c_str(), stdout);
    } else {
      RETURN_IF_ERROR(files.WriteDurably(output.file, text, 0644));
    }
  }
  return absl::OkStatus();
}

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

absl::StatusOr<ExitCode> Run(RunArguments arguments, const Session& session) {
  ASSIGN_OR_RETURN(const std::vector<Output> outputs, ParseOutputs(arguments.outputs));
  std::optional<seal::SealKeys> keys;  // before the gates run: a missing key should not cost a run
  if (arguments.source.for_seal) {
    ASSIGN_OR_RETURN(keys, seal::LoadSealKeys(session.home));
  }
  ASSIGN_OR_RETURN(const auto unit, bundle::UngatedUnit::Open(arguments.unit));
  ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
  RETURN_IF_ERROR(ReadSource(arguments.source, session.home, scratch, arguments.input));
  std::error_code error;
  const gates::AttemptLog attempts(session.home + "/attempts.log");
  if (std::filesystem::is_directory(session.home, error)) arguments.input.attempts = &attempts;
  ASSIGN_OR_RETURN(const gates::GateRun run, gates::RunSuite(unit, arguments.input));
  RETURN_IF_ERROR(WriteOutputs(outputs, run.report));
  if (run.pass && keys) RETURN_IF_ERROR(SealUnit(*run.pass, *keys));
  return Verdict(run.report.outcome());
}

}  // namespace

void AddGateRunVerb(CLI::App& gate, Session& session) {
  auto arguments = std::make_shared<RunArguments>();
  arguments->input.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App* run = gate.add_subcommand("run", "replay the scenarios through the unit and judge it");
  run->add_option("UNIT", arguments->unit, "unit folder")->required();
  AddSourceOptions(*run, arguments->source);
  run->add_option("-o,--output", arguments->outputs,
                  "table, json, junit, markdown, sarif, github or html; FORMAT=FILE writes a file "
                  "(repeatable)");
  run->add_option("--against", arguments->input.against,
                  "folder of the unit that drives today: the new one must be as good on every "
                  "segment (suite section non_inferiority)");
  run->add_option("--clips", arguments->input.clips_folder,
                  "folder for counterexample clips of gates that fail");
  run->add_option("--threads", arguments->input.threads)->check(CLI::Range(1, 256));
  run->add_option("--onnxruntime", arguments->input.library_path, "libonnxruntime.so.1");
  run->add_flag("--sign", arguments->source.for_seal,
                "seal the unit with the home's keys if every gate holds");
  run->callback([arguments, &session] {
    const auto verdict = Run(*arguments, session);
    session.exit_code = verdict.ok() ? static_cast<int>(*verdict) : Report(verdict.status());
  });
}

}  // namespace gatekeeper::cli
