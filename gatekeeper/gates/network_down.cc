#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The link to the gatekeeper is cut in the middle of a drive, comes and goes, or is never there.
// The rule for it must fire, and the robot must go on getting commands from what it has on board;
// no command in between may be unsafe. No cut may go wrong, and there must be enough of them to
// say what share is survived at least.

namespace gatekeeper::gates {
namespace {

constexpr char kTrigger[] = "network_down";

const v1::Trigger* RuleFor(const v1::FallbackRules& rules) {
  for (const v1::Trigger& trigger : rules.triggers()) {
    if (trigger.id() == kTrigger) return &trigger;
  }
  return nullptr;
}

// From when on the link stays down.
int64_t LostFor(const Fault& fault) { return fault.onset_ns + 2 * fault.flaps * kFlap_ns; }

// Ms since then until the trigger was active.
std::optional<double> NoticedMs(const HurtRun& run) {
  const int64_t lost_ns = LostFor(run.planned.fault);
  bool active = false;
  for (const v1::HurtDrive::Change& change : run.drive.changes()) {
    if (change.at_ns() > lost_ns && active) return 0;
    const auto& triggers = change.triggers();
    active = change.at_ns() >= run.planned.fault.onset_ns &&
             std::find(triggers.begin(), triggers.end(), kTrigger) != triggers.end();
    if (active && change.at_ns() >= lost_ns)
      return static_cast<double>(change.at_ns() - lost_ns) * 1e-6;
  }
  return active ? std::optional<double>(0) : std::nullopt;
}

std::string Complaint(const HurtRun& run, double limit_ms) {
  if (!run.drive.error().empty()) return "the drive ended: " + run.drive.error();
  if (!run.drive.unsafe().empty()) return run.drive.unsafe();
  const std::optional<double> noticed_ms = NoticedMs(run);
  if (noticed_ms.has_value() && *noticed_ms <= limit_ms) return "";
  return absl::StrFormat(
      "trigger %s came %s (limit %g ms)", kTrigger,
      noticed_ms ? absl::StrFormat("after %.0f ms", *noticed_ms) : std::string("never"), limit_ms);
}

double LimitMs(const v1::Trigger& rule, const v1::GateSuite& suite) {
  return rule.after_ms() + suite.faults().detect_within_ms();
}

// Stands where the command was unsafe, or else where the link went down, and tells both.
v1::Finding CutFinding(const HurtRun& run, const std::string& complaint, const Evidence& evidence) {
  const bool unsafe = run.drive.error().empty() && !run.drive.unsafe().empty();
  const Replay& replay = evidence.replays[run.planned.scenario];
  const int64_t onset_ns = run.planned.fault.onset_ns;
  v1::Finding finding = FindingAt(
      replay, unsafe ? run.drive.unsafe_ns() : onset_ns,
      absl::StrFormat("the link went down at %.2f s: %s", replay.Second(onset_ns), complaint));
  finding.set_segment(run.planned.id);
  return finding;
}

// How the cuts of one kind went.
struct Cuts {
  uint64_t all = 0;
  uint64_t survived = 0;
};

void AddRow(const std::string& kind, const Cuts& cuts, double alpha, double floor,
            v1::GateResult& result) {
  v1::SegmentBound& row = *result.add_segments();
  row.set_tag(kind);
  row.set_n(cuts.all);
  row.set_value(static_cast<double>(cuts.survived) / static_cast<double>(cuts.all));
  row.set_lower(LowerBound(cuts.survived, cuts.all, alpha));
  row.set_upper(UpperBound(cuts.survived, cuts.all, alpha));
  row.set_limit(floor);
  row.set_outcome(cuts.survived < cuts.all ? v1::FAIL : v1::PASS);
}

// What decides: the bound over all cuts.
void Decide(const Cuts& all, const v1::GateSuite& suite, v1::GateResult& result) {
  const double floor = NetworkFloor(suite);
  const double lower = LowerBound(all.survived, all.all, suite.alpha());
  result.set_n(all.all);
  result.set_value(all.all == 0 ? 0
                                : static_cast<double>(all.survived) / static_cast<double>(all.all));
  result.set_bound(lower);
  result.set_limit(floor);
  result.set_margin(lower - floor);
  result.set_alpha(suite.alpha());
  result.set_outcome(all.survived < all.all ? v1::FAIL
                     : lower >= floor       ? v1::PASS
                                            : v1::INSUFFICIENT);
}

}  // namespace

std::vector<size_t> FailingCuts(const Evidence& evidence) {
  std::vector<size_t> failing;
  const v1::Trigger* rule = RuleFor(evidence.fallback);
  for (size_t i = 0; rule != nullptr && i < evidence.network_runs.size(); ++i) {
    if (failing.size() >= kMostShown) break;
    if (!Complaint(evidence.network_runs[i], LimitMs(*rule, evidence.suite)).empty())
      failing.push_back(i);
  }
  return failing;
}

v1::Finding FindingOfCut(const Evidence& evidence, size_t place) {
  const HurtRun& run = evidence.network_runs[place];
  const double limit_ms = LimitMs(*RuleFor(evidence.fallback), evidence.suite);
  return CutFinding(run, Complaint(run, limit_ms), evidence);
}

v1::GateResult JudgeNetworkDown(const Evidence& evidence) {
  v1::GateResult result;
  const v1::Trigger* rule = RuleFor(evidence.fallback);
  if (rule == nullptr) {
    result.set_outcome(v1::FAIL);
    result.set_summary(absl::StrFormat("the fallback rules have no trigger %s", kTrigger));
    return result;
  }
  const double limit_ms = LimitMs(*rule, evidence.suite);
  double slowest_ms = 0;
  std::set<std::string> recordings;
  std::map<std::string, Cuts> kinds;
  Cuts all;
  for (const HurtRun& run : evidence.network_runs) {
    slowest_ms = std::max(slowest_ms, NoticedMs(run).value_or(0));
    recordings.insert(RecordingOf(evidence.replays[run.planned.scenario]));
    const std::string complaint = Complaint(run, limit_ms);
    for (Cuts* cuts : {&all, &kinds[run.planned.id]}) {
      ++cuts->all;
      cuts->survived += complaint.empty() ? 1 : 0;
    }
    if (!complaint.empty()) *result.add_findings() = CutFinding(run, complaint, evidence);
  }
  Decide(all, evidence.suite, result);
  result.set_n_eff(static_cast<double>(recordings.size()));
  // One failing cut always undoes a pass, and no more are made than are needed. What a pass can be
  // near is its time: noticed one period later, a cut would have gone wrong.
  const double period_ms = 1000 / evidence.policy.command().rate_hz();
  result.set_marginal(result.outcome() == v1::PASS && slowest_ms + period_ms > limit_ms);
  for (const auto& [kind, cuts] : kinds)
    AddRow(kind, cuts, evidence.suite.alpha(), NetworkFloor(evidence.suite), result);
  result.set_summary(absl::StrFormat(
      "%d of %d cuts of the link in %s went wrong (%d are wanted): at least %.4f of all "
      "are survived, wanted %g; slowest trigger %.0f ms (limit %g)",
      all.all - all.survived, all.all, agent::base::Counted(recordings.size(), "recording"),
      CutsNeeded(evidence.suite), result.bound(), result.limit(), slowest_ms, limit_ms));
  return result;
}

}  // namespace gatekeeper::gates
