#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// Whether the library is worth a verdict: every pair of conditions that the robots are meant for
// was recorded, for long enough, and every trigger and state of the fallback rules was seen at
// work, in recordings or under injected faults. What is missing is evidence, so this gate never
// says FAIL.

namespace gatekeeper::gates {
namespace {

constexpr double kLeastOverlap_s = 1;  // of two conditions in one clip; as for scoring a segment

// Seconds of the recording in which both tags hold. Segments of one tag may overlap each other.
double SharedSeconds(const Replay& replay, const std::string& a, const std::string& b) {
  const v1::Scenario& scenario = replay.scenario->document;
  const double length_s = replay.Second(replay.last_ns);
  std::vector<double> edges{0, length_s};
  for (const v1::Segment& segment : scenario.segments()) {
    edges.push_back(std::clamp(segment.from_s(), 0.0, length_s));
    edges.push_back(std::clamp(segment.to_s(), 0.0, length_s));
  }
  std::sort(edges.begin(), edges.end());
  double both_s = 0;
  for (size_t i = 1; i < edges.size(); ++i) {
    const double middle_s = (edges[i - 1] + edges[i]) / 2;
    if (InSegment(scenario, middle_s, a) && InSegment(scenario, middle_s, b))
      both_s += edges[i] - edges[i - 1];
  }
  return both_s;
}

struct Cell {
  std::string name;  // "light: dusk, floor: wet"
  std::string a;
  std::string b;
  uint64_t clips = 0;
  double seconds = 0;
};

// Every pair of values of two dimensions; the values themselves where there is one dimension only.
std::vector<Cell> CellsOf(const v1::CoverageGate& gate) {
  std::vector<Cell> cells;
  const auto& dimensions = gate.dimensions();
  if (dimensions.size() == 1) {
    for (const std::string& tag : dimensions[0].tags())
      cells.push_back({.name = dimensions[0].id() + ": " + tag, .a = tag, .b = tag});
  }
  for (int i = 0; i < dimensions.size(); ++i) {
    for (int j = i + 1; j < dimensions.size(); ++j) {
      for (const std::string& a : dimensions[i].tags()) {
        for (const std::string& b : dimensions[j].tags()) {
          cells.push_back(
              {.name = dimensions[i].id() + ": " + a + ", " + dimensions[j].id() + ": " + b,
               .a = a,
               .b = b});
        }
      }
    }
  }
  return cells;
}

std::vector<Cell> Fill(const Evidence& evidence) {
  std::vector<Cell> cells = CellsOf(evidence.suite.coverage());
  for (const Replay& replay : evidence.replays) {
    if (!replay.status.ok()) continue;
    for (Cell& cell : cells) {
      const double seconds = SharedSeconds(replay, cell.a, cell.b);
      if (seconds < kLeastOverlap_s) continue;
      ++cell.clips;
      cell.seconds += seconds;
    }
  }
  return cells;
}

// Of recordings that could be replayed, each once however many scenarios name it. Clips of one
// drive are files of their own, and each adds its time.
double HoursOf(const Evidence& evidence) {
  std::map<std::string, double> hours;
  for (const Replay& replay : evidence.replays) {
    if (!replay.status.ok()) continue;
    hours[ClipOf(replay.scenario->document)] = replay.Second(replay.last_ns) / 3600;
  }
  double sum = 0;
  for (const auto& [recording, h] : hours) sum += h;
  return sum;
}

// What the fallback rules did anywhere: in which recordings a trigger fired, which states were
// visited.
struct Seen {
  std::map<std::string, std::string> recordings;  // by scenario
  std::map<std::string, std::set<std::string>> fired;
  std::set<std::string> visited;

