#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"

// The `limits` and `joints` parts of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr double kMaxWindowTicks = 100'000;

template <class Values>
absl::StatusOr<SpeedCurve> Curve(const std::string& path, const std::vector<double>& points,
                                 const Values& values, const std::string& why) {
  if (static_cast<size_t>(values.size()) != points.size()) {
    return Wrong(path, "must have one value per speed point (%d), has %d", points.size(),
                 values.size());
  }
  for (double value : values) RETURN_IF_ERROR(CheckPositive(path, value, why));
  return SpeedCurve{points, {values.begin(), values.end()}};
}

bool IsEmpty(const v1::LimitSet& set) { return set.ByteSizeLong() == 0; }

}  // namespace

absl::Status PolicyCompiler::TwistLimitsPart() {
  if (document_.joints_size() > 0) return Wrong("joints", "belongs to command type joints only");
  RETURN_IF_ERROR(NominalSet());
  RETURN_IF_ERROR(NominalCurves());
  RETURN_IF_ERROR(Transition());
  return Degraded();
}

absl::Status PolicyCompiler::NominalSet() {
  const v1::LimitSet& set = document_.limits().nominal();
  const std::string path = "limits.nominal";
  TwistLimits& limits = policy_.nominal_;
  if (!set.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "must be given");
  if (!set.has_vx_min_mps()) {
    return Wrong(path + ".vx_min_mps", "must be given: 0 forbids driving backwards");
  }
  if (!set.has_wz_acc_max_radps2()) return Wrong(path + ".wz_acc_max_radps2", "must be given");
  limits.vx_max_mps = set.vx_max_mps();
  limits.vx_min_mps = set.vx_min_mps();
  limits.wz_acc_max_radps2 = set.wz_acc_max_radps2();
  RETURN_IF_ERROR(CheckPositive(path + ".vx_max_mps", limits.vx_max_mps,
                                "a robot that may not move needs no model"));
  if (!(std::isfinite(limits.vx_min_mps) && limits.vx_min_mps <= 0)) {
    return Wrong(path + ".vx_min_mps",
                 "must be 0 or below, because standing is always allowed; is %g",
                 limits.vx_min_mps);
  }
  return CheckPositive(path + ".wz_acc_max_radps2", limits.wz_acc_max_radps2,
                       "the robot could never start to turn");
}

