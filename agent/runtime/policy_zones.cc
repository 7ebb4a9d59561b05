#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

// The `envelope` and `separation` parts of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int kMaxCorners = 256;
// The way ahead is sampled every 10 mm; twice that keeps the centre off the edge between two
// samples.
constexpr double kLeastMarginM = 0.02;

template <class Zone>
absl::StatusOr<Region> Shape(const std::string& path, const Zone& zone) {
  const bool polygon = zone.polygon_m_size() > 0;
  if (polygon == zone.has_circle_m()) {
    return Wrong(path, "must have polygon_m or circle_m, exactly one of them");
  }
  if (!polygon) {
    const v1::Circle& circle = zone.circle_m();
    if (!std::isfinite(circle.c().x()) || !std::isfinite(circle.c().y())) {
      return Wrong(path + ".circle_m.c", "must be finite");
    }
    RETURN_IF_ERROR(CheckPositive(path + ".circle_m.r", circle.r(), "a zone has an area"));
    return Region::Circle({circle.c().x(), circle.c().y()}, circle.r());
  }
  if (zone.polygon_m_size() > kMaxCorners) {
    return Wrong(path + ".polygon_m", "must have at most %d corners, has %d", kMaxCorners,
                 zone.polygon_m_size());
  }
  std::vector<Vec2> corners;
  for (const v1::Point& point : zone.polygon_m()) {
    if (!std::isfinite(point.x()) || !std::isfinite(point.y())) {
      return Wrong(path + ".polygon_m", "must be finite");
    }
    corners.push_back({point.x(), point.y()});
  }
  if (!IsSimplePolygon(corners)) {
    return Wrong(path + ".polygon_m",
                 "must be a simple polygon: 3 or more corners, an area, and no edge that touches "
                 "another");
  }
  return Region::Polygon(std::move(corners));
}

template <class Zones, class Zone>
absl::Status CheckId(const std::string& path, const Zones& zones, const Zone& zone) {
  if (zone.id().empty()) return Wrong(path + ".id", "must be given");
  const auto same = std::count_if(zones.begin(), zones.end(),
                                  [&](const auto& other) { return other.id() == zone.id(); });
  if (same > 1) return Wrong(path + ".id", "must be unique, '%s' is used twice", zone.id());
  return absl::OkStatus();
}

absl::StatusOr<double> Cap(const std::string& path, double vx_max_mps) {
  if (!(std::isfinite(vx_max_mps) && vx_max_mps >= 0)) {
    return Wrong(path, "must be 0 or above, is %g", vx_max_mps);
  }
  return vx_max_mps;
}

}  // namespace

