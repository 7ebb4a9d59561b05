#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/policy_shape.h"
#include "agent/runtime/rule_id.h"

// The `separation` part of a control policy.

namespace agent::runtime {

namespace v1 = ::gatekeeper::v1;

absl::Status PolicyCompiler::Separation() {
  if (!document_.has_separation()) return absl::OkStatus();
  if (!twist()) return Wrong("separation", "belongs to command type twist2d only");
  const auto& zones = document_.separation().zones();
  if (zones.size() > static_cast<int>(kMaxZones)) {
    return Wrong("separation.zones", "must have at most %d zones, has %d", kMaxZones, zones.size());
  }
  for (int i = 0; i < zones.size(); ++i) {
    RETURN_IF_ERROR(BodyZone(zones[i], absl::StrFormat("separation.zones[%d]", i)));
  }
  return document_.separation().has_ssm() ? Under("S10", Ssm()) : absl::OkStatus();
}

absl::Status PolicyCompiler::ScanSource(const std::string& path, const std::string& source) const {
  if (source == "scan" && IsRequiredInput("scan")) return absl::OkStatus();
  return Wrong(path + ".source",
               "must be scan, the channel that carries one, and a required input; is '%s'", source);
}

absl::Status PolicyCompiler::BodyZone(const v1::BodyZone& zone, const std::string& path) {
  RETURN_IF_ERROR(CheckId(path, document_.separation().zones(), zone));
  ASSIGN_OR_RETURN(Region region, CompileShape(path, zone.polygon_m(),
                                               zone.has_circle_m() ? &zone.circle_m() : nullptr));
  if (zone.action() != "stop" && zone.action() != "limit") {
    return Wrong(path + ".action", "must be stop or limit, is '%s'", zone.action());
  }
  RETURN_IF_ERROR(ScanSource(path, zone.source()));
  const bool stop = zone.action() == "stop";
  ScanZone compiled{.id = zone.id(),
                    .stop = stop,
                    .region = std::move(region),
                    .min_points = zone.min_points(),
                    .trigger_consecutive = zone.trigger_consecutive(),
                    .release_consecutive = zone.release_consecutive(),
                    .vx_max_mps = zone.vx_max_mps(),
                    .reason = absl::StrCat(stop ? "stop_zone:" : "slow_zone:", zone.id())};
  RETURN_IF_ERROR(
      CheckWithin(path + ".min_points", zone.min_points(), kMostPoints, "no point is no obstacle"));
  RETURN_IF_ERROR(CheckWithin(path + ".trigger_consecutive", zone.trigger_consecutive(),
                              kMostConsecutiveScans, "no scan tells nothing"));
  RETURN_IF_ERROR(CheckPositive(path + ".release_consecutive", zone.release_consecutive(),
                                "what was there is gone when a scan says so"));
  if (stop == zone.has_vx_max_mps()) {
    return Wrong(path + ".vx_max_mps", "must be given for action limit and for no other");
  }
  RETURN_IF_ERROR(CheckSlows(path + ".vx_max_mps", zone.vx_max_mps()));
  policy_.separation_.push_back(std::move(compiled));
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Ssm() {
  const v1::SpeedAndSeparation& written = document_.separation().ssm();
  const std::string path = "separation.ssm";
  RETURN_IF_ERROR(ScanSource(path, written.source()));
  RETURN_IF_ERROR(CheckFrom("inputs.scan.min_valid_fraction",
                            policy_.FindInput("scan")->min_valid_fraction, kLeastValidFraction,
                            "separation.ssm needs it, a covered scanner sees nobody"));
  const SsmLimits limits{.v_human_mps = written.v_human_mps(),
                         .t_react_s = written.t_react_s(),
                         .dec_mps2 = written.dec_mps2(),
                         .c_m = written.c_m(),
                         .z_sensor_m = written.z_sensor_m(),
                         .z_robot_m = written.z_robot_m()};
  if (!(std::isfinite(limits.v_human_mps) && limits.v_human_mps >= kLeastHumanMps)) {
    return Under("S14", Wrong(path + ".v_human_mps", "must be at least %g, is %g: people walk",
                              kLeastHumanMps, limits.v_human_mps));
  }
  RETURN_IF_ERROR(CheckPositive(path + ".t_react_s", limits.t_react_s, "nothing reacts at once"));
  RETURN_IF_ERROR(CheckPositive(path + ".dec_mps2", limits.dec_mps2, "the robot must brake"));
  RETURN_IF_ERROR(CheckNotNegative(path + ".c_m", limits.c_m));
  RETURN_IF_ERROR(CheckNotNegative(path + ".z_sensor_m", limits.z_sensor_m));
  RETURN_IF_ERROR(CheckNotNegative(path + ".z_robot_m", limits.z_robot_m));
  const double sure = policy_.nominal().dec_max_mps2.Least();
  if (limits.dec_mps2 > sure) {
    return Wrong(path + ".dec_mps2",
                 "must not be more than limits.nominal.dec_max_mps2 (%g), is %g", sure,
                 limits.dec_mps2);
  }
  policy_.ssm_ = limits;
  return absl::OkStatus();
}

}  // namespace agent::runtime
