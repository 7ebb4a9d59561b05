#include "gatekeeper/bundle/policy_checks.h"

#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "boost/geometry.hpp"
#include "boost/geometry/geometries/multi_polygon.hpp"
#include "boost/geometry/geometries/point_xy.hpp"
#include "boost/geometry/geometries/polygon.hpp"

namespace gatekeeper::bundle {
namespace {

namespace bg = boost::geometry;
using PointXy = bg::model::d2::point_xy<double>;
using Polygon = bg::model::polygon<PointXy>;
using MultiPolygon = bg::model::multi_polygon<Polygon>;
using Points = google::protobuf::RepeatedPtrField<v1::Point>;

constexpr int kCircleCorners = 64;  // a circle as a polygon: area within 0.2 %

Polygon ToPolygon(const Points& points) {
  Polygon polygon;
  for (const v1::Point& point : points) bg::append(polygon.outer(), PointXy(point.x(), point.y()));
  bg::correct(polygon);
  return polygon;
}

Polygon ToPolygon(const v1::Circle& circle) {
  Polygon polygon;
  for (int i = 0; i < kCircleCorners; ++i) {
    const double angle = 2 * std::numbers::pi * i / kCircleCorners;
    bg::append(polygon.outer(), PointXy(circle.c().x() + circle.r() * std::cos(angle),
                                        circle.c().y() + circle.r() * std::sin(angle)));
  }
  bg::correct(polygon);
  return polygon;
}

class Checks {
 public:
  Checks(const v1::ControlPolicy& policy, const v1::FallbackRules& rules)
      : policy_(policy), rules_(rules) {}

  std::vector<Finding> Run() {
    CheckInputs();
    CheckDebounce();
    CheckGround();
    return std::move(found_);
  }

 private:
  void Add(const char* rule, const std::string& path, const std::string& message) {
    found_.push_back({rule, path, message});
  }

  void CheckInputs() {
    std::map<std::string, const v1::InputRule*> sorted;
    for (const auto& [name, rule] : policy_.inputs()) sorted[name] = &rule;
    for (const auto& [name, rule] : sorted) {
      const std::string path = "inputs." + name + ".max_age_ms";
      if (rule->max_age_ms() > rules_.mrc_within_ms()) {
        Add("S8", path,
            absl::StrFormat("%g ms is longer than mrc_within_ms (%g): the stop would come too late",
                            rule->max_age_ms(), rules_.mrc_within_ms()));
      }
    }
  }

  void CheckDebounce() {
    for (int i = 0; i < policy_.separation().zones_size(); ++i) {
      const v1::BodyZone& zone = policy_.separation().zones(i);
      const std::string path = absl::StrFormat("separation.zones[%d]", i);
      const double ms = 1000.0 * zone.trigger_consecutive() / policy_.command().rate_hz();
      if (ms > rules_.mrc_within_ms()) {
        Add("S8", path + ".trigger_consecutive",
            absl::StrFormat("takes %g ms to react; mrc_within_ms is %g", ms,
                            rules_.mrc_within_ms()));
      }
    }
  }

  // The allowed ground: inclusion zones less exclusion zones must not be empty.
  void CheckGround() {
    MultiPolygon ground;
    bool drawn = false;
    for (const v1::EnvelopeZone& zone : policy_.envelope()) {
      if (zone.kind() != "inclusion") continue;
      drawn = true;
      MultiPolygon sum;
      bg::union_(ground, Shape(zone), sum);
      ground = std::move(sum);
    }
    if (!drawn) return;
    for (const v1::EnvelopeZone& zone : policy_.envelope()) {
      if (zone.kind() != "exclusion") continue;
      MultiPolygon rest;
      bg::difference(ground, Shape(zone), rest);
      ground = std::move(rest);
    }
    if (bg::area(ground) <= 0) {
      Add("S11", "envelope", "the exclusion zones cover all of the inclusion zones");
    }
  }

  static Polygon Shape(const v1::EnvelopeZone& zone) {
    return zone.has_circle_m() ? ToPolygon(zone.circle_m()) : ToPolygon(zone.polygon_m());
  }

  const v1::ControlPolicy& policy_;
  const v1::FallbackRules& rules_;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> CheckPolicy(const v1::ControlPolicy& policy, const v1::FallbackRules& rules) {
  return Checks(policy, rules).Run();
}

}  // namespace gatekeeper::bundle
