#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/chain_link.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

// Each link of the fallback chain is broken in turn: the next one, or a stop, must hold in its
// time.

namespace gatekeeper::gates {
namespace {

struct Ranks {
  const v1::FallbackRules& rules;
  const v1::FallbackState* Of(const std::string& name) const {
    const auto found = rules.states().find(name);
    return found == rules.states().end() ? nullptr : &found->second;
  }
};

// When the link's target held first, in ms since it had to be on its way.
std::optional<double> HeldMs(const HurtRun& run, const ChainLink& link,
                             const v1::FallbackRules& rules) {
  const Ranks ranks{rules};
  const v1::FallbackState* const target = ranks.Of(link.target);
  if (target == nullptr) return std::nullopt;
  const bool stops = target->controller() == "stop" || target->controller() == "hold";
  const int64_t from =
      run.planned.fault.onset_ns + static_cast<int64_t>(std::llround(link.after_s * 1e9));
  for (const v1::HurtDrive::Change& change : run.drive.changes()) {
    if (change.at_ns() < run.planned.fault.onset_ns) continue;
    const v1::FallbackState* const state = ranks.Of(change.state());
    if (state == nullptr) continue;
    if (stops ? !state->minimal_risk_condition() : state->rank() < target->rank()) continue;
    return static_cast<double>(change.at_ns() - from) * 1e-6;
  }
  return std::nullopt;
}

std::string Complaint(const HurtRun& run, const ChainLink& link, const Evidence& evidence) {
  if (!run.drive.error().empty()) return "the drive ended: " + run.drive.error();
  if (!run.drive.unsafe().empty()) return "unsafe: " + run.drive.unsafe();
  const double limit_ms = evidence.suite.fallback_chain().safe_within_ms();
  const std::optional<double> held_ms = HeldMs(run, link, evidence.fallback);
  if (held_ms.has_value() && *held_ms <= limit_ms) return "";
  return absl::StrFormat(
      "%s, or a stop, held %s, limit %g ms", link.target,
      held_ms ? absl::StrFormat("after %.0f ms", *held_ms) : std::string("never"), limit_ms);
}

std::map<std::string, ChainLink> LinksById(const v1::FallbackRules& rules) {
  std::map<std::string, ChainLink> links;
  for (const ChainLink& link : LinksOf(rules)) links[link.id] = link;
  return links;
}

}  // namespace

std::vector<size_t> FailingLinks(const Evidence& evidence) {
  const std::map<std::string, ChainLink> links = LinksById(evidence.fallback);
  std::vector<size_t> failing;
  for (size_t i = 0; i < evidence.chain_runs.size() && failing.size() < kMostShown; ++i) {
    const HurtRun& run = evidence.chain_runs[i];
    const auto link = links.find(run.planned.id);
    if (link != links.end() && !Complaint(run, link->second, evidence).empty())
      failing.push_back(i);
  }
  return failing;
}

v1::GateResult JudgeFallbackChain(const Evidence& evidence) {
  v1::GateResult result;
  const v1::FallbackChainGate& limits = evidence.suite.fallback_chain();
  const std::map<std::string, ChainLink> links = LinksById(evidence.fallback);
  FailingShare share;
  double slowest_ms = 0;
  for (const HurtRun& run : evidence.chain_runs) {
    const auto link = links.find(run.planned.id);
    if (link == links.end()) continue;
    slowest_ms = std::max(slowest_ms, HeldMs(run, link->second, evidence.fallback).value_or(0));
    const std::string complaint = Complaint(run, link->second, evidence);
    share.Add(evidence.replays[run.planned.scenario], !complaint.empty());
    if (complaint.empty()) continue;
    v1::Finding& finding = *result.add_findings() =
        FindingAt(evidence.replays[run.planned.scenario], run.planned.fault.onset_ns, complaint);
    finding.set_segment(run.planned.id);
  }
  result.set_n(evidence.chain_runs.size());
  if (share.recordings() > 0) {
    DecideByWorst({.value = slowest_ms,
                   .limit = limits.safe_within_ms(),
                   .margin = limits.safe_within_ms() - slowest_ms},
                  share, evidence.suite.alpha(), result);
  }
  const bool enough = !links.empty() && share.recordings() >= limits.clips();
  result.set_outcome(result.findings_size() > 0 ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(absl::StrFormat(
      "%d of %d broken links of %d went wrong (%d of %d recordings); slowest %.0f ms, limit %g; %s",
      result.findings_size(), evidence.chain_runs.size(), links.size(), share.recordings(),
      limits.clips(), slowest_ms, limits.safe_within_ms(), share.Text(evidence.suite.alpha())));
  return result;
}

}  // namespace gatekeeper::gates
