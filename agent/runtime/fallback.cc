#include "agent/runtime/fallback.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/policy_compiler.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int kMaxStates = 32;

}  // namespace

// Builds a Fallback in the order: states, their moves, triggers, flap and re-arm, then the graph
// checks.
class FallbackCompiler {
 public:
  FallbackCompiler(const v1::FallbackRules& document, const Policy& policy)
      : document_(document), policy_(policy) {}

  absl::StatusOr<Fallback> Compile() {
    if (document_.schema() != "fallback_rules/1") {
      return Wrong("schema", "must be fallback_rules/1, is '%s'", document_.schema());
    }
    ASSIGN_OR_RETURN(rules_.mrc_within_, PositiveMs("mrc_within_ms", document_.mrc_within_ms(),
                                                    "it is the hazard tolerance time"));
    RETURN_IF_ERROR(States());
    RETURN_IF_ERROR(FlapAndRearm());
    RETURN_IF_ERROR(Triggers());
    RETURN_IF_ERROR(BuiltIn());
    RETURN_IF_ERROR(CheckMoves(rules_));
    return std::move(rules_);
  }

 private:
  absl::Status States() {
    const auto& written = document_.states();
    if (written.empty() || written.size() > kMaxStates) {
      return Wrong("states", "must be 1 to %d, are %d", kMaxStates, written.size());
    }
    std::map<uint32_t, std::string> by_rank;
    const std::map<std::string, v1::FallbackState> sorted(written.begin(), written.end());
    for (const auto& [name, state] : sorted) {
      const auto [twin, fresh] = by_rank.emplace(state.rank(), name);
      if (!fresh) {
        return Wrong(PathOf(name) + ".rank", "must be unique, %d is also the rank of '%s'",
                     state.rank(), twin->second);
      }
    }
    if (by_rank.begin()->first != 0) {
      return Wrong("states", "must have one of rank 0, the nominal one");
    }
    for (const auto& [rank, name] : by_rank) {
      index_[name] = rules_.states_.size();
      StateRule state;
      state.name = name;
      state.rank = rank;
      rules_.states_.push_back(std::move(state));
    }
    for (StateRule& state : rules_.states_) {
      RETURN_IF_ERROR(State(sorted.at(state.name), PathOf(state.name), state));
      RETURN_IF_ERROR(Moves(sorted.at(state.name), PathOf(state.name), state));
    }
    return absl::OkStatus();
  }

