#include "gatekeeper/bundle/site.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"
#include "gatekeeper/bundle/arm_certificate.h"

namespace gatekeeper::bundle {

namespace {

// As for a policy's zones; and for a whole site, which keeps the proof below a few seconds.
constexpr int kMaxCorners = 256;
constexpr size_t kMaxSiteCorners = 1024;
constexpr size_t kCircleCorners = 4;  // a circle counts as so many

}  // namespace

using agent::runtime::CheckPositive;
using agent::runtime::Under;
using agent::runtime::Wrong;

absl::StatusOr<Heights> HeightsOf(const std::string& path,
                                  const google::protobuf::RepeatedField<double>& z_m) {
  constexpr double kNoBound = std::numeric_limits<double>::infinity();
  if (z_m.empty()) return Heights{-kNoBound, kNoBound};
  if (z_m.size() != 2 || !std::isfinite(z_m[0]) || !std::isfinite(z_m[1]) || !(z_m[0] < z_m[1])) {
    return Under("S11", Wrong(path + ".z_m", "must be [low, high], low below high"));
  }
  return Heights{z_m[0], z_m[1]};
}

template <class Written>
absl::StatusOr<Shape> ShapeOf(const std::string& path, const Written& written) {
  const bool polygon = written.polygon_m_size() > 0;
  if (polygon == written.has_circle_m()) {
    return Under("S11", Wrong(path, "must have polygon_m or circle_m, exactly one of them"));
  }
  const std::optional<Shape> shape =
      polygon ? OnGrid(written.polygon_m()) : OnGrid(written.circle_m());
  const std::string key = path + (polygon ? ".polygon_m" : ".circle_m");
  if (written.polygon_m_size() > kMaxCorners) {
    return Under("S11", Wrong(key, "must have at most %d corners, has %d", kMaxCorners,
                              written.polygon_m_size()));
  }
  if (!shape) {
    return Under("S11", Wrong(key,
                              "must be whole micrometres (six decimals) within 10 km, so that "
                              "what lies inside is decided exactly"));
  }
  if (polygon && !IsSimple(*shape)) {
    return Under("S11", Wrong(key,
                              "must be a simple polygon: 3 or more corners, an area, and no "
                              "edge that touches another"));
  }
  if (!polygon) {
    RETURN_IF_ERROR(CheckPositive(key + ".r", written.circle_m().r(), "a region has an area"));
  }
  return *shape;
}

template absl::StatusOr<Shape> ShapeOf(const std::string& path, const v1::GeofenceRegion& written);
template absl::StatusOr<Shape> ShapeOf(const std::string& path, const v1::Hole& written);
template absl::StatusOr<Shape> ShapeOf(const std::string& path, const v1::Footprint& written);
template absl::StatusOr<Shape> ShapeOf(const std::string& path, const v1::EnvelopeZone& written);
template absl::StatusOr<Shape> ShapeOf(const std::string& path, const v1::BodyZone& written);

class SiteCompiler {
 public:
  explicit SiteCompiler(const v1::Site& document) { site_.document_ = document; }

  absl::StatusOr<Site> Compile() {
    const v1::Site& document = site_.document_;
    if (document.id().empty()) return Wrong("id", "must be given");
    if (document.frame().empty()) {
      return Wrong("frame", "must name the frame of the site's coordinates");
    }
    if (document.geofence().empty()) {
      return Under("S11", Wrong("geofence", "must have a region: a site has an end"));
    }
    for (int i = 0; i < document.geofence_size(); ++i) {
      RETURN_IF_ERROR(
          Under("S11", Region(document.geofence(i), absl::StrCat("geofence[", i, "]"))));
    }
    RETURN_IF_ERROR(Under("S11", Poses(document.start_poses(), "start_poses")));
    RETURN_IF_ERROR(Under("S11", Poses(document.docks(), "docks")));
    const std::map<std::string, v1::Capability> robots(document.robots().begin(),
                                                       document.robots().end());
    for (const auto& [name, robot] : robots) {
      RETURN_IF_ERROR(Under("S9", Robot(robot, absl::StrCat("robots.", name))));
    }
    return std::move(site_);
  }

 private:
  absl::Status Id(const std::string& path, const std::string& id) {
    if (id.empty()) return Wrong(path + ".id", "must be given");
    if (!ids_.insert(id).second) {
      return Wrong(path + ".id", "must be unique, '%s' is used twice", id);
    }
    return absl::OkStatus();
  }

