#include <algorithm>

#include "agent/base/status_macros.h"
#include "agent/runtime/fallback_causes.h"
#include "agent/runtime/fallback_compiler.h"
#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

// The part of the FallbackCompiler that knows what raises, postpones and clears a trigger.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

}  // namespace

std::string FallbackCompiler::PathOf(TriggerIndex trigger) const {
  return absl::StrFormat("triggers[%d]", written_at_[trigger]);
}

absl::Status FallbackCompiler::Triggers() {
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
  if (order.size() + kMachineTriggers > kMaxTriggers) {
    return Wrong("triggers", "must be at most %d", kMaxTriggers - kMachineTriggers);
  }
  for (const std::string& id : order) {
    const auto found = written.find(id);
    if (found == written.end()) {
      return Under("S2", Wrong("triggers", "must have a rule for '%s', which can be raised", id));
    }
    rules_.triggers_.push_back({.id = id});
    written_at_.push_back(found->second);
    written.erase(found);
  }
  if (!written.empty()) {
    return Under("S2", Wrong(absl::StrFormat("triggers[%d].id", written.begin()->second),
                             "must be a trigger that the policy raises: nobody raises '%s'",
                             written.begin()->first));
  }
  BuiltIn();
  causes_ = CausesOf(rules_, policy_);
  for (size_t i = 0; i < order.size(); ++i) {
    RETURN_IF_ERROR(TriggerOf(i));
  }
  return absl::OkStatus();
}

// The triggers' own places in the rules, and those that no document writes.
void FallbackCompiler::BuiltIn() {
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
    triggers.push_back({.id = std::string(id), .to = to, .clear = clear});
    return triggers.size() - 1;
  };
  rules_.latched_ = add(kLatched, rules_.latch_state_, ClearBy::kRearm);
  rules_.awaiting_start_ = add(kAwaitingStart, rules_.flap_.to, ClearBy::kQuiet);
  rules_.flapping_ = add(kFlapping, rules_.flap_.to, ClearBy::kOperator);
  rules_.invariant_broken_ = add(kInvariantBroken, rules_.strongest(), ClearBy::kRearm);
}

absl::Status FallbackCompiler::TriggerOf(TriggerIndex trigger) {
  const v1::Trigger& written = document_.triggers(written_at_[trigger]);
  const std::string path = PathOf(trigger);
  TriggerRule& rule = rules_.triggers_[trigger];
  const auto* const layer =
      std::find(std::begin(kLayerWords), std::end(kLayerWords), written.layer());
  if (layer == std::end(kLayerWords)) {
    return Wrong(path + ".layer", "must be circuit, firmware or model, is '%s'", written.layer());
  }
  rule.layer = static_cast<Layer>(layer - std::begin(kLayerWords));
  if (rule.id == kModelFailed && rule.layer != Layer::kModel) {
    return Wrong(path + ".layer", "must be model for %s", rule.id);
  }
  ASSIGN_OR_RETURN(rule.to, Named(path + ".to", written.to()));
  if (rule.to == 0) return Wrong(path + ".to", "must not be the nominal state");
  if (written.after_ms() != 0) {
    ASSIGN_OR_RETURN(rule.after, PositiveMs(path + ".after_ms", written.after_ms(),
                                            "leave it out to act at once", kMostDeferMs));
    if (ActsAtOnce(trigger)) {
      return Wrong(path + ".after_ms", "must be left out: %s acts at once", rule.id);
    }
  }
  RETURN_IF_ERROR(DetectOf(written, trigger));
  RETURN_IF_ERROR(ClearOf(written.clear(), path + ".clear", rule));
  if (!written.has_defer()) return absl::OkStatus();
  if (ActsAtOnce(trigger)) {
    return Wrong(path + ".defer", "must be left out: %s acts at once", rule.id);
  }
  rules_.deferrable_ |= MaskOf(trigger);
  return DeferOf(written.defer(), path + ".defer", rule);
}

// Waiting would mean never for what is raised for single ticks, and harm for the others.
bool FallbackCompiler::ActsAtOnce(TriggerIndex trigger) const {
  return causes_[trigger].events || causes_[trigger].envelope || trigger == rules_.estop_button_;
}

