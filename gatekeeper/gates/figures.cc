#include "gatekeeper/gates/figures.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/figure_parts.h"
#include "gatekeeper/gates/trajectory_figure.h"

namespace gatekeeper::gates {
namespace {

constexpr int kBars = 40;
constexpr size_t kMaxReasons = 12;

// Bars over kBars equal parts of [0, high]; what lies beyond stands in the last.
v1::Series& AddHistogram(v1::Figure& figure, const char* name, const std::vector<double>& values,
                         double high) {
  std::vector<double> counts(kBars, 0);
  for (const double value : values) {
    const double part = std::floor(value / high * kBars);
    counts[static_cast<size_t>(std::clamp(part, 0.0, kBars - 1.0))] += 1;
  }
  v1::Series& series = AddSeries(figure, name, v1::Series::BARS);
  for (int i = 0; i < kBars; ++i) {
    series.add_x((i + 0.5) * high / kBars);
    series.add_y(counts[static_cast<size_t>(i)]);
  }
  return series;
}

void AddClampReasons(const Evidence& evidence, std::vector<v1::Figure>& figures) {
  std::map<std::string, double> ticks;
  for (const Replay& replay : evidence.replays) {
    for (const v1::TickRecord& tick : replay.ticks) {
      if (!tick.clamped()) continue;
      for (const std::string& reason : tick.reasons()) ticks[reason] += 1;
    }
  }
  if (ticks.empty()) return;
  std::vector<std::pair<std::string, double>> rows(ticks.begin(), ticks.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (rows.size() > kMaxReasons) rows.resize(kMaxReasons);
  v1::Figure figure = NewFigure("clamp_reasons", "Why the policy changed commands", "ticks", "");
  v1::Series& series = AddSeries(figure, "ticks", v1::Series::BARS);
  for (const auto& [reason, count] : rows) {
    series.add_labels(reason);
    series.add_x(count);
  }
  figures.push_back(figure);
}

void AddClampShares(const Evidence& evidence, std::vector<v1::Figure>& figures) {
  std::vector<double> shares;
  for (const Replay& replay : evidence.replays) {
    double answered = 0;
    double clamped = 0;
    for (const v1::TickRecord& tick : replay.ticks) {
      if (tick.raw_size() == 0) continue;
      answered += 1;
      if (tick.clamped()) clamped += 1;
    }
    if (answered > 0) shares.push_back(clamped / answered);
  }
  if (shares.empty()) return;
  v1::Figure figure = NewFigure(
      "clamp_shares", "Share of commands that the policy changed, by clip", "share", "clips");
  AddHistogram(figure, "clips", shares, 1);
  AddMark(figure, evidence.suite.raw_vs_enforced().max_clamp_fraction(), 0,
          "limit for all together");
  figures.push_back(figure);
}

void AddLatency(const Evidence& evidence, std::vector<v1::Figure>& figures) {
  std::vector<double> times;
  for (const Replay& replay : evidence.replays) {
    for (const Frame& frame : replay.frames) {
      times.push_back(std::chrono::duration<double, std::milli>(frame.took).count());
    }
  }
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  const auto at = [&](double quantile) {
    return times[static_cast<size_t>(quantile * static_cast<double>(times.size() - 1))];
  };
  const double deadline = evidence.suite.latency().deadline_ms();
  // A deadline far beyond every frame would press them all into one bar.
  const bool near = deadline < 10 * at(0.999);
  const double high = std::max(near ? deadline * 1.1 : 0, at(0.999) * 1.1);
  if (!(high > 0)) return;
  v1::Figure figure = NewFigure("latency", "How long the model ran", "time (ms)", "frames");
  AddHistogram(figure, "frames", times, high);
  AddMark(figure, at(0.5), 0, absl::StrFormat("P50 %.3g", at(0.5)));
  AddMark(figure, at(0.99), 0, absl::StrFormat("P99 %.3g", at(0.99)));
  if (near) AddMark(figure, deadline, 0, absl::StrFormat("deadline %.3g", deadline));
  figures.push_back(figure);
}

void AddSpeed(const Evidence& evidence, const Replay& replay, const std::vector<double>& seconds,
              std::vector<v1::Figure>& figures) {
  const auto& fields = evidence.policy.command().fields();
  if (fields.empty()) return;
  v1::Figure figure = NewFigure("speed:" + replay.id(), replay.id() + ": asked for and commanded",
                                "time (s)", fields[0].c_str());
  v1::Series& raw = AddSeries(figure, "the model asked for", v1::Series::LINE);
  v1::Series& enforced = AddSeries(figure, "was commanded", v1::Series::LINE);
  for (size_t i = 0; i < replay.ticks.size(); i += Stride(replay.ticks.size())) {
    const v1::TickRecord& tick = replay.ticks[i];
    const double at_s = replay.Second(tick.now_ns());
    const double none = std::numeric_limits<double>::quiet_NaN();
    raw.add_x(at_s);
    raw.add_y(tick.raw_size() > 0 ? tick.raw(0) : none);
    enforced.add_x(at_s);
    enforced.add_y(tick.enforced_size() > 0 ? tick.enforced(0) : none);
  }
  if (!replay.commands.empty()) {
    v1::Series& recorded = AddSeries(figure, "was recorded", v1::Series::LINE);
    for (size_t i = 0; i < replay.commands.size(); i += Stride(replay.commands.size())) {
      if (replay.commands[i].values.empty()) continue;
      recorded.add_x(replay.Second(replay.commands[i].at_ns));
      recorded.add_y(replay.commands[i].values[0]);
    }
  }
  for (const double at_s : seconds) AddMark(figure, at_s, 0, absl::StrFormat("%.2f s", at_s));
  figures.push_back(figure);
}

// The scenarios that findings of gates which do not hold speak of, in order, with their seconds.
std::vector<std::pair<std::string, std::vector<double>>> Accused(
    const std::vector<v1::GateResult>& results) {
  constexpr size_t kMaxSeconds = 5;  // of one scenario
  std::vector<std::pair<std::string, std::vector<double>>> accused;
  for (const v1::GateResult& result : results) {
    if (result.outcome() == v1::PASS) continue;
    for (const v1::Finding& finding : result.findings()) {
      if (finding.scenario().empty()) continue;
      auto place = std::find_if(accused.begin(), accused.end(), [&](const auto& known) {
        return known.first == finding.scenario();
      });
      if (place == accused.end()) {
        if (accused.size() == kMaxTrajectories) continue;
        place = accused.insert(accused.end(), {finding.scenario(), {}});
      }
      if (place->second.size() < kMaxSeconds) place->second.push_back(finding.at_s());
    }
  }
  return accused;
}

}  // namespace

std::vector<v1::Figure> MakeFigures(const Evidence& evidence,
                                    const std::vector<v1::GateResult>& results,
                                    const MapOfSite* map) {
  std::vector<v1::Figure> figures;
  AddClampReasons(evidence, figures);
  AddClampShares(evidence, figures);
  AddLatency(evidence, figures);
  for (const auto& [id, seconds] : Accused(results)) {
    for (const Replay& replay : evidence.replays) {
      if (replay.id() != id || replay.ticks.empty()) continue;
      if (auto way = TrajectoryFigure(evidence, replay, seconds, map)) figures.push_back(*way);
      AddSpeed(evidence, replay, seconds, figures);
    }
  }
  return figures;
}

}  // namespace gatekeeper::gates
