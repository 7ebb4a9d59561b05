#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gatekeeper/bundle/explanation.h"

namespace gatekeeper::bundle {
namespace {

using agent::runtime::ClearBy;
using agent::runtime::Fallback;
using agent::runtime::Nanos;
using agent::runtime::StateRule;
using agent::runtime::TriggerRule;

std::string Quoted(const std::string& text) {
  return "\"" + absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}) + "\"";
}

using agent::base::Seconds;

std::string Node(const StateRule& state) {
  std::string label = absl::StrCat(Quoted(state.name));
  label.pop_back();
  absl::StrAppend(&label, "\\nrank ", state.rank, ", ", ControllerName(state.driver));
  if (state.degraded_limits) absl::StrAppend(&label, ", degraded");
  if (state.persistent_latch) absl::StrAppend(&label, "\\nlatched");
  return absl::StrFormat("  %s [label=%s\"%s];\n", Quoted(state.name), label,
                         state.minimal_risk ? ", peripheries=2" : "");
}

// One edge for all triggers between the same two states: `labels` by target.
void AddEdges(const std::string& from,
              const std::map<std::string, std::vector<std::string>>& labels, const char* style,
              std::string& text) {
  for (const auto& [to, names] : labels) {
    std::vector<std::string> quoted;
    for (const std::string& name : names) {
      const std::string whole = Quoted(name);
      quoted.push_back(whole.substr(1, whole.size() - 2));
    }
    absl::StrAppendFormat(&text, "  %s -> %s [label=\"%s\"%s];\n", Quoted(from), Quoted(to),
                          absl::StrJoin(quoted, "\\n"), style);
  }
}

std::string Clearing(const TriggerRule& trigger) {
  if (trigger.clear == ClearBy::kOperator) return absl::StrCat(trigger.id, ": operator");
  if (trigger.clear == ClearBy::kRearm) return absl::StrCat(trigger.id, ": re-arm");
  return absl::StrFormat("%s: %g s quiet", trigger.id, Seconds(trigger.quiet));
}

}  // namespace

std::string DotOf(const Fallback& rules) {
  const std::vector<StateRule>& states = rules.states();
  std::string text =
      "digraph fallback {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n"
      "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (const StateRule& state : states) text += Node(state);
  std::map<std::string, std::vector<std::string>> raised;
  for (size_t i = 0; i < rules.latched(); ++i) {
    const TriggerRule& trigger = rules.triggers()[i];
    raised[states[trigger.to].name].push_back(trigger.id);
  }
  AddEdges(states[0].name, raised, "", text);
  for (const StateRule& state : states) {
    std::map<std::string, std::vector<std::string>> onwards;
    if (state.then) onwards[states[*state.then].name].push_back("stands");
    if (state.otherwise) {
      const Nanos bound = std::max(state.max_dwell, state.complete_within);
      onwards[states[*state.otherwise].name].push_back(
          bound > Nanos{0} ? absl::StrFormat("else, or after %g s", Seconds(bound)) : "else");
    }
    AddEdges(state.name, onwards, ", style=dashed", text);
  }
  std::map<std::string, std::vector<std::string>> cleared;
  for (size_t i = 0; i < rules.latched(); ++i) {
    const TriggerRule& trigger = rules.triggers()[i];
    cleared[states[trigger.to].name].push_back(Clearing(trigger));
  }
  for (const auto& [from, how] : cleared) {
    AddEdges(from, {{states[0].name, how}}, ", style=dotted", text);
  }
  return text + "}\n";
}

}  // namespace gatekeeper::bundle
