#include "gatekeeper/gates/relation_check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/faults/relation.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/hurt_plan.h"

namespace gatekeeper::gates {
namespace {

using agent::runtime::CommandType;
using agent::runtime::UnitRules;

constexpr double kSameCommand = 1e-6;  // a model speaks float32
constexpr double kSameSpeed_mps = 1e-9;

bool Needs(const UnitRules& rules, const char* channel) {
  const auto* const input = rules.policy.FindInput(channel);
  return input != nullptr && input->required;
}
bool Drives(const UnitRules& rules) { return rules.policy.command().type == CommandType::kTwist2d; }
bool SeesPlaces(const UnitRules& rules) {
  for (const v1::InputBinding& input : rules.card.inputs()) {
    for (const std::string& field : input.fields()) {
      if (input.channel() == "odom" && (field == "x_m" || field == "y_m")) return true;
    }
  }
  return false;
}

constexpr RelationRule kRules[] = {
    {"mirror", "mirror", false, Drives},
    {"brighter", "brighter", false, [](const UnitRules& r) { return Needs(r, "image"); }},
    {"darker", "darker", false, [](const UnitRules& r) { return Needs(r, "image"); }},
    {"nearer", "nearer", true, [](const UnitRules& r) { return Drives(r) && Needs(r, "scan"); }},
    {"nearer_model", "nearer", false,
     [](const UnitRules& r) { return Drives(r) && Needs(r, "scan"); }},
    {"moved_site", "moved_site", true,
     [](const UnitRules& r) {
       return Drives(r) && Needs(r, "odom") && !r.policy.envelope().empty() && !SeesPlaces(r);
     }},
};

// Gathers the violations of a relation, tick by tick.
class Verdict {
 public:
  // `measure` at most 1 holds.
  void Add(int64_t at_ns, double measure, const std::string& found) {
    ++ticks_;
    if (measure > 1) ++violations_;
    if (measure <= worst_) return;
    worst_ = measure;
    worst_ns_ = at_ns;
    found_ = found;
  }
  void Write(v1::RelationCheck& check) const {
    check.set_ticks(ticks_);
    check.set_worst(worst_);
    check.set_worst_ns(worst_ns_);
    check.set_found(found_);
    check.set_share(ticks_ == 0 ? 0
                                : static_cast<double>(violations_) / static_cast<double>(ticks_));
  }