absl::Status FallbackCompiler::DetectOf(const v1::Trigger& written, TriggerIndex trigger) {
  const std::string path = PathOf(trigger) + ".detect_ms";
  TriggerRule& rule = rules_.triggers_[trigger];
  if (written.detect_ms() == 0) {
    if (!IsStop(rules_.states_[rule.to])) return absl::OkStatus();
    return Under("S5", Wrong(path, "must be given, because '%s' stops the robot within a bound",
                             written.to()));
  }
  ASSIGN_OR_RETURN(rule.detect,
                   PositiveMs(path, written.detect_ms(), "no check sees what has not happened"));
  const Nanos needed = causes_[trigger].detect;
  if (rule.detect >= needed) return absl::OkStatus();
  return Under("S5",
               Wrong(path, "must be at least %g, so long can '%s' take to be raised; is %g",
                     static_cast<double>(needed.count()) * 1e-6, rule.id, written.detect_ms()));
}

absl::Status FallbackCompiler::ClearOf(const v1::ClearRule& written, const std::string& path,
                                       TriggerRule& rule) {
  const int given =
      (written.quiet_ms() != 0 ? 1 : 0) + (written.operator_() ? 1 : 0) + (written.rearm() ? 1 : 0);
  if (given != 1) {
    return Wrong(path, "must be exactly one of quiet_ms above 0, operator: true, rearm: true");
  }
  if (written.rearm()) rule.clear = ClearBy::kRearm;
  if (written.operator_()) rule.clear = ClearBy::kOperator;
  if (written.quiet_ms() != 0) {
    ASSIGN_OR_RETURN(rule.quiet, LongMs(path + ".quiet_ms", written.quiet_ms(),
                                        1000 / policy_.command().rate_hz, "calm takes a period"));
  }
  if (EndsInLatch(rules_, rule.to) && rule.clear != ClearBy::kRearm) {
    return Under("S6", Wrong(path, "must be rearm: true, because '%s' ends in a latch",
                             rules_.states_[rule.to].name));
  }
  return ClearBound(written, path, rule);
}

absl::Status FallbackCompiler::ClearBound(const v1::ClearRule& written, const std::string& path,
                                          TriggerRule& rule) {
  if (written.max_per_hour() == 0) {
    if (written.else_().empty()) return absl::OkStatus();
    return Wrong(path + ".else", "must be left out without max_per_hour: nothing ever leads there");
  }
  const std::string at = path + ".max_per_hour";
  if (rule.clear != ClearBy::kQuiet) return Wrong(at, "belongs to quiet_ms only");
  if (written.max_per_hour() > kMaxClearsPerHour) {
    return Wrong(at, "must be at most %d, is %d", kMaxClearsPerHour, written.max_per_hour());
  }
  if (rule.quiet * written.max_per_hour() >= kClearWindow) {
    return Under("S3", Wrong(at, "can never be reached: quiet_ms (%g) leaves no time for so many",
                             written.quiet_ms()));
  }
  rule.max_per_hour = written.max_per_hour();
  const StateRule& from = rules_.states_[rule.to];
  ASSIGN_OR_RETURN(rule.otherwise, Above(path + ".else", written.else_(), from));
  if (EndsInLatch(rules_, rule.otherwise)) {
    return Under("S6", Wrong(path + ".else", "must not end in a latch, which no operator clears"));
  }
  return absl::OkStatus();
}

absl::Status FallbackCompiler::DeferOf(const v1::Defer& written, const std::string& path,
                                       TriggerRule& rule) {
  if (EndsInLatch(rules_, rule.to)) {
    return Wrong(path, "must be left out: '%s' is an emergency", rules_.states_[rule.to].name);
  }
  if (policy_.command().type != CommandType::kTwist2d) {
    return Wrong(path, "must be left out: only a mobile base is in a zone");
  }
  ASSIGN_OR_RETURN(rule.defer_max, PositiveS(path + ".max_s", written.max_s(),
                                             "nothing is postponed for ever", kMostDeferMs / 1000));
  const std::vector<MapZone>& zones = policy_.envelope();
  for (const std::string& id : written.in_zone()) {
    const auto zone = std::find_if(zones.begin(), zones.end(), [&](const MapZone& known) {
      return known.id == id && known.kind == ZoneKind::kSpeed;
    });
    if (zone == zones.end()) {
      return Wrong(path + ".in_zone", "names no envelope zone of kind speed: '%s'", id);
    }
    rule.defer_in |= ZoneMask{1} << (zone - zones.begin());
  }
  if (rule.defer_in == 0) return Wrong(path + ".in_zone", "must name a zone");
  return absl::OkStatus();
}

}  // namespace agent::runtime