  void Take(const Replay& replay) {
    recordings[replay.id()] = RecordingOf(replay);
    for (const v1::TickRecord& tick : replay.ticks) {
      visited.insert(tick.state());
      for (const std::string& trigger : tick.triggers()) fired[trigger].insert(RecordingOf(replay));
    }
  }
  void Take(const v1::HurtDrive& drive) {
    const auto recording = recordings.try_emplace(drive.scenario(), drive.scenario()).first;
    for (const v1::HurtDrive::Change& change : drive.changes()) {
      visited.insert(change.state());
      for (const std::string& trigger : change.triggers()) fired[trigger].insert(recording->second);
    }
  }
};

Seen Watch(const Evidence& evidence) {
  Seen seen;
  for (const Replay& replay : evidence.replays) seen.Take(replay);
  for (const FaultRun& run : evidence.stale_runs) seen.Take(run.replay);
  for (const auto* runs : {&evidence.network_runs, &evidence.matrix_runs, &evidence.chain_runs,
                           &evidence.corruption_runs}) {
    for (const HurtRun& run : *runs) seen.Take(run.drive);
  }
  return seen;
}

// How much of something there is.
struct Covered {
  uint64_t had = 0;
  uint64_t of = 0;
};

Covered CountCells(const std::vector<Cell>& cells, v1::GateResult& result) {
  Covered share{.had = 0, .of = cells.size()};
  for (const Cell& cell : cells) {
    if (cell.clips > 0) {
      ++share.had;
      continue;
    }
    result.add_findings()->set_message(
        absl::StrFormat("no clip holds a second of %s: record one or tag the segments", cell.name));
  }
  return share;
}

Covered CountTriggers(const Evidence& evidence, const Seen& seen, v1::GateResult& result) {
  const uint64_t wanted = evidence.suite.coverage().trigger_clips();
  Covered share{.had = 0, .of = static_cast<uint64_t>(evidence.fallback.triggers_size())};
  for (const v1::Trigger& trigger : evidence.fallback.triggers()) {
    const auto fired = seen.fired.find(trigger.id());
    const uint64_t recordings = fired == seen.fired.end() ? 0 : fired->second.size();
    if (recordings >= wanted) {
      ++share.had;
      continue;
    }
    result.add_findings()->set_message(
        absl::StrFormat("trigger %s fired in %s, injected faults included; %d are wanted",
                        trigger.id(), agent::base::Counted(recordings, "recording"), wanted));
  }
  return share;
}

Covered CountStates(const Evidence& evidence, const Seen& seen, v1::GateResult& result) {
  Covered share{.had = 0, .of = evidence.fallback.states().size()};
  const std::set<std::string> names = [&] {
    std::set<std::string> all;
    for (const auto& [name, state] : evidence.fallback.states()) all.insert(name);
    return all;
  }();
  for (const std::string& name : names) {
    if (seen.visited.count(name) > 0) {
      ++share.had;
      continue;
    }
    result.add_findings()->set_message(
        absl::StrFormat("state %s was never visited, injected faults included", name));
  }
  return share;
}

void AddRows(const std::vector<Cell>& cells, v1::GateResult& result) {
  for (const Cell& cell : cells) {
    v1::SegmentBound& row = *result.add_segments();
    row.set_tag(cell.name);
    row.set_outcome(cell.clips > 0 ? v1::PASS : v1::INSUFFICIENT);
    row.set_n(cell.clips);
    row.set_value(cell.seconds / 3600);
  }
}

}  // namespace

v1::GateResult JudgeCoverage(const Evidence& evidence) {
  const v1::CoverageGate& limits = evidence.suite.coverage();
  v1::GateResult result;
  const std::vector<Cell> cells = Fill(evidence);
  const Seen seen = Watch(evidence);
  const double hours = HoursOf(evidence);
  const Covered covered = CountCells(cells, result);
  const Covered fired = CountTriggers(evidence, seen, result);
  const Covered visited = CountStates(evidence, seen, result);
  if (hours < limits.min_hours()) {
    result.add_findings()->set_message(absl::StrFormat(
        "%.3f h of robot life are recorded, %.3f h are wanted", hours, limits.min_hours()));
  }
  AddRows(cells, result);
  result.set_outcome(result.findings_size() == 0 ? v1::PASS : v1::INSUFFICIENT);
  result.set_value(hours);
  result.set_limit(limits.min_hours());
  result.set_margin(hours - limits.min_hours());
  result.set_alpha(evidence.suite.alpha());
  // What a library of this length cannot rule out.
  result.set_bound(RateUpperBound(0, hours, evidence.suite.alpha()));
  result.set_n(evidence.replays.size());
  std::set<std::string> recordings;
  for (const Replay& replay : evidence.replays) recordings.insert(RecordingOf(replay));
  result.set_n_eff(static_cast<double>(recordings.size()));
  result.set_summary(absl::StrFormat(
      "%d of %d pairs of conditions, %d of %d triggers, %d of %d states; %.3f h: what never "
      "happened in them may still happen %.3g times an hour (%g%% confidence)",
      covered.had, covered.of, fired.had, fired.of, visited.had, visited.of, hours, result.bound(),
      100 * (1 - evidence.suite.alpha())));
  return result;
}

}  // namespace gatekeeper::gates