absl::Status PolicyCompiler::NominalCurves() {
  const v1::LimitSet& set = document_.limits().nominal();
  const std::string path = "limits.nominal";
  TwistLimits& limits = policy_.nominal_;
  const std::vector<double> points(set.speed_points_mps().begin(), set.speed_points_mps().end());
  if (points.empty()) return Wrong(path + ".speed_points_mps", "must have at least one point");
  for (size_t i = 0; i < points.size(); ++i) {
    const bool ascends = i == 0 ? points[i] >= 0 : points[i] > points[i - 1];
    if (!std::isfinite(points[i]) || !ascends) {
      return Wrong(path + ".speed_points_mps",
                   "must be finite, start at 0 or above and ascend; "
                   "point %d is %g",
                   i, points[i]);
    }
  }
  ASSIGN_OR_RETURN(limits.wz_abs_max_radps,
                   Curve(path + ".wz_abs_max_radps", points, set.wz_abs_max_radps(),
                         "a robot that cannot turn cannot leave"));
  ASSIGN_OR_RETURN(limits.acc_max_mps2, Curve(path + ".acc_max_mps2", points, set.acc_max_mps2(),
                                              "the robot could never start"));
  ASSIGN_OR_RETURN(limits.dec_max_mps2, Curve(path + ".dec_max_mps2", points, set.dec_max_mps2(),
                                              "stopping distances are computed from it"));
  const std::vector<double>& wz = limits.wz_abs_max_radps.values;
  if (!std::is_sorted(wz.rbegin(), wz.rend())) {
    return Wrong(path + ".wz_abs_max_radps",
                 "must not rise with speed: a faster robot tips sooner");
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Transition() {
  const v1::LimitSet& written = document_.limits().transition();
  const std::string path = "limits.transition";
  TransitionCaps& caps = policy_.transition_;
  ASSIGN_OR_RETURN(caps.duration,
                   PositiveMs(path + ".for_ms", written.for_ms(), "a swapped model starts gently"));
  caps.vx_max_mps = written.vx_max_mps();
  if (written.acc_max_mps2_size() != 1) {
    return Wrong(path + ".acc_max_mps2", "must be one value, has %d", written.acc_max_mps2_size());
  }
  caps.acc_max_mps2 = written.acc_max_mps2(0);
  RETURN_IF_ERROR(CheckPositive(path + ".vx_max_mps", caps.vx_max_mps, "to hold, use a fallback"));
  RETURN_IF_ERROR(CheckPositive(path + ".acc_max_mps2", caps.acc_max_mps2, "as for vx_max_mps"));
  if (caps.vx_max_mps > policy_.nominal_.vx_max_mps) {
    return Wrong(path + ".vx_max_mps", "must not be looser than nominal (%g), is %g",
                 policy_.nominal_.vx_max_mps, caps.vx_max_mps);
  }
  const std::vector<double>& acc = policy_.nominal_.acc_max_mps2.values;
  const double most = *std::max_element(acc.begin(), acc.end());
  if (caps.acc_max_mps2 > most) {
    return Wrong(path + ".acc_max_mps2", "must not be looser than nominal (%g), is %g", most,
                 caps.acc_max_mps2);
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Degraded() {
  if (!document_.limits().has_degraded()) return absl::OkStatus();
  const v1::LimitSet& set = document_.limits().degraded();
  const std::string path = "limits.degraded";
  if (set.has_vx_min_mps() || set.has_wz_acc_max_radps2() || set.speed_points_mps_size() > 0 ||
      set.acc_max_mps2_size() > 0 || set.dec_max_mps2_size() > 0) {
    return Wrong(path, "may hold vx_max_mps and one wz_abs_max_radps only");
  }
  if (!set.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "must be given");
  if (set.wz_abs_max_radps_size() != 1) {
    return Wrong(path + ".wz_abs_max_radps", "must be one value, has %d",
                 set.wz_abs_max_radps_size());
  }
  const DegradedCaps caps{.vx_max_mps = set.vx_max_mps(),
                          .wz_abs_max_radps = set.wz_abs_max_radps(0)};
  RETURN_IF_ERROR(CheckPositive(path + ".vx_max_mps", caps.vx_max_mps, "to hold, use a fallback"));
  RETURN_IF_ERROR(
      CheckPositive(path + ".wz_abs_max_radps", caps.wz_abs_max_radps, "as for vx_max_mps"));
  if (caps.vx_max_mps > policy_.nominal_.vx_max_mps) {
    return Wrong(path + ".vx_max_mps", "must not be looser than nominal (%g), is %g",
                 policy_.nominal_.vx_max_mps, caps.vx_max_mps);
  }
  const double nominal_wz = policy_.nominal_.wz_abs_max_radps.values.front();
  if (caps.wz_abs_max_radps > nominal_wz) {
    return Wrong(path + ".wz_abs_max_radps", "must not be looser than nominal (%g), is %g",
                 nominal_wz, caps.wz_abs_max_radps);
  }
  policy_.degraded_ = caps;
  return absl::OkStatus();
}

absl::Status PolicyCompiler::Joints() {
  const v1::Limits& limits = document_.limits();
  if (!IsEmpty(limits.nominal()) || limits.has_transition() || limits.has_degraded()) {
    return Wrong("limits",
                 "may hold clamp_budget only for command type joints; the limits stand in "
                 "joints");
  }
  for (const std::string& name : policy_.command_.fields) {
    const auto found = document_.joints().find(name);
    if (found == document_.joints().end()) {
      return Wrong("joints", "must have an entry for '%s', which command.fields names", name);
    }
    const v1::JointLimit& written = found->second;
    const std::string path = absl::StrCat("joints.", name);
    const JointLimits joint{.q_min_rad = written.q_min_rad(),
                            .q_max_rad = written.q_max_rad(),
                            .qd_abs_max_radps = written.qd_abs_max_radps()};
    if (!(std::isfinite(joint.q_min_rad) && std::isfinite(joint.q_max_rad) &&
          joint.q_min_rad < joint.q_max_rad)) {
      return Wrong(path + ".q_max_rad", "must be above q_min_rad (%g), is %g", joint.q_min_rad,
                   joint.q_max_rad);
    }
    RETURN_IF_ERROR(CheckPositive(path + ".qd_abs_max_radps", joint.qd_abs_max_radps,
                                  "the joint could never move"));
    policy_.joints_.push_back(joint);
  }
  if (static_cast<size_t>(document_.joints_size()) != policy_.joints_.size()) {
    return Wrong("joints", "must not limit joints that command.fields does not name");
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::ClampBudgetPart() {
  const v1::ClampBudget& written = document_.limits().clamp_budget();
  const std::string path = "limits.clamp_budget";
  RETURN_IF_ERROR(CheckPositive(path + ".window_s", written.window_s(),
                                "a model that lives off its limits must be noticed"));
  if (!(written.max_fraction() >= 0 && written.max_fraction() < 1)) {
    return Wrong(path + ".max_fraction", "must be at least 0 and below 1, is %g",
                 written.max_fraction());
  }
  const double ticks = std::floor(written.window_s() * policy_.command_.rate_hz + 0.5);
  if (!(ticks >= 1 && ticks <= kMaxWindowTicks)) {
    return Wrong(path + ".window_s", "must be 1 to %g ticks, is %g", kMaxWindowTicks, ticks);
  }
  ClampBudgetLimits& limits = policy_.clamp_budget_;
  limits.window_ticks = static_cast<uint32_t>(ticks);
  limits.max_clamped = static_cast<uint32_t>(std::floor(ticks * written.max_fraction()));
  ASSIGN_OR_RETURN(limits.trigger, Trigger(path + ".trigger", written.trigger()));
  return absl::OkStatus();
}

}  // namespace agent::runtime
