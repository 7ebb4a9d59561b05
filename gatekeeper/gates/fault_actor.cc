#include "gatekeeper/gates/fault_actor.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "gatekeeper/faults/catalogue.h"
#include "gatekeeper/faults/corruption.h"
#include "gatekeeper/faults/relation.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Nanos;
using Ailment = UnhurriedModel::Ailment;

constexpr double kTooHot_degC = 10;  // above the point at which the policy stops the robot
constexpr double kSag = 0.8;         // of the supply's good voltage

void AddStage(const faults::Spec& spec, bool closed,
              std::vector<std::unique_ptr<faults::Transform>>& stages) {
  const faults::Entry* const entry = closed ? faults::Find(spec.id) : nullptr;
  if (entry != nullptr && entry->make != nullptr) stages.push_back(entry->make(spec));
  if (closed) return;
  if (const auto* corruption = faults::FindCorruption(spec.id))
    stages.push_back(corruption->make(spec));
  if (const auto* relation = faults::FindRelation(spec.id)) stages.push_back(relation->make(spec));
}

bool IsSignal(const std::string& id) {
  const faults::Entry* const entry = faults::Find(id);
  return entry != nullptr && entry->hurts == faults::Hurts::kSignal;
}

}  // namespace

std::vector<std::unique_ptr<faults::Transform>> StagesOf(const Fault& fault) {
  std::vector<std::unique_ptr<faults::Transform>> stages;
  AddStage(fault.spec, fault.closed(), stages);
  AddStage(fault.also, fault.closed(), stages);
  return stages;
}

SignalPair SignalOf(const std::string& fault_id, const agent::runtime::Policy& policy) {
  SignalPair pair;
  double low = 0;
  double high = 0;
  const bool heat = fault_id == "heat";
  const bool supply = fault_id == "voltage_sag" || fault_id == "supply_ripple";
  pair.name = heat ? "soc_temp_degC" : supply ? "supply_V" : "infer_p99_ms_60s";
  for (const agent::runtime::DerateLimits& rule : policy.derate()) {
    if (rule.signal != pair.name) continue;
    low = rule.scale.points.front();
    high = rule.scale.points.back();
  }
  const bool ruled = high > 0;
  if (heat) return {pair.name, ruled ? high + kTooHot_degC : 105, ruled ? low : 40};
  if (supply) {
    const double good = ruled ? high : 24;
    return {pair.name, kSag * good, good};
  }
  // A model that takes half of its deadline on a cool computer.
  const double half_ms =
      std::chrono::duration<double, std::milli>(policy.deadline().hard).count() / 2;
  return {pair.name, (fault_id == "throttle_quarter" ? 4 : 2) * half_ms, half_ms};
}

FaultActor::FaultActor(const Fault& fault, TestBench& bench) : fault_(fault), bench_(bench) {
  switch (fault.previous) {
    case Fault::Previous::kAbsent:
    case Fault::Previous::kSound:
      break;
    case Fault::Previous::kFails:
      bench_.previous_model().Suffer(Ailment::kFails);
      break;
    case Fault::Previous::kNan:
      bench_.previous_model().Suffer(Ailment::kNan);
      break;
    case Fault::Previous::kLate:
      bench_.previous_model().Suffer(Ailment::kLate);
      break;
  }
}

FaultActor::~FaultActor() {
  bench_.model().Suffer(Ailment::kNone);
  bench_.previous_model().Suffer(Ailment::kNone);
}

void FaultActor::HurtModel(const faults::Spec& spec, int64_t now_ns) {
  Ailment ailment = Ailment::kNone;
  if (spec.On(now_ns)) {
    if (spec.id == "model_hung" || spec.id == "throttle_quarter") ailment = Ailment::kLate;
    if (spec.id == "model_slow" && ticks_ % 2 == 0) ailment = Ailment::kLate;
    if (spec.id == "model_crashed") ailment = Ailment::kFails;
    if (spec.id == "model_wrong_outputs") ailment = Ailment::kTooFewOutputs;
    if (spec.id == "model_nan") ailment = Ailment::kNan;
    if (spec.id == "model_zero") ailment = Ailment::kZero;
    if (spec.id == "model_runaway") ailment = Ailment::kLargest;
    ++ticks_;
  }
  bench_.model().Suffer(ailment);
}

void FaultActor::SetSignals(int64_t now_ns, agent::runtime::Controller& controller) const {
  const faults::Spec& spec = fault_.spec;
  if (!IsSignal(spec.id) || now_ns < spec.onset_ns) return;
  const SignalPair signal = SignalOf(spec.id, bench_.rules().policy);
  const bool rests = spec.id == "supply_ripple" && ticks_ % 2 == 0;
  const bool bad = spec.On(now_ns) && !rests;
  controller.SetSignal(signal.name, bad ? signal.bad : signal.good, Nanos(now_ns));
}

void FaultActor::Act(int64_t now_ns, agent::runtime::Controller& controller) {
  if (!fault_.closed()) return;
  const faults::Spec& spec = fault_.spec;
  HurtModel(spec, now_ns);
  SetSignals(now_ns, controller);
  controller.SetLink(LinkIsUp(fault_, now_ns), Nanos(now_ns));
}

}  // namespace gatekeeper::gates
