#include <cstdio>
#include <thread>

#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/gate_progress.h"
#include "gatekeeper/cli/gate_source.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/defects/audit_report.h"

namespace gatekeeper::cli {
namespace {

struct AuditArguments {
  std::string unit;
  std::string output = "table";
  double floor = 0.95;
  bool without_replays = false;
  GateSource source;
  defects::AuditInput input;
};

absl::StatusOr<ExitCode> Audit(AuditArguments arguments, const Session& session) {
  ASSIGN_OR_RETURN(const auto unit, bundle::UngatedUnit::Open(arguments.unit));
  ASSIGN_OR_RETURN(const ScratchFolder source, ScratchFolder::Make());
  ASSIGN_OR_RETURN(const ScratchFolder twins, ScratchFolder::Make());
  RETURN_IF_ERROR(ReadSource(arguments.source, session.home, source, arguments.input.suite));
  arguments.input.scratch = twins.path();
  arguments.input.replays = !arguments.without_replays;
  GateProgress progress;
  arguments.input.tell = [&progress](const defects::AuditProgress& now) { progress.Tell(now); };
  ASSIGN_OR_RETURN(const defects::Audit audit, defects::AuditGates(unit, arguments.input));
  progress.End();
  const std::string text = arguments.output == "json" ? defects::AuditJson(audit, arguments.floor)
                                                      : defects::AuditText(audit, arguments.floor);
  std::fputs(text.c_str(), stdout);
  return audit.all().rate() >= arguments.floor ? ExitCode::kOk : ExitCode::kGateFailed;
}

}  // namespace

void AddGateAuditVerb(CLI::App& gate, Session& session) {
  auto arguments = std::make_shared<AuditArguments>();
  arguments->input.suite.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App* verb = gate.add_subcommand(
      "audit", "seed defects into a unit's rules and scenarios: how many do the gates kill?");
  verb->add_option("UNIT", arguments->unit, "unit folder")->required();
  AddSourceOptions(*verb, arguments->source);
  verb->add_option("--against", arguments->input.suite.against,
                   "folder of the unit that drives today, mostly UNIT itself: what is looser than "
                   "it is killed without a replay");
  verb->add_option("--floor", arguments->floor, "least share of defects that must be killed")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--clips", arguments->input.clips, "scenarios that defects are seeded into")
      ->check(CLI::Range(0, 1000));
  verb->add_flag("--without-replays", arguments->without_replays,
                 "ask only the gates that need none: seconds instead of hours");
  verb->add_option("-o,--output", arguments->output)->check(CLI::IsMember({"table", "json"}));
  verb->add_option("--threads", arguments->input.suite.threads)->check(CLI::Range(1, 256));
  verb->add_option("--onnxruntime", arguments->input.suite.library_path, "libonnxruntime.so.1");
  verb->callback([arguments, &session] {
    const auto verdict = Audit(*arguments, session);
    session.exit_code = verdict.ok() ? static_cast<int>(*verdict) : Report(verdict.status());
  });
}

}  // namespace gatekeeper::cli
