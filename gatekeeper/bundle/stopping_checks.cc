#include "gatekeeper/bundle/stopping_checks.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/bundle/site.h"

namespace gatekeeper::bundle {
namespace {

// What a drive answers late by when no site says so: the slowest in policies/site.
constexpr double kLagS = 0.1;
// As agent/runtime/envelope.cc reckons, and why: a command is driven for 1.5 periods at the latest.
constexpr double kEnvelopePeriods = 2;
constexpr double kCommandPeriods = 1.5;
// What adding up a way in doubles may be off by.
constexpr double kRoundingUm = 1e-3;
// A zone acts on the tick after the scan that completes its debounce.
constexpr double kZonePeriods = 1;

double Least(const google::protobuf::RepeatedField<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

GridPoint Moved(GridPoint point, int64_t by_um) { return {point.x_um + by_um, point.y_um}; }

// What the footprint covers on its way `by_um` along x, itself first.
std::vector<Shape> Sweep(const Shape& footprint, int64_t by_um) {
  std::vector<Shape> parts = {footprint, footprint};
  Shape& moved = parts.back();
  moved.centre = Moved(moved.centre, by_um);
  for (GridPoint& corner : moved.corners) corner = Moved(corner, by_um);
  if (footprint.corners.empty()) {
    const GridPoint top{footprint.centre.x_um, footprint.centre.y_um + footprint.radius_um};
    const GridPoint low{footprint.centre.x_um, footprint.centre.y_um - footprint.radius_um};
    parts.push_back({.corners = {top, Moved(top, by_um), Moved(low, by_um), low}, .centre = {}});
  }
  for (size_t i = 0; i < footprint.corners.size(); ++i) {
    const GridPoint a = footprint.corners[i];
    const GridPoint b = footprint.corners[(i + 1) % footprint.corners.size()];
    parts.push_back({.corners = {a, b, Moved(b, by_um), Moved(a, by_um)}, .centre = {}});
  }
  return parts;
}

// The zones around the body and the way that a stop takes.
class ZoneChain {
 public:
  ZoneChain(const v1::ControlPolicy& policy, const Shape& footprint, double lag_s, bool forwards)
      : policy_(policy), footprint_(footprint), lag_s_(lag_s), sign_(forwards ? 1 : -1) {
    for (const v1::BodyZone& zone : policy.separation().zones()) {
      if (zone.action() == "limit") caps_.insert(zone.vx_max_mps());
    }
  }

  // The way from v to a stop, if the zones cover it; `gap` says where they do not.
  std::optional<double> WayFrom(double v, std::string& gap) const {
    if (v <= 0) return 0;
    std::optional<double> way = WayFrom(v, 0, 0, gap);
    for (auto cap = caps_.rbegin(); cap != caps_.rend() && !way; ++cap) {
      if (*cap >= v || *cap <= 0) continue;
      std::string below_gap;
      const std::optional<double> below = WayFrom(*cap, below_gap);
      if (below) way = WayFrom(v, *cap, *below, gap);
    }
    return way;
  }

 private:
  // From v down to u under zones that cap at u or less, and on from there.
  std::optional<double> WayFrom(double v, double u, double below_m, std::string& gap) const {
    std::vector<Shape> zones;
    uint32_t debounce = 1;
    for (const v1::BodyZone& zone : policy_.separation().zones()) {
      if (zone.action() == "limit" && zone.vx_max_mps() > u) continue;
      debounce = std::max(debounce, zone.trigger_consecutive());
      const auto shape = ShapeOf("", zone);
      if (shape.ok()) zones.push_back(*shape);
    }
    const double dec = Least(policy_.limits().nominal().dec_max_mps2());
    const double react_s = (debounce + kZonePeriods) / policy_.command().rate_hz() + lag_s_;
    const double way_m = v * react_s + (v * v - u * u) / (2 * dec) + below_m;
    const auto beyond = Uncovered(zones, way_m);
    if (!beyond) return way_m;
    gap = absl::StrFormat("%.3f m to %s; (%.3f, %.3f) lies in no zone that does it", way_m,
                          u > 0 ? absl::StrFormat("slow to %g m/s and stop", u) : "stop", beyond->x,
                          beyond->y);
    return std::nullopt;
  }

  std::optional<agent::runtime::Vec2> Uncovered(const std::vector<Shape>& zones,
                                                double way_m) const {
    const auto by_um = static_cast<int64_t>(std::ceil(way_m * 1e6 - kRoundingUm));
    std::vector<Shape> shapes = Sweep(footprint_, sign_ * by_um);
    const auto swept = static_cast<std::ptrdiff_t>(shapes.size());
    shapes.insert(shapes.end(), zones.begin(), zones.end());
    return FindCell(shapes, [swept](const std::vector<bool>& in) {
      const auto zone = in.begin() + swept;
      return !in[0] && std::find(in.begin(), zone, true) != zone &&
             std::find(zone, in.end(), true) == in.end();
    });
  }

  const v1::ControlPolicy& policy_;
  const Shape& footprint_;
  const double lag_s_;
  const int64_t sign_;
  std::set<double> caps_;
};

class StoppingChecks {
 public:
  StoppingChecks(const v1::ControlPolicy& policy, const std::vector<const v1::Capability*>& robots)
      : policy_(policy), limits_(policy.limits().nominal()), robots_(robots) {
    if (!robots.empty()) lag_s_ = 0;
    for (const v1::Capability* robot : robots) lag_s_ = std::max(lag_s_, robot->lag_ms() / 1000);
  }

  std::vector<Finding> Run() {
    if (!policy_.inputs().contains("scan")) {
      CheckBlind();
    } else if (policy_.separation().has_ssm()) {
      CheckSpeedAndSeparation();
    } else {
      CheckZones();
    }
    for (const v1::Capability* robot : robots_) CheckMargins(*robot);
    return std::move(found_);
  }

 private:
  void Add(const std::string& path, const std::string& message) {
    found_.push_back({"S10", path, message});
  }

  void CheckBlind() {
    const auto& zones = policy_.envelope();
    const bool bounded = std::any_of(zones.begin(), zones.end(), [](const v1::EnvelopeZone& zone) {
      return zone.kind() == "inclusion";
    });
    if (bounded) return;
    Add("envelope", "must draw an inclusion zone: without a scan nothing else ends the way");
  }

  void CheckSpeedAndSeparation() {
    const v1::SpeedAndSeparation& ssm = policy_.separation().ssm();
    const double react_s = (1 + kZonePeriods) / policy_.command().rate_hz() + lag_s_;
    if (ssm.t_react_s() < react_s) {
      Add("separation.ssm.t_react_s",
          absl::StrFormat("must be at least %g: two periods and the robot's lag; is %g", react_s,
                          ssm.t_react_s()));
    }
  }

  // Ascending, so that the slowest speed that is not covered is the one that is told.
  std::set<double> Speeds(double fastest) const {
    std::set<double> speeds = {fastest};
    for (const double point : limits_.speed_points_mps()) {
      if (point < fastest) speeds.insert(point);
    }
    return speeds;
  }

  void CheckZones() {
    const auto footprint = ShapeOf("footprint", policy_.footprint());
    if (!footprint.ok()) {
      Add("footprint", "must be whole micrometres (six decimals)");
      return;
    }
    for (const bool forwards : {true, false}) {
      const ZoneChain chain(policy_, *footprint, lag_s_, forwards);
      for (const double v : Speeds(forwards ? limits_.vx_max_mps() : -limits_.vx_min_mps())) {
        std::string gap;
        if (chain.WayFrom(v, gap)) continue;
        Add("separation", absl::StrFormat("does not cover %g m/s %s: the robot needs %s", v,
                                          forwards ? "forwards" : "backwards", gap));
        break;
      }
    }
  }

  // What the envelope check reckons with, against what the robot is certified to need.
  void CheckMargins(const v1::Capability& robot) {
    const double period_s = 1 / policy_.command().rate_hz();
    const double dec = Least(limits_.dec_max_mps2());
    for (int i = 0; i < policy_.envelope_size(); ++i) {
      if (policy_.envelope(i).kind() == "speed") continue;
      for (const double v : Speeds(std::max(limits_.vx_max_mps(), -limits_.vx_min_mps()))) {
        const double reckoned = v * kEnvelopePeriods * period_s + v * v / (2 * dec);
        const double real = v * (kCommandPeriods * period_s + robot.lag_ms() / 1000) +
                            v * v / (2 * robot.dec_mps2());
        const double missing = real - reckoned - policy_.envelope(i).margin_m();
        if (missing <= 0) continue;
        Add(absl::StrFormat("envelope[%d].margin_m", i),
            absl::StrFormat("is %.3f m short at %g m/s: the certified robot stops in %.3f m, the "
                            "check reckons with %.3f m",
                            missing, v, real, reckoned));
        break;
      }
    }
  }

  const v1::ControlPolicy& policy_;
  const v1::LimitSet& limits_;
  const std::vector<const v1::Capability*>& robots_;
  double lag_s_ = kLagS;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> CheckStopping(const v1::ControlPolicy& policy,
                                   const std::vector<const v1::Capability*>& robots) {
  if (policy.command().type() != "twist2d") return {};
  return StoppingChecks(policy, robots).Run();
}

}  // namespace gatekeeper::bundle
