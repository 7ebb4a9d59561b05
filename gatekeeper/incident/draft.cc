#include "gatekeeper/incident/draft.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/str_format.h"

namespace gatekeeper::incident {
namespace {

constexpr size_t kMostLines = 300;  // a timeline longer than this is read in the audit trail
constexpr char kBlank[] = "_To be written by people: a machine does not know._\n\n";

std::string Short(const std::string& digest) {
  return digest.empty() ? "none" : absl::StrFormat("`%s`", digest.substr(0, 12));
}

// Table cells stay one line and one cell.
std::string Cell(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
    if (c == '|') c = '/';
  }
  return text.empty() ? "–" : text;
}

size_t Count(const Facts& facts, std::string_view outcome) {
  return static_cast<size_t>(std::ranges::count(facts.robots, outcome, &RobotReturn::outcome));
}

std::string Status(const Facts& facts) {
  const size_t open = Count(facts, "");
  const size_t back = Count(facts, "running") + Count(facts, "already");
  if (facts.robots.empty() || facts.kind == "estop" || facts.kind == "stop") {
    return "recorded";
  }
  if (open > 0) {
    return absl::StrFormat("**open**: %d of %d robots have not answered", open,
                           facts.robots.size());
  }
  if (back == facts.robots.size()) {
    return absl::StrFormat("restored: all %d robots report the wanted unit running", back);
  }
  return absl::StrFormat("**incomplete**: %d of %d robots report the wanted unit running", back,
                         facts.robots.size());
}

// A robot that was away tells of its stops late, and its clock may be off.
std::string When(const Stops& stops) {
  if (stops.times == 0) return "";
  const std::string first = UtcText(stops.first_ms);
  const std::string_view clock = stops.by_robot ? " by the robot's clock" : "";
  if (stops.times == 1) return absl::StrFormat("| Stopped | %s%s |\n", first, clock);
  return absl::StrFormat("| Stopped | %d times, %s to %s%s; last told %s UTC |\n", stops.times,
                         first, UtcText(stops.last_ms), clock, UtcText(stops.told_ms));
}

std::string Header(const Facts& facts) {
  std::string text = absl::StrFormat("# %s\n\n", facts.title);
  absl::StrAppendFormat(&text, "| | |\n|---|---|\n| Incident | %s |\n", facts.id);
  absl::StrAppendFormat(&text, "| Fleet | %s |\n| Kind | %s |\n", facts.fleet, facts.kind);
  if (!facts.unit.empty()) {
    absl::StrAppendFormat(&text, "| Suspect unit | %s %s |\n", facts.unit,
                          Short(facts.unit_digest));
  }
  if (!facts.rollout.empty()) absl::StrAppendFormat(&text, "| Rollout | %s |\n", facts.rollout);
  absl::StrAppendFormat(&text, "| Began by | %s |\n", Cell(facts.actor));
  absl::StrAppendFormat(&text, "| Opened | %s UTC |\n", UtcText(facts.opened_ms));
  text += When(facts.stops);
  if (facts.ended_ms > 0) {
    absl::StrAppendFormat(&text, "| Last robot answered | %s UTC (%.1f s) |\n",
                          UtcText(facts.ended_ms),
                          static_cast<double>(facts.ended_ms - facts.opened_ms) / 1000);
  }
  absl::StrAppendFormat(&text, "| Status | %s |\n\n", Status(facts));
  return text;
}

std::string Robots(const Facts& facts) {
  if (facts.robots.empty()) return "";
  std::string text =
      "## Robots and receipts\n\n"
      "| Robot | Before | Wanted | Outcome | After | Reports running | Detail |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const RobotReturn& robot : facts.robots) {
    const bool answered = !robot.outcome.empty();
    const std::string wanted =
        robot.wanted_unit.empty()
            ? Short(robot.wanted_digest)
            : absl::StrFormat("%s %s", robot.wanted_unit, Short(robot.wanted_digest));
    absl::StrAppendFormat(&text, "| %s | %s | %s | %s | %s | %s | %s |\n", robot.robot,
                          Short(robot.before_digest), wanted,
                          answered ? robot.outcome : "**awaited**",
                          answered ? absl::StrFormat("%.2f s", robot.seconds) : "–",
                          answered ? Short(robot.running_digest) : "–", Cell(robot.detail));
  }
  return text + "\n";
}

std::string Metrics(const Facts& facts) {
  if (facts.metrics.empty()) return "";
  std::string text =
      "## Numbers at the decision\n\n"
      "| Robot | State | Ticks | Deadline misses | Clamped | Not finite | Fallback episodes | "
      "Disagreed in shadow | Not shown in shadow | Inference p99 |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n";
  for (const RobotMetrics& robot : facts.metrics) {
    absl::StrAppendFormat(&text, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %.0f µs |\n",
                          robot.robot, Cell(robot.state), robot.ticks, robot.deadline_misses,
                          robot.clamped, robot.nonfinite, robot.fallback_episodes,
                          robot.disagreements, robot.shed, robot.infer_p99_us);
  }
  return text + "\n";
}

}  // namespace

std::string TimelineText(std::vector<TimelineLine> lines, std::string_view whose_clock) {
  std::ranges::stable_sort(lines, {}, &TimelineLine::wall_ms);
  std::string text = absl::StrFormat("## Timeline (UTC, %s clock)\n\n", whose_clock);
  if (lines.empty()) return text + "Nothing was recorded.\n\n";
  const size_t left_out = lines.size() > kMostLines ? lines.size() - kMostLines : 0;
  if (left_out > 0) {
    absl::StrAppendFormat(&text, "_The first %d lines are left out; the audit trail has them._\n\n",
                          left_out);
  }
  for (size_t i = left_out; i < lines.size(); ++i) {
    absl::StrAppendFormat(&text, "- %s — %s: %s\n", UtcText(lines[i].wall_ms), Cell(lines[i].who),
                          Cell(lines[i].what));
  }
  return text + "\n";
}

std::string UtcText(int64_t wall_ms) {
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
  return absl::StrFormat("%s.%03d", text, wall_ms % 1000);
}

std::string Draft(const Facts& facts, std::vector<TimelineLine> timeline) {
  std::string text = Header(facts);
  absl::StrAppendFormat(&text, "## What happened\n\n%s\n\n", facts.reason);
  text += Robots(facts) + Metrics(facts) + TimelineText(std::move(timeline), "gatekeeper's");
  for (const char* heading : {"Cause", "Impact on people and work", "Lessons", "Actions"}) {
    absl::StrAppendFormat(&text, "## %s\n\n%s", heading, kBlank);
  }
  return text;
}

}  // namespace gatekeeper::incident
