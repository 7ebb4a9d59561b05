#include "gatekeeper/defects/audit_report.h"

#include <map>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::defects {
namespace {

using nlohmann::json;

const char* FateText(Fate fate) {
  if (fate == Fate::kKilled) return "killed";
  return fate == Fate::kSurvived ? "survived" : "not_seeded";
}

std::map<std::string, size_t> KillsByGate(const Audit& audit) {
  std::map<std::string, size_t> kills;
  for (const Seeded& seeded : audit.seeded) {
    for (const std::string& gate : seeded.killers) ++kills[gate];
  }
  return kills;
}

std::string TallyLine(const char* name, const Tally& tally) {
  return absl::StrFormat(
      "%-10s killed %4d of %4d (%5.1f %%), survived %d, could not be seeded %d\n", name,
      tally.killed, tally.seeded(), 100 * tally.rate(), tally.survived, tally.not_seeded);
}

json TallyJson(const Tally& tally) {
  return {{"killed", tally.killed},
          {"survived", tally.survived},
          {"not_seeded", tally.not_seeded},
          {"rate", tally.rate()}};
}

json SeededJson(const Seeded& seeded) {
  json made = {{"in", seeded.in_rules ? "rules" : "scenarios"},
               {"place", seeded.place},
               {"what", seeded.what},
               {"before", seeded.before},
               {"after", seeded.after},
               {"effect", seeded.unclear ? "unclear" : "looser"},
               {"fate", FateText(seeded.fate)},
               {"killers", seeded.killers},
               {"replayed", seeded.replayed}};
  if (!seeded.in_rules) made.erase("effect");
  if (!seeded.reason.empty()) made["reason"] = seeded.reason;
  return made;
}

}  // namespace

std::string AuditText(const Audit& audit, double floor) {
  std::string text = absl::StrFormat("gates over %s%s%s\n", audit.unit,
                                     audit.against.empty() ? "" : " against " + audit.against,
                                     audit.replays ? "" : ", only those that need no replay");
  text += TallyLine("rules", audit.rules()) + TallyLine("scenarios", audit.scenarios()) +
          TallyLine("all", audit.all());
  text += absl::StrFormat("left out: %d edits that only tighten, %d that change nothing new\n",
                          audit.harmless, audit.equal);
  for (const auto& [gate, outcome] : audit.unhurt) {
    if (outcome == v1::PASS) continue;
    text += absl::StrFormat("%s is %s for the unhurt unit%s\n", gate, v1::GateOutcome_Name(outcome),
                            outcome == v1::FAIL ? " and can kill nothing" : "");
  }
  for (const auto& [gate, kills] : KillsByGate(audit))
    text += absl::StrFormat("  %-18s killed %d\n", gate, kills);
  for (const Seeded& seeded : audit.seeded) {
    if (seeded.fate == Fate::kKilled) continue;
    text += absl::StrFormat("%s %s: %s%s: was %s, is %s\n",
                            seeded.fate == Fate::kSurvived ? "survivor" : "could not be seeded",
                            seeded.place, seeded.what, seeded.unclear ? " (unclear)" : "",
                            seeded.before, seeded.after);
    if (!seeded.reason.empty()) text += "    " + seeded.reason + "\n";
  }
  text +=
      absl::StrFormat("kill rate %.1f %%, wanted %.1f %%\n", 100 * audit.all().rate(), 100 * floor);
  return text;
}

std::string AuditJson(const Audit& audit, double floor) {
  json defects = json::array();
  for (const Seeded& seeded : audit.seeded) defects.push_back(SeededJson(seeded));
  json unhurt = json::object();
  for (const auto& [gate, outcome] : audit.unhurt) unhurt[gate] = v1::GateOutcome_Name(outcome);
  const json report = {{"unit", audit.unit},
                       {"against", audit.against},
                       {"replays", audit.replays},
                       {"floor", floor},
                       {"holds", audit.all().rate() >= floor},
                       {"all", TallyJson(audit.all())},
                       {"rules", TallyJson(audit.rules())},
                       {"scenarios", TallyJson(audit.scenarios())},
                       {"harmless_left_out", audit.harmless},
                       {"equal_left_out", audit.equal},
                       {"unhurt", unhurt},
                       {"kills_by_gate", KillsByGate(audit)},
                       {"defects", defects}};
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace gatekeeper::defects