 private:
  uint64_t ticks_ = 0;
  uint64_t violations_ = 0;
  double worst_ = 0;
  int64_t worst_ns_ = 0;
  std::string found_;
};

using Compare =
    std::function<void(const v1::TickRecord& clean, const v1::TickRecord& changed, Verdict&)>;

void ForEachPair(const Replay& clean, const Replay& changed, const Compare& compare,
                 v1::RelationCheck& check) {
  if (!changed.status.ok()) {
    check.set_error(std::string(changed.status.message()));
    return;
  }
  Verdict verdict;
  const size_t ticks = std::min(clean.ticks.size(), changed.ticks.size());
  for (size_t i = 0; i < ticks; ++i) compare(clean.ticks[i], changed.ticks[i], verdict);
  verdict.Write(check);
  if (check.ticks() == 0) check.set_error("no tick of the two drives could be compared");
}

// Each raw command against `sign` times the other, in tolerances.
Compare RawAgainst(const RelationLimits& limits, double tolerance, double turn_sign) {
  return [&limits, tolerance, turn_sign](const v1::TickRecord& clean, const v1::TickRecord& changed,
                                         Verdict& verdict) {
    if (clean.raw_size() == 0 || changed.raw_size() != clean.raw_size()) return;
    double worst = 0;
    std::string found;
    for (int i = 0; i < clean.raw_size(); ++i) {
      const std::string& field = limits.policy.command().fields(i);
      const double wanted = (field == "wz_radps" ? turn_sign : 1) * clean.raw(i);
      const double measure = std::abs(changed.raw(i) - wanted) /
                             (tolerance * ToleranceOf(field, limits.suite.agreement()));
      if (measure <= worst) continue;
      worst = measure;
      found = absl::StrFormat("%s %.3f, wanted %.3f", field, changed.raw(i), wanted);
    }
    verdict.Add(clean.now_ns(), worst, found);
  };
}

// The model may ask for more speed by its tolerance, not by more.
Compare RawNoFaster(const RelationLimits& limits) {
  return [&limits](const v1::TickRecord& clean, const v1::TickRecord& changed, Verdict& verdict) {
    if (clean.raw_size() != 2 || changed.raw_size() != 2) return;
    const double more = std::abs(changed.raw(0)) - std::abs(clean.raw(0));
    verdict.Add(clean.now_ns(), std::max(0.0, more / limits.suite.agreement().vx_tolerance_mps()),
                absl::StrFormat("asks for %.3f m/s, before %.3f", changed.raw(0), clean.raw(0)));
  };
}

bool HeldByEnvelope(const v1::TickRecord& tick) {
  return std::any_of(tick.reasons().begin(), tick.reasons().end(), [](const std::string& reason) {
    return reason.rfind("envelope:", 0) == 0 || reason.rfind("outside:", 0) == 0;
  });
}

// With the same answers of the model. Where the envelope held the unchanged drive back, a slower
// one may pass by on another curve: it is asked again once it is no faster.
Compare EnforcedNoFaster() {
  return [excused = false](const v1::TickRecord& clean, const v1::TickRecord& changed,
                           Verdict& verdict) mutable {
    if (clean.enforced_size() != 2 || changed.enforced_size() != 2) return;
    const double more = std::abs(changed.enforced(0)) - std::abs(clean.enforced(0));
    if (HeldByEnvelope(clean)) excused = true;
    if (more <= kSameSpeed_mps) excused = false;
    if (excused) return;
    verdict.Add(
        clean.now_ns(), std::max(0.0, more / kSameSpeed_mps),
        absl::StrFormat("commanded %.6f m/s, before %.6f", changed.enforced(0), clean.enforced(0)));
  };
}

Compare SameEnforced() {
  return [](const v1::TickRecord& clean, const v1::TickRecord& changed, Verdict& verdict) {
    double worst = clean.state() == changed.state() ? 0 : 2;
    if (clean.enforced_size() != changed.enforced_size()) worst = 2;
    for (int i = 0; worst < 2 && i < clean.enforced_size(); ++i)
      worst = std::max(worst, std::abs(clean.enforced(i) - changed.enforced(i)) / kSameCommand);
    verdict.Add(clean.now_ns(), worst,
                absl::StrFormat("state %s, before %s", changed.state(), clean.state()));
  };
}

// The policy of the same site with its origin elsewhere.
v1::ControlPolicy Moved(v1::ControlPolicy policy) {
  const auto move = [](v1::Point& point) {
    point.set_x(point.x() + faults::kSiteMovedX_m);
    point.set_y(point.y() + faults::kSiteMovedY_m);
  };
  for (v1::EnvelopeZone& zone : *policy.mutable_envelope()) {
    for (v1::Point& point : *zone.mutable_polygon_m()) move(point);
    if (zone.has_circle_m()) move(*zone.mutable_circle_m()->mutable_c());
  }
  return policy;
}

absl::StatusOr<std::unique_ptr<TestBench>> MovedBench(TestBench& bench,
                                                      const RelationLimits& limits) {
  ASSIGN_OR_RETURN(agent::runtime::Policy policy,
                   agent::runtime::Policy::Compile(Moved(limits.policy)));
  ASSIGN_OR_RETURN(agent::runtime::Fallback fallback,
                   agent::runtime::Fallback::Compile(limits.fallback, policy));
  auto rules = std::make_shared<const UnitRules>(
      UnitRules{std::move(policy), std::move(fallback), bench.rules().card});
  return TestBench::Create(bench.pilot().digest, std::move(rules),
                           std::make_unique<BorrowedModel>(bench.model()));
}

Replay DriveMovedSite(const RelationRule& rule, const Scenario& scenario, TestBench& bench,
                      const RelationLimits& limits) {
  const auto moved = MovedBench(bench, limits);
  if (moved.ok()) return RunReplay(scenario, **moved, ChangeOf(rule));
  Replay none;
  none.scenario = &scenario;
  none.status = moved.status();
  return none;
}

// The changed drive with the model's answers of the unchanged one.
Replay DriveNearer(const RelationRule& rule, const Scenario& scenario, TestBench& bench) {
  UnhurriedModel::Answers answers;
  bench.model().Tell(&answers);
  RunReplay(scenario, bench);
  bench.model().Tell(nullptr);
  bench.model().Repeat(&answers);
  Replay nearer = RunReplay(scenario, bench, ChangeOf(rule));
  bench.model().Repeat(nullptr);
  return nearer;
}

Compare CompareFor(const RelationRule& rule, const RelationLimits& limits) {
  const v1::MetamorphicGate& gate = limits.suite.metamorphic();
  const std::string id = rule.id;
  if (id == "moved_site") return SameEnforced();
  if (id == "nearer") return EnforcedNoFaster();
  if (id == "nearer_model") return RawNoFaster(limits);
  return id == "mirror" ? RawAgainst(limits, gate.mirror_tolerance(), -1)
                        : RawAgainst(limits, gate.brightness_tolerance(), 1);
}

std::string Variant(const RelationRule& rule, const RelationLimits& limits) {
  const v1::Agreement& agreement = limits.suite.agreement();
  return absl::StrFormat("relation %s, tolerances %.17g %.17g %.17g, %.17g %.17g", rule.id,
                         agreement.vx_tolerance_mps(), agreement.wz_tolerance_radps(),
                         agreement.joint_tolerance_rad(),
                         limits.suite.metamorphic().mirror_tolerance(),
                         limits.suite.metamorphic().brightness_tolerance());
}

}  // namespace

std::span<const RelationRule> RelationRules() { return kRules; }

Fault ChangeOf(const RelationRule& rule) {
  Fault fault;
  fault.kind = Fault::Kind::kOpenLoop;
  fault.spec = {.id = rule.change, .channel = {}, .onset_ns = 0, .end_ns = INT64_MAX};
  return fault;
}

v1::ControlPolicy PolicyUnder(const RelationRule& rule, const v1::ControlPolicy& policy) {
  return std::string(rule.id) == "moved_site" ? Moved(policy) : policy;
}

std::vector<PlannedRelation> PlanRelations(const std::vector<Replay>& replays,
                                           const UnitRules& rules, const v1::GateSuite& suite) {
  std::vector<PlannedRelation> plan;
  for (const size_t index :
       DrawClips(replays, suite, "metamorphic", suite.metamorphic().clips(), AnyClip)) {
    for (const RelationRule& rule : RelationRules()) {
      if (rule.fits(rules)) plan.push_back({&rule, index});
    }
  }
  return plan;
}

Replay DriveChanged(const RelationRule& rule, const Scenario& scenario, TestBench& bench,
                    const RelationLimits& limits) {
  const std::string id = rule.id;
  if (id == "moved_site") return DriveMovedSite(rule, scenario, bench, limits);
  if (id == "nearer") return DriveNearer(rule, scenario, bench);
  return RunReplay(scenario, bench, ChangeOf(rule));
}

v1::RelationCheck CheckRelation(const RelationRule& rule, const Replay& clean, TestBench& bench,
                                const RelationLimits& limits) {
  v1::RelationCheck check;
  check.set_scenario(clean.id());
  ForEachPair(clean, DriveChanged(rule, *clean.scenario, bench, limits), CompareFor(rule, limits),
              check);
  return check;
}

std::vector<RelationRun> RunRelations(ReplayFarm& farm, const std::vector<Replay>& replays,
                                      const std::vector<PlannedRelation>& planned,
                                      const RelationLimits& limits) {
  std::vector<Job> jobs;
  for (const PlannedRelation& relation : planned)
    jobs.push_back({.scenario = relation.scenario, .variant = Variant(*relation.rule, limits)});
  std::vector<v1::RelationCheck> checks =
      farm.Do<v1::RelationCheck>(jobs, [&](size_t i, const Scenario&, TestBench& bench) {
        return CheckRelation(*planned[i].rule, replays[planned[i].scenario], bench, limits);
      });
  std::vector<RelationRun> runs;
  for (size_t i = 0; i < planned.size(); ++i) runs.push_back({planned[i], std::move(checks[i])});
  return runs;
}

}  // namespace gatekeeper::gates
