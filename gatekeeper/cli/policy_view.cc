#include "gatekeeper/cli/policy_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gatekeeper/cli/table.h"

namespace gatekeeper::cli {
namespace {

using agent::runtime::ClearBy;
using agent::runtime::Fallback;
using agent::runtime::Layer;
using agent::runtime::Nanos;
using agent::runtime::StateRule;
using agent::runtime::TriggerRule;

double Ms(Nanos time) { return static_cast<double>(time.count()) * 1e-6; }

std::string Within(const std::optional<Nanos>& time) {
  return time ? absl::StrFormat("%g ms", Ms(*time)) : "drives on";
}

std::string Limits(const StateRule& state) {
  using agent::runtime::Driver;
  if (state.driver == Driver::kStop || state.driver == Driver::kHold) return "-";
  return state.degraded_limits ? "degraded" : "nominal";
}

const char* Name(Layer layer) {
  switch (layer) {
    case Layer::kCircuit:
      return "circuit";
    case Layer::kFirmware:
      return "firmware";
    case Layer::kModel:
      return "model";
  }
  return "";
}

class View {
 public:
  View(const Fallback& rules, const bundle::Explanation& told) : rules_(rules), told_(told) {}

  std::string Text() const {
    return absl::StrCat(
        "States, from nominal to the most restrictive\n", States(), "\nTriggers\n", Triggers(),
        "\nEvery trigger in every state (with a previous unit and fresh inputs)\n", Reactions(),
        "\nEvery pair of triggers\n", Pairs(),
        told_.every_set ? "\nEvery set of triggers\n" : "\nSets of one and two triggers\n", Sets());
  }

 private:
  const std::string& State(size_t i) const { return rules_.states()[i].name; }

  std::string Names(const std::vector<size_t>& triggers) const {
    std::vector<std::string> names;
    for (const size_t i : triggers) names.push_back(rules_.triggers()[i].id);
    return names.empty() ? "-" : absl::StrJoin(names, ", ");
  }

  std::string GivesWay(const StateRule& state) const {
    std::vector<std::string> ways;
    if (state.then) ways.push_back(absl::StrCat("standing: ", State(*state.then)));
    const Nanos bound = std::max(state.max_dwell, state.complete_within);
    if (state.otherwise) {
      ways.push_back(bound > Nanos{0} ? absl::StrFormat("else or after %g ms: %s", Ms(bound),
                                                        State(*state.otherwise))
                                      : absl::StrCat("else: ", State(*state.otherwise)));
    }
    return ways.empty() ? "-" : absl::StrJoin(ways, "; ");
  }

  std::string Clears(const TriggerRule& trigger) const {
    if (trigger.clear == ClearBy::kOperator) return "an operator";
    if (trigger.clear == ClearBy::kRearm) return "re-arm";
    std::string text = absl::StrFormat("%g ms quiet", Ms(trigger.quiet));
    if (trigger.max_per_hour > 0) {
      absl::StrAppendFormat(&text, ", %d an hour, else %s", trigger.max_per_hour,
                            State(trigger.otherwise));
    }
    return text;
  }

  static std::string Acts(const TriggerRule& trigger) {
    std::string text =
        trigger.after > Nanos{0} ? absl::StrFormat("after %g ms", Ms(trigger.after)) : "at once";
    if (trigger.defer_max > Nanos{0}) {
      absl::StrAppendFormat(&text, ", deferred up to %g ms", Ms(trigger.defer_max));
    }
    return text;
  }

  std::string States() const {
    Table table({"STATE", "RANK", "CONTROLLER", "LIMITS", "GIVES WAY", "STANDS"});
    for (const StateRule& state : rules_.states()) {
      table.Add({state.name, absl::StrCat(state.rank), bundle::ControllerName(state.driver),
                 Limits(state), GivesWay(state),
                 state.persistent_latch ? "latched"
                 : state.minimal_risk   ? "minimal risk"
                                        : "-"});
    }
    return table.Text();
  }

  std::string Triggers() const {
    Table table({"TRIGGER", "LAYER", "LEADS TO", "SEEN WITHIN", "ACTS", "CLEARS BY"});
    for (size_t i = 0; i < rules_.latched(); ++i) {
      const TriggerRule& trigger = rules_.triggers()[i];
      table.Add({trigger.id, Name(trigger.layer), State(trigger.to),
                 trigger.detect > Nanos{0} ? absl::StrFormat("%g ms", Ms(trigger.detect)) : "-",
                 Acts(trigger), Clears(trigger)});
    }
    return table.Text();
  }

  std::string Reactions() const {
    Table table({"STATE", "TRIGGER", "NEXT", "ITS PLACE", "CONTROLLER", "LIMITS", "STANDS WITHIN"});
    for (const bundle::Reaction& reaction : told_.reactions) {
      const StateRule& next = rules_.states()[reaction.next];
      table.Add({State(reaction.state), rules_.triggers()[reaction.trigger].id, next.name,
                 State(reaction.place), bundle::ControllerName(next.driver), Limits(next),
                 Within(reaction.stands_within)});
    }
    return table.Text();
  }

  std::string Pairs() const {
    Table table({"TRIGGERS", "STATE", "BECAUSE OF"});
    for (const bundle::Pair& pair : told_.pairs) {
      table.Add({Names({pair.first, pair.second}), State(pair.state), Names(pair.winners)});
    }
    return table.Text();
  }

  std::string Sets() const {
    Table table({"STATE", "ANY OF", "AND NONE OF", "SETS"});
    for (const bundle::SetsTo& to : told_.sets) {
      table.Add({State(to.state), Names(to.any_of), Names(to.none_of), absl::StrCat(to.sets)});
    }
    return table.Text();
  }

  const Fallback& rules_;
  const bundle::Explanation& told_;
};

}  // namespace

std::string PolicyView(const Fallback& rules, const bundle::Explanation& explanation) {
  return View(rules, explanation).Text();
}

}  // namespace gatekeeper::cli
