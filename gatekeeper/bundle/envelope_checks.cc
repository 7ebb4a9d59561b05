#include "gatekeeper/bundle/envelope_checks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::bundle {
namespace {

using agent::runtime::Vec2;

struct Zone {
  Shape shape;
  Heights heights;
};

// All that bounds the ground, and where it first stands in the policy.
struct Ground {
  std::vector<Zone> inclusions;
  std::vector<Zone> exclusions;
  std::string path = "envelope";  // of the first inclusion zone
};

absl::StatusOr<Ground> GroundOf(const v1::ControlPolicy& policy) {
  Ground ground;
  for (int i = 0; i < policy.envelope_size(); ++i) {
    const v1::EnvelopeZone& written = policy.envelope(i);
    if (written.kind() == "speed") continue;
    const std::string path = absl::StrFormat("envelope[%d]", i);
    Zone zone;
    ASSIGN_OR_RETURN(zone.shape, ShapeOf(path, written));
    ASSIGN_OR_RETURN(zone.heights, HeightsOf(path, written.z_m()));
    const bool inclusion = written.kind() == "inclusion";
    if (inclusion && ground.inclusions.empty()) ground.path = path;
    (inclusion ? ground.inclusions : ground.exclusions).push_back(std::move(zone));
  }
  return ground;
}

// Heights between two neighbouring bounds, where the same zones and regions speak.
std::vector<Heights> Layers(const Ground& ground, const std::vector<SiteRegion>& fence) {
  constexpr double kNoBound = std::numeric_limits<double>::infinity();
  std::vector<double> bounds = {-kNoBound, kNoBound};
  const auto add = [&](const Heights& heights) {
    bounds.push_back(heights.low_m);
    bounds.push_back(heights.high_m);
  };
  for (const Zone& zone : ground.inclusions) add(zone.heights);
  for (const Zone& zone : ground.exclusions) add(zone.heights);
  for (const SiteRegion& region : fence) add(region.heights);
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  std::vector<Heights> layers;
  for (size_t i = 0; i + 1 < bounds.size(); ++i) layers.push_back({bounds[i], bounds[i + 1]});
  return layers;
}

bool Covers(const Heights& heights, const Heights& layer) {
  return heights.low_m <= layer.low_m && layer.high_m <= heights.high_m;
}

// The shapes that speak in one layer, in groups.
class Layer {
 public:
  Layer(const Ground& ground, const std::vector<SiteRegion>& fence, const Heights& layer) {
    for (const Zone& zone : ground.inclusions) {
      reached_ = reached_ && Covers(zone.heights, layer);
      shapes_.push_back(zone.shape);
    }
    inclusions_ = shapes_.size();
    for (const Zone& zone : ground.exclusions) {
      if (Covers(zone.heights, layer)) shapes_.push_back(zone.shape);
    }
    regions_ = shapes_.size();
    for (const SiteRegion& region : fence) {
      if (!Covers(region.heights, layer)) continue;
      holes_.push_back(region.holes.size());
      shapes_.push_back(region.outer);
      shapes_.insert(shapes_.end(), region.holes.begin(), region.holes.end());
    }
  }

  // A point of the ground, if there is any in this layer.
  std::optional<Vec2> AnyGround() const {
    if (!reached_) return std::nullopt;
    return FindCell(shapes_, [this](const std::vector<bool>& in) { return OnGround(in); });
  }

  std::optional<Vec2> GroundBeyondFence() const {
    if (!reached_) return std::nullopt;
    return FindCell(shapes_,
                    [this](const std::vector<bool>& in) { return OnGround(in) && !Fenced(in); });
  }

 private:
  bool OnGround(const std::vector<bool>& in) const {
    for (size_t i = 0; i < regions_; ++i) {
      if (in[i] != (i < inclusions_)) return false;
    }
    return true;
  }

  bool Fenced(const std::vector<bool>& in) const {
    size_t at = regions_;
    for (const size_t holes : holes_) {
      bool inside = in[at];
      for (size_t h = 1; h <= holes; ++h) inside = inside && !in[at + h];
      if (inside) return true;
      at += holes + 1;
    }
    return false;
  }

  std::vector<Shape> shapes_;  // inclusions, exclusions, then each region and its holes
  size_t inclusions_ = 0;
  size_t regions_ = 0;  // where they begin
  std::vector<size_t> holes_;
  bool reached_ = true;  // every inclusion zone reaches this layer
};

// "[envelope[0].polygon_m] must be ..." back into a finding.
std::vector<Finding> FromStatus(const absl::Status& status) {
  const std::string text(status.message());
  const size_t close = text.find("] ");
  return {{"S11", text.substr(1, close - 1), text.substr(close + 2)}};
}

std::string At(const Vec2& point, const Heights& layer) {
  std::string text = absl::StrFormat("(%.3f, %.3f)", point.x, point.y);
  if (std::isfinite(layer.low_m)) return text + absl::StrFormat(" above %g m", layer.low_m);
  if (std::isfinite(layer.high_m)) return text + absl::StrFormat(" below %g m", layer.high_m);
  return text;
}

}  // namespace

std::vector<Finding> CheckGround(const v1::ControlPolicy& policy) {
  const absl::StatusOr<Ground> ground = GroundOf(policy);
  if (!ground.ok()) return FromStatus(ground.status());
  if (ground->inclusions.empty()) return {};
  for (const Heights& layer : Layers(*ground, {})) {
    if (Layer(*ground, {}, layer).AnyGround()) return {};
  }
  return {{"S11", ground->path,
           "leaves no ground: nothing lies inside every inclusion zone and "
           "outside every exclusion zone"}};
}

std::vector<Finding> CheckGeofence(const v1::ControlPolicy& policy, const Site& site) {
  const std::string& name = site.document().id();
  if (policy.frames().site() != site.document().frame()) {
    return {{"S11", "frames.site",
             absl::StrFormat("must be the frame of site '%s' ('%s'), is '%s'", name,
                             site.document().frame(), policy.frames().site())}};
  }
  const absl::StatusOr<Ground> ground = GroundOf(policy);
  if (!ground.ok()) return {};  // CheckGround has said so
  if (ground->inclusions.empty()) {
    return {{"S11", "envelope",
             absl::StrFormat("must draw an inclusion zone: site '%s' has an end", name)}};
  }
  for (const Heights& layer : Layers(*ground, site.geofence())) {
    const auto point = Layer(*ground, site.geofence(), layer).GroundBeyondFence();
    if (!point) continue;
    return {{"S11", ground->path,
             absl::StrFormat("lets the robot be at %s, which is outside the geofence of site '%s'",
                             At(*point, layer), name)}};
  }
  return {};
}

}  // namespace gatekeeper::bundle
