#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/exact_area.h"
#include "proto/site.pb.h"

namespace gatekeeper::bundle {

// Heights that a zone or region speaks of; without z_m all of them.
struct Heights {
  double low_m = 0;
  double high_m = 0;
};

struct SiteRegion {
  std::string id;
  Shape outer;
  std::vector<Shape> holes;
  Heights heights;
};

// A site file, checked: what units are checked against. Immutable.
class Site {
 public:
  // kInvalidArgument, text beginning with the document path in brackets and marked with its rule:
  // S11 regions that are not simple, holes outside their region, poses outside the geofence; S14
  // numbers that are missing, 0 or infinite.
  static absl::StatusOr<Site> Compile(const v1::Site& document);

  const v1::Site& document() const { return document_; }
  const std::vector<SiteRegion>& geofence() const { return geofence_; }

 private:
  friend class SiteCompiler;  // the one maker
  Site() = default;

  v1::Site document_;
  std::vector<SiteRegion> geofence_;
};

// z_m as written: empty, or two finite ascending numbers. kInvalidArgument with path and rule S11.
absl::StatusOr<Heights> HeightsOf(const std::string& path,
                                  const google::protobuf::RepeatedField<double>& z_m);

// polygon_m or circle_m, exactly one, simple and on the grid. kInvalidArgument with path and S11.
template <class Written>
absl::StatusOr<Shape> ShapeOf(const std::string& path, const Written& written);

}  // namespace gatekeeper::bundle