absl::Status PolicyCompiler::Envelope() {
  if (document_.envelope().empty()) return absl::OkStatus();
  if (!twist()) return Wrong("envelope", "belongs to command type twist2d only");
  if (document_.envelope_size() > static_cast<int>(kMaxZones)) {
    return Wrong("envelope", "must have at most %d zones, has %d", kMaxZones,
                 document_.envelope_size());
  }
  if (!IsRequiredInput("odom")) {
    return Wrong("envelope", "needs odom among the required inputs: it says where the robot is");
  }
  for (int i = 0; i < document_.envelope_size(); ++i) {
    RETURN_IF_ERROR(EnvelopeZone(document_.envelope(i), absl::StrFormat("envelope[%d]", i)));
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::EnvelopeZone(const v1::EnvelopeZone& zone, const std::string& path) {
  RETURN_IF_ERROR(CheckId(path, document_.envelope(), zone));
  if (zone.frame() != document_.frames().site()) {
    return Wrong(path + ".frame", "must be frames.site ('%s'), is '%s'", document_.frames().site(),
                 zone.frame());
  }
  ASSIGN_OR_RETURN(Region region, Shape(path, zone));
  MapZone compiled{.id = zone.id(),
                   .region = std::move(region),
                   .margin_m = zone.margin_m(),
                   .reason = {},
                   .breach_reason = {}};
  if (!(std::isfinite(zone.margin_m()) && zone.margin_m() >= 0)) {
    return Wrong(path + ".margin_m", "must be 0 or above, is %g", zone.margin_m());
  }
  if (zone.kind() == "speed") {
    if (!zone.trigger().empty()) return Wrong(path + ".trigger", "does not belong to kind speed");
    if (!zone.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "must be given for kind speed");
    ASSIGN_OR_RETURN(compiled.vx_max_mps, Cap(path + ".vx_max_mps", zone.vx_max_mps()));
    compiled.kind = ZoneKind::kSpeed;
    compiled.reason = absl::StrCat("speed_zone:", zone.id());
    policy_.envelope_.push_back(std::move(compiled));
    return absl::OkStatus();
  }
  if (zone.kind() != "inclusion" && zone.kind() != "exclusion") {
    return Wrong(path + ".kind", "must be inclusion, exclusion or speed, is '%s'", zone.kind());
  }
  if (zone.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "belongs to kind speed only");
  if (zone.margin_m() < kLeastMarginM) {
    return Wrong(path + ".margin_m",
                 "must be at least %g, because the robot's centre is not all of it", kLeastMarginM);
  }
  compiled.kind = zone.kind() == "inclusion" ? ZoneKind::kInclusion : ZoneKind::kExclusion;
  compiled.reason = absl::StrCat("envelope:", zone.id());
  compiled.breach_reason = absl::StrCat("outside:", zone.id());
  ASSIGN_OR_RETURN(compiled.trigger, Trigger(path + ".trigger", zone.trigger()));
  policy_.envelope_.push_back(std::move(compiled));
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Separation() {
  const auto& zones = document_.separation().zones();
  if (zones.empty()) return absl::OkStatus();
  if (!twist()) return Wrong("separation", "belongs to command type twist2d only");
  if (zones.size() > static_cast<int>(kMaxZones)) {
    return Wrong("separation.zones", "must have at most %d zones, has %d", kMaxZones, zones.size());
  }
  for (int i = 0; i < zones.size(); ++i) {
    RETURN_IF_ERROR(BodyZone(zones[i], absl::StrFormat("separation.zones[%d]", i)));
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::BodyZone(const v1::BodyZone& zone, const std::string& path) {
  RETURN_IF_ERROR(CheckId(path, document_.separation().zones(), zone));
  ASSIGN_OR_RETURN(Region region, Shape(path, zone));
  if (zone.action() != "stop" && zone.action() != "limit") {
    return Wrong(path + ".action", "must be stop or limit, is '%s'", zone.action());
  }
  if (zone.source() != "scan" || !IsRequiredInput("scan")) {
    return Wrong(path + ".source",
                 "must be scan, the channel that carries one, and a required input; is '%s'",
                 zone.source());
  }
  const bool stop = zone.action() == "stop";
  ScanZone compiled{.id = zone.id(),
                    .stop = stop,
                    .region = std::move(region),
                    .min_points = zone.min_points(),
                    .trigger_consecutive = zone.trigger_consecutive(),
                    .release_consecutive = zone.release_consecutive(),
                    .reason = absl::StrCat(stop ? "stop_zone:" : "slow_zone:", zone.id())};
  if (zone.min_points() == 0 || zone.trigger_consecutive() == 0 ||
      zone.release_consecutive() == 0) {
    return Under("S14", Wrong(path,
                              "must have min_points, trigger_consecutive and release_consecutive "
                              "of at least 1"));
  }
  if (stop == zone.has_vx_max_mps()) {
    return Wrong(path + ".vx_max_mps", "must be given for action limit and for no other");
  }
  if (!stop) {
    ASSIGN_OR_RETURN(compiled.vx_max_mps, Cap(path + ".vx_max_mps", zone.vx_max_mps()));
  }
  policy_.separation_.push_back(std::move(compiled));
  return absl::OkStatus();
}

}  // namespace agent::runtime
