#include <cstdio>
#include <memory>

#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/gate_source.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/minimise.h"
#include "gatekeeper/gates/scenario_file.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::cli {
namespace {

struct MinimiseArguments {
  std::string scenario;
  std::string unit;
  GateSource source;
  gates::SuiteInput input;
  gates::MinimiseRequest minimise;
};

void Print(const gates::Minimised& done, const std::string& gate) {
  std::printf("%.3f s became %.3f s, from second %.3f on, in %u trials%s\n", done.before_s,
              done.after_s, done.from_s, done.trials,
              done.spent ? " (all there were: --trials allows more)" : "");
  if (!done.dropped.empty()) std::printf("without %s\n", absl::StrJoin(done.dropped, ", ").c_str());
  std::printf("%s still fails: %s\n", gate.c_str(), done.result.summary().c_str());
  for (const v1::Finding& finding : done.result.findings()) {
    std::printf("    at %.2f s: %s\n", finding.at_s(), finding.message().c_str());
    break;  // the worst
  }
  std::printf("wrote %s and %s\n", done.recording.c_str(), done.scenario.c_str());
}

void PrintMinimisedJson(const gates::Minimised& done, const std::string& gate) {
  nlohmann::ordered_json json = {{"scenario", done.scenario},
                                 {"recording", done.recording},
                                 {"before_s", done.before_s},
                                 {"after_s", done.after_s},
                                 {"from_s", done.from_s},
                                 {"trials", done.trials},
                                 {"spent", done.spent},
                                 {"dropped", done.dropped},
                                 {"gate", gate},
                                 {"summary", done.result.summary()}};
  if (!done.result.findings().empty()) {
    const v1::Finding& worst = done.result.findings(0);
    json["finding"] = {{"at_s", worst.at_s()}, {"message", worst.message()}};
  }
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

absl::Status MinimiseScenario(MinimiseArguments request, const Session& session) {
  ASSIGN_OR_RETURN(const auto unit, bundle::UngatedUnit::Open(request.unit));
  ASSIGN_OR_RETURN(request.minimise.scenario,
                   gates::ReadScenario(request.scenario, request.source.recordings));
  ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Make());
  RETURN_IF_ERROR(ReadSuiteSource(request.source, session.home, scratch, request.input));
  ASSIGN_OR_RETURN(const gates::Minimised done,
                   gates::Minimise(unit, request.input, request.minimise));
  if (session.json()) {
    PrintMinimisedJson(done, request.minimise.gate);
  } else {
    Print(done, request.minimise.gate);
  }
  return absl::OkStatus();
}

}  // namespace

void AddScenarioMinimise(CLI::App& scenario, Session& session) {
  auto request = std::make_shared<MinimiseArguments>();
  CLI::App* verb = scenario.add_subcommand(
      "minimise", "the shortest piece of a scenario on which a gate still fails a unit");
  verb->add_option("SCENARIO", request->scenario, "scenario/1 YAML file")->required();
  verb->add_option("--unit", request->unit, "unit folder")->required();
  verb->add_option("--gate", request->minimise.gate, "the gate that fails, as reports name it")
      ->required();
  verb->add_option("--to", request->minimise.folder, "folder for the clip and its scenario")
      ->required();
  verb->add_option("--suite", request->source.suite,
                   "gate_suite/1 YAML file; with --policy-repo its path in that repository")
      ->required();
  verb->add_option("--policy-repo", request->source.policy_repo,
                   "git repository (folder or URL) of the safety team");
  verb->add_option("--policy-commit", request->source.policy_commit, "its commit, all 40 digits");
  verb->add_option("--recordings", request->source.recordings,
                   "folder of recordings for a scenario that names only a digest")
      ->check(CLI::ExistingDirectory);
  verb->add_option("--against", request->input.against,
                   "folder of the unit that non_inferiority compares with");
  verb->add_option("--second", request->minimise.second,
                   "second of the scenario that stays in the clip: what was found there");
  verb->add_option("--trials", request->minimise.trials, "pieces that are judged at most")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  verb->add_option("--onnxruntime", request->input.library_path, "libonnxruntime.so.1");
  verb->add_option("-o,--output", session.output)->check(CLI::IsMember({"table", "json"}));
  verb->callback(
      [request, &session] { session.exit_code = Report(MinimiseScenario(*request, session)); });
}

}  // namespace gatekeeper::cli
