#include "gatekeeper/gates/fault_expectation.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "gatekeeper/gates/fault_actor.h"
#include "gatekeeper/gates/log_time.h"

namespace gatekeeper::gates {
namespace {

using agent::runtime::Policy;

constexpr double kNs = 1e-9;

// Triggers that every unit has (agent/runtime/fallback.h).
constexpr char kModelFailed[] = "model_failed";
constexpr char kInvariantBroken[] = "invariant_broken";
constexpr char kNetworkDown[] = "network_down";
constexpr char kEstopButton[] = "estop_button";

double LengthOf(const faults::Spec& spec) {
  return static_cast<double>(spec.end_ns - spec.onset_ns) * kNs;
}

// Whole ticks that a fault is on for.
double Ticks(const faults::Spec& spec, const v1::ControlPolicy& policy) {
  return std::floor(LengthOf(spec) * policy.command().rate_hz());
}

// Whoever presses the button, or leans on the robot, must be noticed where the policy can.
bool ExpectOfPeople(const faults::Entry& entry, const HurtRules& rules, Expectation& expected) {
  const std::string id = entry.id;
  if (id == "estop_held" || id == "estop_tapped") expected.wanted = {kEstopButton};
  const std::string& contact = rules.policy.arm().contact_trigger();
  if (id == "pushed" && !contact.empty()) expected.wanted = {contact};
  return !expected.wanted.empty();
}

void ExpectOfInputs(const faults::Entry& entry, const HurtRun& run, const HurtRules& rules,
                    Expectation& expected) {
  const faults::Spec& spec = run.planned.fault.spec;
  const std::string id = entry.id;
  if (ExpectOfPeople(entry, rules, expected)) return;
  // A laser that sees nothing is noticed by every robot that needs it, whatever its policy asks.
  if (const auto input = rules.policy.inputs().find(spec.channel);
      id == "blackout" && input != rules.policy.inputs().end() &&
      Ticks(spec, rules.policy) >
          input->second.max_age_ms() * 1e-3 * rules.policy.command().rate_hz()) {
    expected.wanted = {input->second.trigger()};
    return;
  }
  if (id == "wrong_frame") {
    for (const v1::EnvelopeZone& zone : rules.policy.envelope()) {
      if (zone.kind() == "inclusion") expected.wanted.push_back(zone.trigger());
    }
    if (!expected.wanted.empty()) return;
  }
  if (run.drive.demanded_ns() == 0) return;
  expected.wanted = {run.drive.demanded()};
  const bool after_its_end = run.drive.demanded_ns() >= spec.end_ns;
  if (entry.onset == faults::Onset::kGradual || after_its_end)
    expected.from_ns = run.drive.demanded_ns();
}

void ExpectMisses(const faults::Spec& spec, const HurtRules& rules, Expectation& expected) {
  const v1::DeadlineRule& deadline = rules.policy.deadline();
  expected.safety = Safety::kOffModel;
  if (Ticks(spec, rules.policy) > deadline.max_consecutive())
    expected.wanted = {deadline.trigger()};
}

void ExpectOfModel(const faults::Entry& entry, const HurtRun& run, const HurtRules& rules,
                   Expectation& expected) {
  const faults::Spec& spec = run.planned.fault.spec;
  const std::string id = entry.id;
  expected.safety = Safety::kOffModel;
  const double ticks = Ticks(spec, rules.policy);
  if (id == "model_hung") ExpectMisses(spec, rules, expected);
  if (id == "model_crashed" && ticks >= 1) expected.wanted = {kModelFailed};
  if (id == "model_nan" && ticks >= 1) expected.wanted = {rules.policy.output().trigger()};
  if (id == "model_wrong_outputs" && ticks >= 1) expected.wanted = {kInvariantBroken};
  if (id == "model_slow") {
    const v1::DeadlineWindow& window = rules.policy.deadline().window();
    const double needed = 2.0 * (window.max() + 1);  // every other tick is a miss
    if (ticks <= needed || needed > window.n()) return;
    expected.wanted = {rules.policy.deadline().trigger()};
    expected.from_ns += Nanoseconds(1e3 * needed / rules.policy.command().rate_hz());
  }
}

void ExpectOfLink(const faults::Entry& entry, const HurtRun& run, const HurtRules& rules,
                  Expectation& expected) {
  expected.safety = Safety::kObeyed;
  if (std::string(entry.id) == "link_lossy") return;
  for (const v1::Trigger& rule : rules.fallback.triggers()) {
    if (rule.id() != kNetworkDown) continue;
    const double slack_s = 2 / rules.policy.command().rate_hz();
    if (LengthOf(run.planned.fault.spec) <= rule.after_ms() * 1e-3 + slack_s) continue;
    expected.wanted = {kNetworkDown};
    expected.allowed_ms = rule.after_ms();
  }
}

// The share that a rule's document leaves at a value: linear between its points, flat outside.
double ShareAt(const v1::DerateRule& rule, double value) {
  if (rule.points().empty() || rule.points_size() != rule.scale_size()) return 1;
  if (value <= rule.points(0)) return rule.scale(0);
  for (int i = 1; i < rule.points_size(); ++i) {
    if (value > rule.points(i)) continue;
    const double part = (value - rule.points(i - 1)) / (rule.points(i) - rule.points(i - 1));
    return rule.scale(i - 1) + part * (rule.scale(i) - rule.scale(i - 1));
  }
  return rule.scale(rule.scale_size() - 1);
}

void ExpectOfSignal(const faults::Entry& entry, const HurtRun& run, const HurtRules& rules,
                    const Policy& policy, Expectation& expected) {
  const faults::Spec& spec = run.planned.fault.spec;
  if (Ticks(spec, rules.policy) < 1) return;
  const SignalPair signal = SignalOf(entry.id, policy);
  for (const v1::DerateRule& rule : rules.policy.derate()) {
    if (rule.signal() != signal.name) continue;
    const double share = ShareAt(rule, signal.bad);
    expected.most_derate = std::min(expected.most_derate, share);
    if (share <= 0) expected.wanted = {rule.trigger()};
  }
  if (std::string(entry.id) == "throttle_quarter" && expected.wanted.empty())
    ExpectMisses(spec, rules, expected);
}

}  // namespace

Expectation ExpectationOf(const faults::Entry& entry, const HurtRun& run, const HurtRules& rules,
                          const Policy& policy) {
  Expectation expected;
  expected.from_ns = run.planned.fault.onset_ns;
  switch (entry.hurts) {
    case faults::Hurts::kChannel:
    case faults::Hurts::kRobot:
      ExpectOfInputs(entry, run, rules, expected);
      break;
    case faults::Hurts::kModel:
      ExpectOfModel(entry, run, rules, expected);
      break;
    case faults::Hurts::kLink:
      ExpectOfLink(entry, run, rules, expected);
      break;
    case faults::Hurts::kSignal:
      ExpectOfSignal(entry, run, rules, policy, expected);
      break;
  }
  return expected;
}

}  // namespace gatekeeper::gates