  absl::Status State(const v1::FallbackState& written, const std::string& path, StateRule& state) {
    const std::string& controller = written.controller();
    if (controller.empty() || controller == "model") {
      state.driver = Driver::kModel;
    } else if (controller == "unit:previous") {
      state.driver = Driver::kPreviousUnit;
    } else if (controller == "stop") {
      state.driver = Driver::kStop;
    } else if (controller == "hold") {
      state.driver = Driver::kHold;
    } else {
      return Wrong(path + ".controller", "must be model, unit:previous, stop or hold, is '%s'",
                   controller);
    }
    if (state.rank == 0 && state.driver != Driver::kModel) {
      return Wrong(path + ".controller", "must be model for rank 0, is '%s'", controller);
    }
    if (!written.limits().empty() && written.limits() != "nominal" &&
        written.limits() != "degraded") {
      return Wrong(path + ".limits", "must be nominal or degraded, is '%s'", written.limits());
    }
    state.degraded_limits = written.limits() == "degraded";
    const bool twist = policy_.command().type == CommandType::kTwist2d;
    if (state.degraded_limits && twist && !policy_.degraded()) {
      return Wrong(path + ".limits", "is degraded, but the policy has no limits.degraded");
    }
    state.minimal_risk = written.minimal_risk_condition();
    if (!written.latch().empty() && written.latch() != "persistent") {
      return Wrong(path + ".latch", "must be persistent, the only value, is '%s'", written.latch());
    }
    state.persistent_latch = written.latch() == "persistent";
    if ((state.minimal_risk || state.persistent_latch) && state.driver != Driver::kHold) {
      return Wrong(path + ".controller",
                   "must be hold: a minimal risk condition or a latch is a robot that stands");
    }
    if (state.persistent_latch && !state.minimal_risk) {
      return Wrong(path + ".minimal_risk_condition", "must be true for a latch");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<StateIndex>> Move(const std::string& path, const std::string& to,
                                                 const StateRule& from) {
    if (to.empty()) return std::optional<StateIndex>();
    const auto found = index_.find(to);
    if (found == index_.end()) return Wrong(path, "names no state: '%s'", to);
    if (rules_.states_[found->second].rank <= from.rank) {
      return Wrong(path, "must lead to a higher rank than %d, '%s' has %d", from.rank, to,
                   rules_.states_[found->second].rank);
    }
    return std::optional<StateIndex>(found->second);
  }

  absl::Status Moves(const v1::FallbackState& written, const std::string& path, StateRule& state) {
    ASSIGN_OR_RETURN(state.otherwise, Move(path + ".else", written.else_(), state));
    ASSIGN_OR_RETURN(state.then, Move(path + ".then", written.then(), state));
    if (!(std::isfinite(written.max_dwell_s()) && written.max_dwell_s() >= 0)) {
      return Wrong(path + ".max_dwell_s", "must be 0 (no bound) or above");
    }
    if (written.max_dwell_s() > 0) {
      ASSIGN_OR_RETURN(state.max_dwell,
                       PositiveMs(path + ".max_dwell_s", written.max_dwell_s() * 1000, ""));
      if (!state.otherwise) {
        return Wrong(path + ".else", "must say where to go after max_dwell_s");
      }
    }
    if (state.driver == Driver::kPreviousUnit && !state.otherwise) {
      return Wrong(path + ".else", "must be given: there may be no previous unit");
    }
    if (state.driver == Driver::kStop) return StopState(written, path, state);
    if (state.then) return Wrong(path + ".then", "belongs to controller stop only");
    if (written.dec_mps2() != 0)
      return Wrong(path + ".dec_mps2", "belongs to controller stop only");
    if (written.complete_within_ms() != 0) {
      return Wrong(path + ".complete_within_ms", "belongs to controller stop only");
    }
    return absl::OkStatus();
  }

  absl::Status StopState(const v1::FallbackState& written, const std::string& path,
                         StateRule& state) {
    if (!state.then) return Wrong(path + ".then", "must say where to go when the robot stands");
    RETURN_IF_ERROR(CheckPositive(path + ".dec_mps2", written.dec_mps2(), "a stop decelerates"));
    state.dec_mps2 = written.dec_mps2();
    ASSIGN_OR_RETURN(state.complete_within,
                     PositiveMs(path + ".complete_within_ms", written.complete_within_ms(),
                                "a stop that never ends is none"));
    if (policy_.command().type != CommandType::kTwist2d) return absl::OkStatus();
    const TwistLimits& limits = policy_.nominal();
    const double fastest = std::max(limits.vx_max_mps, -limits.vx_min_mps);
    const double needed_ms = 1000 * (fastest / state.dec_mps2 + 1 / policy_.command().rate_hz);
    if (needed_ms > written.complete_within_ms()) {
      return Wrong(path + ".complete_within_ms",
                   "must be at least %.0f: from %g m/s at %g m/s2, and one tick; is %g", needed_ms,
                   fastest, state.dec_mps2, written.complete_within_ms());
    }
    return absl::OkStatus();
  }

  absl::Status FlapAndRearm() {
    const v1::Flap& flap = document_.flap();
    ASSIGN_OR_RETURN(rules_.flap_.window, PositiveMs("flap.window_s", flap.window_s() * 1000,
                                                     "flapping must end in a safe stop"));
    if (flap.max_transitions() == 0 || flap.max_transitions() >= kMaxFlapTransitions) {
      return Wrong("flap.max_transitions", "must be 1 to %d, is %d", kMaxFlapTransitions - 1,
                   flap.max_transitions());
    }
    rules_.flap_.max_transitions = flap.max_transitions();
    const auto to = index_.find(flap.to());
    if (to == index_.end()) return Wrong("flap.to", "names no state: '%s'", flap.to());
    rules_.flap_.to = to->second;
    const StateRule& rest = rules_.states_[to->second];
    if (!rest.minimal_risk || rest.persistent_latch) {
      return Wrong("flap.to", "must be a minimal risk condition without a latch, '%s' is not",
                   flap.to());
    }
    ASSIGN_OR_RETURN(rules_.standstill_,
                     PositiveMs("rearm.standstill_ms", document_.rearm().standstill_ms(),
                                "a moving robot may not be re-armed"));
    return absl::OkStatus();
  }

  absl::Status Triggers() {
    std::map<std::string, int> written;
    for (int i = 0; i < document_.triggers_size(); ++i) {
      const v1::Trigger& trigger = document_.triggers(i);
      const std::string path = absl::StrFormat("triggers[%d].id", i);
      if (IsMachines(trigger.id())) {
        return Wrong(path, "must not be '%s', which the machine itself raises", trigger.id());
      }
      if (!written.emplace(trigger.id(), i).second) {
        return Wrong(path, "must be unique, '%s' has two rules", trigger.id());
      }
    }
    std::vector<std::string> order = policy_.triggers();
    for (std::string_view always : {kModelFailed, kEstopButton, kNetworkDown}) {
      const std::string name(always);
      if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
    }
    if (order.size() + 4 > kMaxTriggers) {
      return Wrong("triggers", "must be at most %d", kMaxTriggers - 4);
    }
    for (const std::string& id : order) {
      const auto found = written.find(id);
      if (found == written.end()) {
        return Wrong("triggers", "must have a rule for '%s', which can be raised", id);
      }
      RETURN_IF_ERROR(TriggerOf(document_.triggers(found->second),
                                absl::StrFormat("triggers[%d]", found->second)));
      written.erase(found);
    }
    if (!written.empty()) {
      return Wrong(absl::StrFormat("triggers[%d].id", written.begin()->second),
                   "must be a trigger that the policy raises: nobody raises '%s'",
                   written.begin()->first);
    }
    return absl::OkStatus();
  }

  // Raised for single ticks by something that has counted already; waiting would mean never.
  bool MustActAtOnce(const std::string& id) const {
    const std::vector<std::string>& names = policy_.triggers();
    const bool envelope =
        std::any_of(policy_.envelope().begin(), policy_.envelope().end(), [&](const MapZone& zone) {
          return zone.kind != ZoneKind::kSpeed && names[zone.trigger] == id;
        });
    return envelope || id == kModelFailed || id == kEstopButton ||
           id == names[policy_.nonfinite_trigger()] || id == names[policy_.deadline().trigger] ||
           id == names[policy_.clamp_budget().trigger];
  }

  absl::Status TriggerOf(const v1::Trigger& written, const std::string& path) {
    TriggerRule rule{.id = written.id()};
    if (written.layer() == "circuit") {
      rule.layer = Layer::kCircuit;
    } else if (written.layer() == "firmware") {
      rule.layer = Layer::kFirmware;
    } else if (written.layer() == "model") {
      rule.layer = Layer::kModel;
    } else {
      return Wrong(path + ".layer", "must be circuit, firmware or model, is '%s'", written.layer());
    }
    if (rule.id == kModelFailed && rule.layer != Layer::kModel) {
      return Wrong(path + ".layer", "must be model for %s", rule.id);
    }
    const auto to = index_.find(written.to());
    if (to == index_.end()) return Wrong(path + ".to", "names no state: '%s'", written.to());
    if (to->second == 0) return Wrong(path + ".to", "must not be the nominal state");
    rule.to = to->second;
    if (written.after_ms() != 0) {
      ASSIGN_OR_RETURN(rule.after, PositiveMs(path + ".after_ms", written.after_ms(),
                                              "leave it out to act at once"));
      if (MustActAtOnce(rule.id)) {
        return Wrong(path + ".after_ms", "must be left out: %s acts at once", rule.id);
      }
    }
    RETURN_IF_ERROR(ClearOf(written.clear(), path + ".clear", rule));
    rules_.triggers_.push_back(std::move(rule));
    return absl::OkStatus();
  }

  absl::Status ClearOf(const v1::ClearRule& written, const std::string& path, TriggerRule& rule) {
    const int given = (written.quiet_ms() != 0 ? 1 : 0) + (written.operator_() ? 1 : 0) +
                      (written.rearm() ? 1 : 0);
    if (given != 1) {
      return Wrong(path, "must be exactly one of quiet_ms above 0, operator: true, rearm: true");
    }
    if (written.rearm()) rule.clear = ClearBy::kRearm;
    if (written.operator_()) rule.clear = ClearBy::kOperator;
    if (written.quiet_ms() != 0) {
      ASSIGN_OR_RETURN(rule.quiet,
                       PositiveMs(path + ".quiet_ms", written.quiet_ms(), "calm takes time"));
    }
    if (EndsInLatch(rules_, rule.to) && rule.clear != ClearBy::kRearm) {
      return Wrong(path, "must be rearm: true, because '%s' ends in a latch",
                   rules_.states_[rule.to].name);
    }
    return absl::OkStatus();
  }

  absl::Status BuiltIn() {
    std::vector<TriggerRule>& triggers = rules_.triggers_;
    const auto find = [&](std::string_view id) {
      return static_cast<TriggerIndex>(
          std::find_if(triggers.begin(), triggers.end(),
                       [&](const TriggerRule& rule) { return rule.id == id; }) -
          triggers.begin());
    };
    rules_.model_failed_ = find(kModelFailed);
    rules_.estop_button_ = find(kEstopButton);
    rules_.network_down_ = find(kNetworkDown);
    for (StateIndex i = 0; i < rules_.states_.size(); ++i) {
      if (rules_.states_[i].persistent_latch) rules_.latch_state_ = i;
    }
    const auto add = [&](std::string_view id, StateIndex to, ClearBy clear) {
      triggers.push_back({.id = std::string(id),
                          .layer = Layer::kFirmware,
                          .to = to,
                          .after = Nanos{0},
                          .clear = clear,
                          .quiet = Nanos{0}});
      return triggers.size() - 1;
    };
    rules_.latched_ = add(kLatched, rules_.latch_state_, ClearBy::kRearm);
    rules_.awaiting_start_ = add(kAwaitingStart, rules_.flap_.to, ClearBy::kQuiet);
    rules_.flapping_ = add(kFlapping, rules_.flap_.to, ClearBy::kOperator);
    rules_.invariant_broken_ = add(kInvariantBroken, rules_.strongest(), ClearBy::kRearm);
    return absl::OkStatus();
  }

  const v1::FallbackRules& document_;
  const Policy& policy_;
  std::map<std::string, StateIndex> index_;
  Fallback rules_;
};

absl::StatusOr<Fallback> Fallback::Compile(const v1::FallbackRules& document,
                                           const Policy& policy) {
  return FallbackCompiler(document, policy).Compile();
}

}  // namespace agent::runtime
