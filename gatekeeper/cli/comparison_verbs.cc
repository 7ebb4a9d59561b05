#include <algorithm>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/rule_diff.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/table.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

const char* Name(bundle::Effect effect) {
  switch (effect) {
    case bundle::Effect::kLooser:
      return "LOOSER";
    case bundle::Effect::kTighter:
      return "tighter";
    case bundle::Effect::kDifferent:
      return "different";
  }
  return "";
}

void PrintDiff(const bundle::UngatedUnit& before, const bundle::UngatedUnit& after,
               const bundle::UnitDiff& diff) {
  std::printf("%s -> %s\n", before.label().c_str(), after.label().c_str());
  if (diff.same()) std::printf("no difference\n");
  for (const std::string& artifact : diff.artifacts) std::printf("file  %s\n", artifact.c_str());
  if (!diff.safety_case.empty()) std::printf("safety case  %s\n", diff.safety_case.c_str());
  if (diff.rules.empty()) return;
  Table table({"EFFECT", "DOCUMENT", "WHAT", "BEFORE", "AFTER"});
  for (const auto& change : diff.rules) {
    table.Add({Name(change.effect), change.document, change.path, change.before, change.after});
  }
  std::fputs(table.Text().c_str(), stdout);
}

absl::Status Diff(const std::string& before_folder, const std::string& after_folder) {
  ASSIGN_OR_RETURN(const auto before, bundle::UngatedUnit::Open(before_folder));
  ASSIGN_OR_RETURN(const auto after, bundle::UngatedUnit::Open(after_folder));
  ASSIGN_OR_RETURN(const bundle::UnitDiff diff, bundle::DiffUnits(before, after));
  PrintDiff(before, after, diff);
  return absl::OkStatus();
}

struct CheckArguments {
  std::string unit;
  std::string deployed;
  std::string approver;
};

// A unit may tighten what runs today by itself; what it loosens takes a second person.
absl::StatusOr<ExitCode> Check(const CheckArguments& arguments) {
  ASSIGN_OR_RETURN(const auto unit, bundle::UngatedUnit::Open(arguments.unit));
  ASSIGN_OR_RETURN(const auto deployed, bundle::UngatedUnit::Open(arguments.deployed));
  ASSIGN_OR_RETURN(const auto findings, bundle::CheckRules(unit, deployed));
  for (const auto& finding : findings) std::printf("%s\n", bundle::ToString(finding).c_str());
  if (!findings.empty()) return ExitCode::kUsage;
  ASSIGN_OR_RETURN(const bundle::UnitDiff diff, bundle::DiffUnits(deployed, unit));
  PrintDiff(deployed, unit, diff);
  const auto looser = std::count_if(
      diff.rules.begin(), diff.rules.end(),
      [](const bundle::RuleChange& change) { return change.effect == bundle::Effect::kLooser; });
  if (looser == 0) {
    std::printf("nothing is looser\n");
    return ExitCode::kOk;
  }
  if (arguments.approver.empty()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "S16: %d rule%s looser than in %s; a second person must look at them and say so: "
        "--approve-looser NAME",
        looser, looser == 1 ? " is" : "s are", deployed.label()));
  }
  std::printf("%d looser, approved by %s\n", static_cast<int>(looser), arguments.approver.c_str());
  return ExitCode::kOk;
}

}  // namespace

void AddComparisonVerbs(CLI::App& unit, Session& session) {
  auto before = std::make_shared<std::string>();
  auto after = std::make_shared<std::string>();
  CLI::App* diff =
      unit.add_subcommand("diff", "what changes for a robot: looser, tighter, different");
  diff->add_option("BEFORE", *before, "unit folder")->required();
  diff->add_option("AFTER", *after, "unit folder")->required();
  diff->callback([before, after, &session] { session.exit_code = Report(Diff(*before, *after)); });

  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* check = unit.add_subcommand(
      "check", "prove a unit's rules beside the unit that runs today; refuse what is looser");
  check->add_option("UNIT", arguments->unit, "unit folder")->required();
  check->add_option("--against", arguments->deployed, "folder of the unit that runs today")
      ->required();
  check->add_option("--approve-looser", arguments->approver,
                    "the second person who has looked at what is looser");
  check->callback([arguments, &session] {
    const auto code = Check(*arguments);
    session.exit_code = code.ok() ? static_cast<int>(*code) : Report(code.status());
  });
}

}  // namespace gatekeeper::cli
