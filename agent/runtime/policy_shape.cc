#include "agent/runtime/policy_shape.h"

#include <cmath>
#include <utility>
#include <vector>

#include "agent/base/status_macros.h"
#include "agent/runtime/rule_id.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int kMaxCorners = 256;

absl::StatusOr<Region> CompileCircle(const std::string& path, const v1::Circle& circle) {
  if (!std::isfinite(circle.c().x()) || !std::isfinite(circle.c().y())) {
    return Wrong(path + ".c", "must be finite");
  }
  RETURN_IF_ERROR(CheckPositive(path + ".r", circle.r(), "it covers ground"));
  return Region::Circle({circle.c().x(), circle.c().y()}, circle.r());
}

}  // namespace

absl::StatusOr<Region> CompileShape(const std::string& path,
                                    const google::protobuf::RepeatedPtrField<v1::Point>& polygon,
                                    const v1::Circle* circle) {
  if (polygon.empty() == (circle == nullptr)) {
    return Wrong(path, "must have polygon_m or circle_m, exactly one of them");
  }
  if (circle != nullptr) return CompileCircle(path + ".circle_m", *circle);
  if (polygon.size() > kMaxCorners) {
    return Wrong(path + ".polygon_m", "must have at most %d corners, has %d", kMaxCorners,
                 polygon.size());
  }
  std::vector<Vec2> corners;
  for (const v1::Point& point : polygon) {
    if (!std::isfinite(point.x()) || !std::isfinite(point.y())) {
      return Wrong(path + ".polygon_m", "must be finite");
    }
    corners.push_back({point.x(), point.y()});
  }
  if (!IsSimplePolygon(corners)) {
    return Under("S11", Wrong(path + ".polygon_m",
                              "must be a simple polygon: 3 or more corners, an area, and no edge "
                              "that touches another"));
  }
  return Region::Polygon(corners);
}

absl::Status CheckNotNegative(const std::string& path, double value) {
  if (std::isfinite(value) && value >= 0) return absl::OkStatus();
  return Wrong(path, "must be 0 or above, is %g", value);
}

}  // namespace agent::runtime
