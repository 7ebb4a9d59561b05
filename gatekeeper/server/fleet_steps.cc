// The step each robot of a fleet would take, from the unit it has committed to the one that is
// rolled out: the gates compared with one unit, robots may run another.

#include <ctime>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/bundle/rule_diff.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/server/stored_rules.h"

namespace gatekeeper::server {
namespace {

constexpr size_t kShown = 5;  // an error is one line; fleets are long, and so are changes

std::string Day(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return absl::StrFormat("%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

std::string FirstOf(const std::vector<std::string>& all, const char* separator) {
  const size_t shown = std::min(kShown, all.size());
  std::string text =
      absl::StrJoin(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), separator);
  if (all.size() > shown) absl::StrAppendFormat(&text, " and %d more", all.size() - shown);
  return text;
}

// A robot tries its present unit again as the one before (S12).
std::vector<std::string> WhyNoWayBack(bundle::RuleSet rules, const bundle::PreviousUnit& previous) {
  rules.previous = previous;
  std::vector<std::string> why;
  for (const bundle::Diagnostic& finding : bundle::CheckRules(rules)) {
    if (finding.rule == "S12") why.push_back(bundle::ToString(finding));
  }
  return why;
}

std::vector<std::string> Looser(const std::vector<bundle::RuleChange>& changes) {
  std::vector<std::string> looser;
  for (const bundle::RuleChange& change : changes) {
    if (!bundle::WantsSecondPerson(change)) continue;
    looser.push_back(absl::StrFormat("%s: %s was %s, is %s", change.document, change.path,
                                     change.before, change.after));
  }
  return looser;
}

}  // namespace

// Each unit that the robots have committed is compared once. A robot that never reported is told
// nothing before it does: CheckArrivals.
absl::Status FleetCore::CheckSteps(const store::Unit& target,
                                   const std::vector<std::string>& robots, int64_t wall_ms) {
  std::map<std::string, std::vector<std::string>> by_unit;
  for (const std::string& robot : robots) {
    const std::string& committed = PointerOf(robot).committed_digest();
    if (!committed.empty() && committed != target.digest) by_unit[committed].push_back(robot);
  }
  for (const auto& [from, where] : by_unit) {
    RETURN_IF_ERROR(CheckStep(target, from, where, wall_ms));
    sound_steps_.insert({from, target.digest});
  }
  return absl::OkStatus();
}

absl::Status FleetCore::CheckStep(const store::Unit& target, const std::string& from,
                                  const std::vector<std::string>& robots, int64_t wall_ms) {
  const std::string where = FirstOf(robots, ", ");
  const store::Unit* deployed = KnownUnit(from);
  if (deployed == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "S16: %s run unit %s, which is not here, so that nobody can tell what %s allows beyond it; "
        "push it first: gatekeeper unit push FOLDER",
        where, from.substr(0, 12), target.title()));
  }
  ASSIGN_OR_RETURN(const bundle::RuleSet theirs, StoredRules(*deployed, blobs_));
  ASSIGN_OR_RETURN(const bundle::RuleSet ours, StoredRules(target, blobs_));
  if (deployed->held_reason.empty()) {  // nothing falls back to one that is held
    ASSIGN_OR_RETURN(const bundle::PreviousUnit previous,
                     bundle::PreviousOf(deployed->title(), theirs));
    const std::vector<std::string> why = WhyNoWayBack(ours, previous);
    if (!why.empty()) {
      return absl::FailedPreconditionError(
          absl::StrFormat("%s run %s, to which %s could not fall back: %s; build a unit that can, "
                          "or whose rules do not name unit:previous",
                          where, deployed->title(), target.title(), FirstOf(why, "; ")));
    }
  }
  ASSIGN_OR_RETURN(const std::vector<bundle::RuleChange> changes, bundle::DiffRules(theirs, ours));
  const std::vector<std::string> looser = Looser(changes);
  if (looser.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto allowed, store_.AllowedSteps(from, target.digest));
  if (!allowed.empty() && Day(wall_ms) <= allowed.back().last_day) return absl::OkStatus();
  const std::string known = allowed.empty()
                                ? "nobody has allowed that step"
                                : absl::StrFormat("%s allowed that step until %s",
                                                  allowed.back().people, allowed.back().last_day);
  return absl::FailedPreconditionError(absl::StrFormat(
      "S16: %s is looser than %s, which %s run: %s; %s. Let a second person look: a waiver of the "
      "gate loosening for %s, then gatekeeper gate run UNIT --against FOLDER-OF-%s ... --sign, and "
      "gatekeeper unit push UNIT once more",
      target.title(), deployed->title(), where, FirstOf(looser, "; "), known, target.title(),
      deployed->title()));
}

// Of a rollout under way: robots that it has not told anything yet, with what they report now. What
// two people allowed when it was started stands until it ends.
absl::Status FleetCore::CheckArrivals(const v1::RolloutState& state) {
  if (state.phase() == v1::ABORTING) return absl::OkStatus();
  std::vector<std::string> arrived;
  for (const v1::RolloutRobot& robot : state.robots()) {
    if (robot.touched()) continue;
    const std::string& committed = PointerOf(robot.robot()).committed_digest();
    if (committed.empty() || sound_steps_.contains({committed, state.unit_digest()})) continue;
    arrived.push_back(robot.robot());
  }
  if (arrived.empty()) return absl::OkStatus();
  const store::Unit* target = KnownUnit(state.unit_digest());
  if (target == nullptr) return absl::OkStatus();  // its row is gone: nothing can be fetched either
  return CheckSteps(*target, arrived, state.started_ms());
}

}  // namespace gatekeeper::server
