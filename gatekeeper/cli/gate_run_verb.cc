#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/gate_outputs.h"
#include "gatekeeper/cli/gate_progress.h"
#include "gatekeeper/cli/gate_source.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/seal/seal.h"

namespace gatekeeper::cli {
namespace {

struct RunArguments {
  std::string unit;
  std::vector<std::string> outputs;
  std::string part;                 // "i/n" of --shard; empty: the whole library
  std::vector<std::string> shards;  // of a merge
  GateSource source;
  gates::SuiteInput input;
};

// A part is evidence for a merge and nothing else.
absl::Status CheckPart(const RunArguments& arguments, const GateOutputs& outputs) {
  if (arguments.part.empty() && outputs.shard.empty()) return absl::OkStatus();
  if (arguments.part.empty() || outputs.shard.empty())
    return absl::InvalidArgumentError("--shard i/n and -o shard=FILE belong together");
  if (!outputs.reports.empty() || arguments.source.for_seal ||
      !arguments.input.clips_folder.empty()) {
    return absl::InvalidArgumentError(
        "a shard is judged when it is merged: give reports, --clips and --sign to `gate merge`");
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunPart(const bundle::UngatedUnit& unit, const RunArguments& arguments,
                                 const std::string& file) {
  ASSIGN_OR_RETURN(const gates::Part part, gates::Part::Parse(arguments.part));
  ASSIGN_OR_RETURN(const gates::ShardRun run, gates::RunShard(unit, arguments.input, part, file));
  std::fprintf(stderr, "shard %s: %zu scenarios, %u replays made, %u taken over\n",
               arguments.part.c_str(), run.scenarios, run.run, run.reused);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(RunArguments arguments, const Session& session) {
  ASSIGN_OR_RETURN(const GateOutputs outputs, ParseGateOutputs(arguments.outputs));
  RETURN_IF_ERROR(CheckPart(arguments, outputs));
  std::optional<seal::SealKeys> keys;  // before the gates run: a missing key should not cost a run
  if (arguments.source.for_seal) {
    ASSIGN_OR_RETURN(keys, seal::LoadSealKeys(session.home));
  }
  ASSIGN_OR_RETURN(const auto unit, bundle::UngatedUnit::Open(arguments.unit));
  ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
  RETURN_IF_ERROR(ReadSource(arguments.source, session.home, scratch, arguments.input));
  GateProgress progress;
  arguments.input.tell = [&progress](const gates::FarmProgress& now) { progress.Tell(now); };
  if (!arguments.part.empty()) return RunPart(unit, arguments, outputs.shard);
  std::error_code error;
  const gates::AttemptLog attempts(session.home + "/attempts.log");
  if (std::filesystem::is_directory(session.home, error)) arguments.input.attempts = &attempts;
  ASSIGN_OR_RETURN(const gates::GateRun run,
                   arguments.shards.empty()
                       ? gates::RunSuite(unit, arguments.input)
                       : gates::MergeShards(unit, arguments.input, arguments.shards));
  progress.End();
  RETURN_IF_ERROR(WriteReports(outputs, run.report,
                               PlaceOf(arguments.source, arguments.unit, arguments.input)));
  return Conclude(run, keys);
}

// What a run and a merge have in common.
void AddJudgingOptions(CLI::App& verb, RunArguments& arguments) {
  verb.add_option("UNIT", arguments.unit, "unit folder")->required();
  AddSourceOptions(verb, arguments.source);
  verb.add_option("--against", arguments.input.against,
                  "folder of the unit that drives today: the new one must be as good on every "
                  "segment (suite section non_inferiority)");
  verb.add_option("--clips", arguments.input.clips_folder,
                  "folder for counterexample clips of gates that fail");
  verb.add_flag("--sign", arguments.source.for_seal,
                "seal the unit with the home's keys if every gate holds");
}

void OnCallback(CLI::App& verb, std::shared_ptr<RunArguments> arguments, Session& session) {
  verb.callback([arguments = std::move(arguments), &session] {
    const auto verdict = Run(*arguments, session);
    session.exit_code = verdict.ok() ? static_cast<int>(*verdict) : Report(verdict.status());
  });
}

}  // namespace

void AddGateRunVerb(CLI::App& gate, Session& session) {
  auto arguments = std::make_shared<RunArguments>();
  arguments->input.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App* run = gate.add_subcommand("run", "replay the scenarios through the unit and judge it");
  AddJudgingOptions(*run, *arguments);
  run->add_option("-o,--output", arguments->outputs,
                  "table, json, junit, markdown, sarif, github or html; FORMAT=FILE writes a file "
                  "(repeatable); shard=FILE with --shard");
  run->add_option("--cache", arguments->input.cache_folder,
                  "folder of results: what it holds for this unit, recording, engine and program "
                  "is taken over, what is made is left there");
  run->add_option("--shard", arguments->part,
                  "i/n: gather the evidence of the i-th of n parts of the library, for `gate "
                  "merge`");
  run->add_option("--threads", arguments->input.threads)->check(CLI::Range(1, 256));
  run->add_option("--onnxruntime", arguments->input.library_path, "libonnxruntime.so.1");
  OnCallback(*run, std::move(arguments), session);
}

void AddGateMergeVerb(CLI::App& gate, Session& session) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* merge =
      gate.add_subcommand("merge", "judge a unit by the shards that `gate run --shard` left");
  AddJudgingOptions(*merge, *arguments);
  merge->add_option("SHARD", arguments->shards, "shard files, all of one run")->required();
  merge->add_option("-o,--output", arguments->outputs,
                    "table, json, junit, markdown, sarif, github or html; FORMAT=FILE writes a "
                    "file (repeatable)");
  OnCallback(*merge, std::move(arguments), session);
}

}  // namespace gatekeeper::cli
