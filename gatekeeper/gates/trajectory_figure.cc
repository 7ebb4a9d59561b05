#include "gatekeeper/gates/trajectory_figure.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/figure_parts.h"
#include "gatekeeper/gates/surroundings.h"

namespace gatekeeper::gates {
namespace {

constexpr double kMargin_m = 8;  // around the way: the hall that a person knows it by

// Ends of the way, widened.
class WayExtent {
 public:
  void Take(double x_m, double y_m) {
    if (!std::isfinite(x_m) || !std::isfinite(y_m)) return;
    low_ = any_ ? agent::runtime::Vec2{std::min(low_.x, x_m), std::min(low_.y, y_m)}
                : agent::runtime::Vec2{x_m, y_m};
    high_ = any_ ? agent::runtime::Vec2{std::max(high_.x, x_m), std::max(high_.y, y_m)}
                 : agent::runtime::Vec2{x_m, y_m};
    any_ = true;
  }
  bool any() const { return any_; }
  Window Widened() const {
    const double half = std::max(high_.x - low_.x, high_.y - low_.y) / 2;
    const double margin = std::max(kMargin_m, half);
    return {.low = {low_.x - margin, low_.y - margin},
            .high = {high_.x + margin, high_.y + margin}};
  }

 private:
  agent::runtime::Vec2 low_;
  agent::runtime::Vec2 high_;
  bool any_ = false;
};

void AddZone(const v1::EnvelopeZone& zone, v1::Figure& figure) {
  constexpr int kCorners = 48;
  v1::Series& area = AddSeries(figure, zone.kind() + " " + zone.id(), v1::Series::AREA);
  for (const v1::Point& point : zone.polygon_m()) {
    area.add_x(point.x());
    area.add_y(point.y());
  }
  for (int i = 0; zone.has_circle_m() && i < kCorners; ++i) {
    const double angle = 2 * std::numbers::pi * i / kCorners;
    area.add_x(zone.circle_m().c().x() + zone.circle_m().r() * std::cos(angle));
    area.add_y(zone.circle_m().c().y() + zone.circle_m().r() * std::sin(angle));
  }
}

// The drive in the clip's world that came to harm, or the first one; null: it has none that may be
// believed.
const v1::ClosedLoopRun* WorstDrive(const Evidence& evidence, const std::string& scenario) {
  const v1::ClosedLoopRun* worst = nullptr;
  for (const v1::ClosedLoopRun& run : evidence.closed_loop) {
    if (run.scenario() != scenario || !run.not_used().empty() || run.x_m().empty()) continue;
    if (std::isfinite(run.collided_at_s())) return &run;
    const bool left = std::isfinite(run.left_map_at_s());
    if (worst == nullptr || (left && !std::isfinite(worst->left_map_at_s()))) worst = &run;
  }
  return worst;
}

void AddDrive(const v1::ClosedLoopRun& run, WayExtent& extent, v1::Figure& figure) {
  v1::Series& way = AddSeries(figure, "driven in the rebuilt world", v1::Series::LINE);
  const int count = std::min(run.x_m_size(), run.y_m_size());
  const int stride = static_cast<int>(Stride(static_cast<size_t>(count)));
  for (int i = 0; i < count; i += stride) {
    way.add_x(run.x_m(i));
    way.add_y(run.y_m(i));
    extent.Take(run.x_m(i), run.y_m(i));
  }
  if (!std::isfinite(run.collided_at_s()) || !(run.period_s() > 0)) return;
  const double tick = std::clamp(run.collided_at_s() / run.period_s(), 0.0, count - 1.0);
  const int at = static_cast<int>(std::lround(tick));
  AddMark(figure, run.x_m(at), run.y_m(at),
          absl::StrFormat("collides %.2f s", run.start_s() + run.collided_at_s()));
}

void AddDots(const std::string& name, const std::vector<agent::runtime::Vec2>& dots,
             v1::Figure& figure) {
  if (dots.empty()) return;
  v1::Series& series = AddSeries(figure, name, v1::Series::POINTS);
  for (const agent::runtime::Vec2& dot : dots) {
    series.add_x(std::round(dot.x * 1000) / 1000);
    series.add_y(std::round(dot.y * 1000) / 1000);
  }
}

}  // namespace

std::optional<v1::Figure> TrajectoryFigure(const Evidence& evidence, const Replay& replay,
                                           const std::vector<double>& seconds,
                                           const MapOfSite* map) {
  if (replay.measured.empty() || replay.ticks.empty()) return std::nullopt;
  v1::Figure figure = NewFigure("trajectory:" + replay.id(),
                                replay.id() + ": where the recorded robot went", "x (m)", "y (m)");
  figure.set_equal_axes(true);
  v1::Series& way = AddSeries(figure, "recorded way", v1::Series::LINE);
  WayExtent extent;
  const size_t last = replay.measured.size() - 1;
  for (size_t i = 0; i <= last; i += Stride(replay.measured.size())) {
    extent.Take(replay.measured[i].x_m, replay.measured[i].y_m);
    way.add_x(replay.measured[i].x_m);
    way.add_y(replay.measured[i].y_m);
  }
  if (!extent.any()) return std::nullopt;
  for (const v1::EnvelopeZone& zone : evidence.policy.envelope()) AddZone(zone, figure);
  const v1::ClosedLoopRun* drive = WorstDrive(evidence, replay.id());
  if (drive != nullptr) AddDrive(*drive, extent, figure);
  if (map != nullptr) {
    AddDots("walls of " + map->file, WallsIn(map->map, extent.Widened()), figure);
  } else {
    AddDots("seen by the laser", SeenIn(replay, seconds, extent.Widened()), figure);
  }
  for (const double at_s : seconds) {
    const int64_t at_ns = replay.first_ns + std::llround(at_s * 1e9);
    const MeasuredMotion& place = replay.measured[std::min(TickAt(replay, at_ns), last)];
    if (std::isfinite(place.x_m)) {
      AddMark(figure, place.x_m, place.y_m, absl::StrFormat("%.2f s", at_s));
    }
  }
  return figure;
}

}  // namespace gatekeeper::gates
