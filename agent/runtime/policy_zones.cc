#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/policy_shape.h"
#include "agent/runtime/rule_id.h"
#include "agent/runtime/tool_path.h"

// The `envelope` part of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

// The way ahead is sampled every 10 mm; twice that keeps the outline off the edge between two
// samples.
constexpr double kLeastMarginM = 0.02;

absl::Status CheckToolZone(const std::string& path, const v1::EnvelopeZone& zone) {
  if (zone.z_m().empty()) return Wrong(path + ".z_m", "must be given: a tool point has a height");
  if (zone.pose_sigmas() != 0) {
    return Wrong(path + ".pose_sigmas", "belongs to command type twist2d: an arm's base stands");
  }
  return absl::OkStatus();
}

absl::Status CheckHeights(const std::string& path, const v1::EnvelopeZone& zone) {
  if (zone.z_m().empty()) return absl::OkStatus();
  if (zone.z_m_size() != 2 || !std::isfinite(zone.z_m(0)) || !std::isfinite(zone.z_m(1)) ||
      !(zone.z_m(0) < zone.z_m(1))) {
    return Wrong(path, "must be [low, high] with low below high");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PolicyCompiler::Envelope() {
  if (document_.envelope().empty()) return absl::OkStatus();
  if (document_.envelope_size() > static_cast<int>(kMaxZones)) {
    return Wrong("envelope", "must have at most %d zones, has %d", kMaxZones,
                 document_.envelope_size());
  }
  if (twist() && !IsRequiredInput("odom")) {
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
  ASSIGN_OR_RETURN(Region region, CompileShape(path, zone.polygon_m(),
                                               zone.has_circle_m() ? &zone.circle_m() : nullptr));
  MapZone compiled{.id = zone.id(),
                   .region = std::move(region),
                   .margin_m = zone.margin_m(),
                   .pose_sigmas = zone.pose_sigmas(),
                   .reason = {},
                   .breach_reason = {}};
  RETURN_IF_ERROR(CheckNotNegative(path + ".margin_m", zone.margin_m()));
  RETURN_IF_ERROR(CheckNotNegative(path + ".pose_sigmas", zone.pose_sigmas()));
  RETURN_IF_ERROR(CheckHeights(path + ".z_m", zone));
  if (zone.z_m_size() == 2) {
    compiled.low_m = zone.z_m(0);
    compiled.high_m = zone.z_m(1);
  }
  RETURN_IF_ERROR(twist() ? absl::OkStatus() : CheckToolZone(path, zone));
  RETURN_IF_ERROR(zone.kind() == "speed" ? SpeedZone(zone, path, compiled)
                                         : EdgeZone(zone, path, compiled));
  policy_.envelope_.push_back(std::move(compiled));
  return absl::OkStatus();
}

absl::Status PolicyCompiler::SpeedZone(const v1::EnvelopeZone& zone, const std::string& path,
                                       MapZone& compiled) {
  if (!zone.trigger().empty()) return Wrong(path + ".trigger", "does not belong to kind speed");
  if (!zone.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "must be given for kind speed");
  RETURN_IF_ERROR(CheckSlows(path + ".vx_max_mps", zone.vx_max_mps()));
  compiled.vx_max_mps = zone.vx_max_mps();
  compiled.kind = ZoneKind::kSpeed;
  compiled.reason = absl::StrCat("speed_zone:", zone.id());
  return absl::OkStatus();
}

absl::Status PolicyCompiler::CheckSlows(const std::string& path, double vx_max_mps) const {
  RETURN_IF_ERROR(CheckNotNegative(path, vx_max_mps));
  const TwistLimits& limits = policy_.nominal();
  const double fastest_mps =
      twist() ? std::max(limits.vx_max_mps, -limits.vx_min_mps) : policy_.arm_.tcp_v_max_mps;
  if (vx_max_mps < fastest_mps) return absl::OkStatus();
  return Under(
      "S14",
      Wrong(path, "must be below the %g m/s that are allowed anyway, is %g: leave the zone out",
            fastest_mps, vx_max_mps));
}

absl::Status PolicyCompiler::EdgeZone(const v1::EnvelopeZone& zone, const std::string& path,
                                      MapZone& compiled) {
  if (zone.kind() != "inclusion" && zone.kind() != "exclusion") {
    return Wrong(path + ".kind", "must be inclusion, exclusion or speed, is '%s'", zone.kind());
  }
  if (zone.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "belongs to kind speed only");
  if (zone.margin_m() < kLeastMarginM) {
    return Wrong(path + ".margin_m", "must be at least %g, because the way is checked in steps",
                 kLeastMarginM);
  }
  const double looks_m =
      twist() ? 0 : policy_.arm_.tcp_v_max_mps / policy_.command_.rate_hz * TicksALook(policy_) / 2;
  if (zone.margin_m() < looks_m) {
    return Wrong(path + ".margin_m",
                 "must be at least %g: half of what the tool goes between two looks", looks_m);
  }
  compiled.kind = zone.kind() == "inclusion" ? ZoneKind::kInclusion : ZoneKind::kExclusion;
  compiled.reason = absl::StrCat("envelope:", zone.id());
  compiled.breach_reason = absl::StrCat("outside:", zone.id());
  ASSIGN_OR_RETURN(compiled.trigger, Trigger(path + ".trigger", zone.trigger()));
  return absl::OkStatus();
}

}  // namespace agent::runtime
