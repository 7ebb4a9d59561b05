#include "agent/runtime/footprint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace agent::runtime {
namespace {

// A bar that lies across the whole footprint has no corner in it; it is over the border all the
// same.
constexpr double kLeastOverM = 1e-3;

double On(Side side, double depth_m) { return side == Side::kInside ? depth_m : -depth_m; }

}  // namespace

Footprint::Footprint(Region region) : region_(std::move(region)) {
  const Disc& bound = region_.bound();
  turn_reach_m_ = region_.is_circle() ? Distance({}, bound.centre) : region_.reach_m();
  if (region_.is_circle()) {
    low_ = {bound.centre.x - bound.radius_m, bound.centre.y - bound.radius_m};
    high_ = {bound.centre.x + bound.radius_m, bound.centre.y + bound.radius_m};
    return;
  }
  low_ = high_ = region_.edges()[0].a;
  for (const Edge& edge : region_.edges()) {
    low_ = {std::min(low_.x, edge.a.x), std::min(low_.y, edge.a.y)};
    high_ = {std::max(high_.x, edge.a.x), std::max(high_.y, edge.a.y)};
  }
}

double Footprint::DistanceM(Vec2 p) const { return std::max(0.0, -region_.Depth(p)); }

StandingFootprint::StandingFootprint(const Footprint& footprint, const Pose2& pose)
    : footprint_(footprint), origin_{pose.x_m, pose.y_m}, heading_(ExactSinCos(pose.yaw_rad)) {
  const auto placed = [&](Vec2 p) {
    return Vec2{origin_.x + heading_.cos * p.x - heading_.sin * p.y,
                origin_.y + heading_.sin * p.x + heading_.cos * p.y};
  };
  const Region& region = footprint.region();
  bound_ = {placed(region.bound().centre), region.bound().radius_m};
  if (!std::isfinite(pose.yaw_rad)) bound_.centre.x = std::numeric_limits<double>::quiet_NaN();
  for (const Edge& edge : region.edges()) {
    edges_[corner_count_++] = {placed(edge.a), placed(edge.b), edge.inverse_length2};
  }
}

Vec2 StandingFootprint::InBody(Vec2 p) const {
  const double dx = p.x - origin_.x;
  const double dy = p.y - origin_.y;
  return {heading_.cos * dx + heading_.sin * dy, heading_.cos * dy - heading_.sin * dx};
}

double StandingFootprint::LeastRoomM(const Region& region, Side side) const {
  return On(side, region.Depth(bound_.centre)) - bound_.radius_m;
}

double StandingFootprint::RoomM(const Region& region, Side side) const {
  if (!std::isfinite(bound_.centre.x) || !std::isfinite(bound_.centre.y)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (corner_count_ == 0) return LeastRoomM(region, side);
  return region.is_circle() ? RoomToCircle(region.bound(), side) : RoomToPolygon(region, side);
}

double StandingFootprint::RoomToCircle(const Disc& circle, Side side) const {
  if (side == Side::kOutside) {
    return -footprint_.region().Depth(InBody(circle.centre)) - circle.radius_m;
  }
  double farthest = 0;  // from the circle's centre: always a corner
  for (size_t i = 0; i < corner_count_; ++i) {
    farthest = std::max(farthest, Distance(edges_[i].a, circle.centre));
  }
  return circle.radius_m - farthest;
}

double StandingFootprint::RoomToPolygon(const Region& region, Side side) const {
  double nearest2 = std::numeric_limits<double>::infinity();
  double within2 =
      nearest2;  // an edge farther from the bound's centre than this is not the nearest
  bool crossed = false;
  for (const Edge& border : region.edges()) {
    if (Distance2ToEdge(bound_.centre, border) > within2) continue;
    for (size_t i = 0; i < corner_count_; ++i) {
      crossed = crossed || Cross(edges_[i], border);
      nearest2 = std::min(nearest2, Distance2OfEdges(edges_[i], border));
    }
    const double within = std::sqrt(nearest2) + bound_.radius_m;
    within2 = within * within;
  }
  // Outlines that do not cross leave three ways to lie: as they should, the footprint over the
  // border with all of itself, or the region within the footprint.
  const bool wrong_side = On(side, region.Depth(edges_[0].a)) < 0;
  const bool swallowed = footprint_.region().Depth(InBody(region.edges()[0].a)) > 0;
  if (crossed || wrong_side || swallowed) return -OverM(region, side);
  return std::sqrt(nearest2);
}

double StandingFootprint::OverM(const Region& region, Side side) const {
  double over = 0;
  for (size_t i = 0; i < corner_count_; ++i) {
    over = std::max(over, -On(side, region.Depth(edges_[i].a)));
  }
  for (const Edge& border : region.edges()) {
    over = std::max(over, footprint_.region().Depth(InBody(border.a)));
  }
  return over > 0 ? over : kLeastOverM;
}

}  // namespace agent::runtime