  template <class Written>
  absl::Status Room(const std::string& path, const Written& written) {
    corners_ += std::max(kCircleCorners, static_cast<size_t>(written.polygon_m_size()));
    if (corners_ <= kMaxSiteCorners) return absl::OkStatus();
    return Wrong(path, "is one too many: a site may have %d corners in all", kMaxSiteCorners);
  }

  absl::Status Region(const v1::GeofenceRegion& written, const std::string& path) {
    RETURN_IF_ERROR(Id(path, written.id()));
    RETURN_IF_ERROR(Room(path, written));
    SiteRegion region{.id = written.id(), .outer = {}, .holes = {}, .heights = {}};
    ASSIGN_OR_RETURN(region.outer, ShapeOf(path, written));
    ASSIGN_OR_RETURN(region.heights, HeightsOf(path, written.z_m()));
    for (int i = 0; i < written.holes_size(); ++i) {
      const std::string hole_path = absl::StrCat(path, ".holes[", i, "]");
      RETURN_IF_ERROR(Id(hole_path, written.holes(i).id()));
      RETURN_IF_ERROR(Room(hole_path, written.holes(i)));
      ASSIGN_OR_RETURN(Shape hole, ShapeOf(hole_path, written.holes(i)));
      const auto outside = FindCell({region.outer, hole}, [](const std::vector<bool>& holding) {
        return holding[1] && !holding[0];
      });
      if (outside) {
        return Wrong(hole_path, "must lie inside its region; (%.3f, %.3f) does not", outside->x,
                     outside->y);
      }
      region.holes.push_back(std::move(hole));
    }
    std::vector<Shape> all = region.holes;
    all.push_back(region.outer);
    const auto ground = FindCell(all, [](const std::vector<bool>& holding) {
      return holding.back() && std::count(holding.begin(), holding.end(), true) == 1;
    });
    if (!ground) return Wrong(path + ".holes", "must leave some of the region");
    site_.geofence_.push_back(std::move(region));
    return absl::OkStatus();
  }

  absl::Status Poses(const google::protobuf::RepeatedPtrField<v1::SitePose>& poses,
                     const std::string& list) {
    for (int i = 0; i < poses.size(); ++i) {
      const std::string path = absl::StrCat(list, "[", i, "]");
      RETURN_IF_ERROR(Id(path, poses[i].id()));
      const std::optional<GridPoint> point = OnGrid(poses[i].x_m(), poses[i].y_m());
      if (!point) return Wrong(path, "must stand on whole micrometres (six decimals)");
      if (!std::isfinite(poses[i].yaw_rad())) return Wrong(path + ".yaw_rad", "must be finite");
      const bool inside = std::any_of(
          site_.geofence_.begin(), site_.geofence_.end(), [&](const SiteRegion& region) {
            return Side(region.outer, *point) > 0 &&
                   std::none_of(region.holes.begin(), region.holes.end(),
                                [&](const Shape& hole) { return Side(hole, *point) >= 0; });
          });
      if (!inside) return Wrong(path, "must stand inside the geofence");
    }
    return absl::OkStatus();
  }

  static absl::Status Robot(const v1::Capability& robot, const std::string& path) {
    if (robot.robot_class().empty()) return Wrong(path + ".robot_class", "must be given");
    if (robot.robot_class() == "arm") return CheckArmCertificate(robot, path);
    if (!robot.joints().empty() || robot.tcp_v_max_mps() != 0) {
      return Wrong(path, "must not give joints nor tcp_v_max_mps: they are of arms");
    }
    const std::pair<const char*, double> numbers[] = {
        {"vx_max_mps", robot.vx_max_mps()},
        {"wz_abs_max_radps", robot.wz_abs_max_radps()},
        {"acc_max_mps2", robot.acc_max_mps2()},
        {"dec_mps2", robot.dec_mps2()},
        {"lag_ms", robot.lag_ms()}};
    for (const auto& [key, value] : numbers) {
      RETURN_IF_ERROR(CheckPositive(absl::StrCat(path, ".", key), value,
                                    "a certificate says what the robot can do"));
    }
    if (!(std::isfinite(robot.vx_min_mps()) && robot.vx_min_mps() <= 0)) {
      return Wrong(path + ".vx_min_mps", "must be 0 or below, is %g", robot.vx_min_mps());
    }
    return ShapeOf(path + ".footprint", robot.footprint()).status();
  }

  Site site_;
  std::set<std::string> ids_;
  size_t corners_ = 0;
};

absl::StatusOr<Site> Site::Compile(const v1::Site& document) {
  return SiteCompiler(document).Compile();
}

}  // namespace gatekeeper::bundle
