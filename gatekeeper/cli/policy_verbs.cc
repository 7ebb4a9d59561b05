#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/runtime/fallback.h"
#include "agent/runtime/policy.h"
#include "gatekeeper/bundle/explanation.h"
#include "gatekeeper/bundle/policy_folder.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/policy_view.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;

// Files of the policies that nothing proved to stay within a place.
std::set<std::string> SitelessPolicies(const std::vector<bundle::RuleSet>& sets) {
  std::set<std::string> files;
  for (const bundle::RuleSet& set : sets) {
    if (set.policy && !set.site) files.insert(set.policy->file);
  }
  return files;
}

absl::StatusOr<ExitCode> Check(const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(const std::vector<bundle::RuleSet> sets, bundle::FindRuleSets(paths));
  std::vector<std::string> lines;  // what several releases share is said once
  std::set<std::string> documents;
  for (const bundle::RuleSet& set : sets) {
    for (const auto* document : {&set.card, &set.policy, &set.fallback, &set.site}) {
      if (*document) documents.insert((*document)->file);
    }
    for (const bundle::Diagnostic& diagnostic : bundle::CheckRules(set)) {
      const std::string line = bundle::ToString(diagnostic);
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    }
  }
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  for (const std::string& policy : SitelessPolicies(sets)) {
    std::printf("warning: %s: %s; name its site file too\n", policy.c_str(), bundle::kNoSite);
  }
  if (!lines.empty()) return ExitCode::kUsage;
  std::printf("%d document%s in %d set%s: no rule is broken\n", static_cast<int>(documents.size()),
              documents.size() == 1 ? "" : "s", static_cast<int>(sets.size()),
              sets.size() == 1 ? "" : "s");
  return ExitCode::kOk;
}

// The set that a path speaks of: a folder's first, a file's own.
absl::StatusOr<bundle::RuleSet> SetWith(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return absl::NotFoundError(path + ": no such file or folder");
  const bool folder = fs::is_directory(path, error);
  fs::path around = folder ? fs::path(path) : fs::path(path).parent_path();
  if (around.empty()) around = ".";
  ASSIGN_OR_RETURN(const auto sets, bundle::FindRuleSets({around.string()}));
  const auto speaks = [&](const std::optional<bundle::Document>& document) {
    return document && (folder || fs::equivalent(document->file, path, error));
  };
  for (const bundle::RuleSet& set : sets) {
    if (set.policy && set.fallback && (speaks(set.policy) || speaks(set.fallback))) return set;
  }
  return absl::NotFoundError(absl::StrFormat(
      "%s is no control policy or fallback rules with the other one beside it", path));
}

absl::Status Explain(const std::string& path, bool dot) {
  ASSIGN_OR_RETURN(bundle::RuleSet set, SetWith(path));
  set.card.reset();  // what the rules do depends on policy and fallback rules only
  set.site.reset();
  const std::vector<bundle::Diagnostic> found = bundle::CheckRules(set);
  if (!found.empty()) return absl::InvalidArgumentError(bundle::ToString(found.front()));
  v1::ControlPolicy policy_document;
  v1::FallbackRules fallback_document;
  RETURN_IF_ERROR(
      agent::base::ReadYaml(set.policy->text, set.policy->file, "control_policy/1", policy_document)
          .status());
  RETURN_IF_ERROR(agent::base::ReadYaml(set.fallback->text, set.fallback->file, "fallback_rules/1",
                                        fallback_document)
                      .status());
  ASSIGN_OR_RETURN(const auto policy, agent::runtime::Policy::Compile(policy_document));
  ASSIGN_OR_RETURN(const auto rules, agent::runtime::Fallback::Compile(fallback_document, policy));
  const std::string text =
      dot ? bundle::DotOf(rules) : PolicyView(rules, bundle::Explain(policy, rules));
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddPolicyVerbs(CLI::App& app, Session& session) {
  CLI::App* policy = app.add_subcommand("policy", "control policies, fallback rules, sites");
  policy->require_subcommand(1);
  policy->fallthrough();

  auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* check = policy->add_subcommand("check", "prove the rules S1 to S15 without running");
  check->add_option("PATH", *paths, "YAML files that belong together, or folders with them")
      ->required();
  check->callback([paths, &session] {
    const auto code = Check(*paths);
    session.exit_code = code.ok() ? static_cast<int>(*code) : Report(code.status());
  });

  auto path = std::make_shared<std::string>();
  auto dot = std::make_shared<bool>(false);
  CLI::App* explain = policy->add_subcommand(
      "explain", "what the fallback rules do in each state under each trigger");
  explain->add_option("PATH", *path, "fallback rules or control policy, or a folder with both")
      ->required();
  explain->add_flag("--dot", *dot, "as a graph, for Graphviz: | dot -Tsvg");
  explain->callback([path, dot, &session] { session.exit_code = Report(Explain(*path, *dot)); });
}

}  // namespace gatekeeper::cli
