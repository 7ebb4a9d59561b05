#include "gatekeeper/gates/clip_scene.h"

#include <cmath>
#include <numbers>

#include "agent/recording/foxglove_codec.h"

namespace gatekeeper::gates {
namespace {

using agent::recording::DrawnIn;

struct Colour {
  double r, g, b;
};
constexpr Colour kAllowed{0.1, 0.65, 0.3};
constexpr Colour kForbidden{0.85, 0.15, 0.2};
constexpr Colour kSlow{0.9, 0.65, 0.1};
constexpr Colour kOutline{0.2, 0.5, 0.9};

void Paint(const Colour& colour, foxglove::Color& out) {
  out.set_r(colour.r);
  out.set_g(colour.g);
  out.set_b(colour.b);
  out.set_a(1);
}

void AddPoint(double x, double y, foxglove::LinePrimitive& line) {
  foxglove::Point3& point = *line.add_points();
  point.set_x(x);
  point.set_y(y);
}

// The border of a polygon or circle, whichever the shape has.
template <class Shape>
void AddBorder(const Shape& shape, const Colour& colour, foxglove::SceneEntity& entity) {
  constexpr int kCorners = 48;
  foxglove::LinePrimitive& line = *entity.add_lines();
  line.set_type(foxglove::LinePrimitive::LINE_LOOP);
  line.mutable_pose()->mutable_orientation()->set_w(1);
  line.set_thickness(3);
  line.set_scale_invariant(true);
  Paint(colour, *line.mutable_color());
  for (const v1::Point& point : shape.polygon_m()) AddPoint(point.x(), point.y(), line);
  for (int i = 0; shape.has_circle_m() && i < kCorners; ++i) {
    const double angle = 2 * std::numbers::pi * i / kCorners;
    AddPoint(shape.circle_m().c().x() + shape.circle_m().r() * std::cos(angle),
             shape.circle_m().c().y() + shape.circle_m().r() * std::sin(angle), line);
  }
}

const Colour& ColourOf(const std::string& kind) {
  if (kind == "inclusion") return kAllowed;
  return kind == "exclusion" ? kForbidden : kSlow;
}

}  // namespace

foxglove::SceneUpdate PolicyScene(const v1::ControlPolicy& policy, int64_t stamp_ns) {
  foxglove::SceneUpdate scene;
  for (const v1::EnvelopeZone& zone : policy.envelope()) {
    foxglove::SceneEntity& entity = *scene.add_entities();
    entity = agent::recording::Drawn("zone " + zone.id(), DrawnIn::kSite, stamp_ns);
    AddBorder(zone, ColourOf(zone.kind()), entity);
  }
  if (policy.has_footprint()) {
    foxglove::SceneEntity& entity = *scene.add_entities();
    entity = agent::recording::Drawn("footprint", DrawnIn::kBody, stamp_ns);
    AddBorder(policy.footprint(), kOutline, entity);
  }
  return scene;
}

foxglove::SceneUpdate FindingScene(const std::string& words, int64_t stamp_ns) {
  foxglove::SceneUpdate scene;
  foxglove::SceneEntity& entity = *scene.add_entities();
  entity = agent::recording::Drawn("finding", DrawnIn::kBody, stamp_ns);
  foxglove::TextPrimitive& text = *entity.add_texts();
  text.mutable_pose()->mutable_position()->set_z(0.6);  // above the robot's outline
  text.mutable_pose()->mutable_orientation()->set_w(1);
  text.set_billboard(true);
  text.set_font_size(16);
  text.set_scale_invariant(true);
  Paint(kForbidden, *text.mutable_color());
  text.set_text(words);
  return scene;
}

}  // namespace gatekeeper::gates
