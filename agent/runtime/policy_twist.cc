#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"

// The `limits` of a mobile base: the nominal set, and those of situations that tighten it.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

// Numbers that people write with a few digits are equal when they differ by less than this.
constexpr double kWrittenRounding = 1e-9;

using Values = google::protobuf::RepeatedField<double>;

absl::Status CheckPoints(const std::string& path, const std::vector<double>& points) {
  if (points.empty()) return Wrong(path, "must have at least one point");
  for (size_t i = 0; i < points.size(); ++i) {
    const bool ascends = i == 0 ? points[i] >= 0 : points[i] > points[i - 1];
    if (!std::isfinite(points[i]) || !ascends) {
      return Wrong(path, "must be finite, start at 0 or above and ascend; point %d is %g", i,
                   points[i]);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Curve> CurveOf(const std::string& path, const std::vector<double>& points,
                              const Values& values, const std::string& why) {
  for (double value : values) RETURN_IF_ERROR(CheckPositive(path, value, why));
  if (values.size() == 1) return Curve{{points[0]}, {values[0]}};
  if (static_cast<size_t>(values.size()) != points.size()) {
    return Wrong(path, "must have one value, or one for each speed point (%d), has %d",
                 points.size(), values.size());
  }
  return Curve{points, {values.begin(), values.end()}};
}

// What no situation loosens.
absl::StatusOr<Curve> NominalCurve(const std::string& path, const std::vector<double>& points,
                                   const Values& values, double most, const std::string& why) {
  for (double value : values) RETURN_IF_ERROR(CheckWithin(path, value, most, why));
  return CurveOf(path, points, values, why);
}

absl::Status CheckFalls(const std::string& path, const Curve& wz) {
  if (std::is_sorted(wz.values.rbegin(), wz.values.rend())) return absl::OkStatus();
  return Wrong(path, "must not rise with speed: a faster robot tips sooner");
}

absl::Status CheckTighter(const std::string& path, double value, double nominal) {
  if (value <= nominal + kWrittenRounding) return absl::OkStatus();
  return Wrong(path, "must not be looser than nominal (%g), is %g", nominal, value);
}

absl::Status CheckTighter(const std::string& path, const Curve& curve, const Curve& nominal) {
  std::vector<double> points = curve.points;
  points.insert(points.end(), nominal.points.begin(), nominal.points.end());
  for (double point : points) {
    if (curve.At(point) <= nominal.At(point) + kWrittenRounding) continue;
    return Wrong(path, "must not be looser than nominal (%g at %g m/s), is %g", nominal.At(point),
                 point, curve.At(point));
  }
  return absl::OkStatus();
}

// Replaces `into` where a set gives values of its own.
absl::Status Tighten(const std::string& path, const std::vector<double>& points,
                     const Values& values, Curve& into) {
  if (values.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Curve curve, CurveOf(path, points, values, "to hold, use a fallback"));
  RETURN_IF_ERROR(CheckTighter(path, curve, into));
  into = Tightest(curve, into);
  return absl::OkStatus();
}

absl::Status Tighten(const std::string& path, double value, double& into) {
  RETURN_IF_ERROR(CheckPositive(path, value, "to hold, use a fallback"));
  RETURN_IF_ERROR(CheckTighter(path, value, into));
  into = std::min(into, value);
  return absl::OkStatus();
}

bool HasSeveral(const v1::LimitSet& set) {
  return set.wz_abs_max_radps_size() > 1 || set.acc_max_mps2_size() > 1 ||
         set.jerk_max_mps3_size() > 1;
}

}  // namespace

absl::Status PolicyCompiler::TwistLimitsPart() {
  if (document_.joints_size() > 0) return Wrong("joints", "belongs to command type joints only");
  TwistLimits nominal;
  RETURN_IF_ERROR(NominalSet(nominal));
  RETURN_IF_ERROR(NominalCurves(nominal));
  policy_.limits_.fill(nominal);
  return Situations();
}

absl::Status PolicyCompiler::NominalSet(TwistLimits& limits) const {
  const v1::LimitSet& set = document_.limits().nominal();
  const std::string path = "limits.nominal";
  if (!set.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "must be given");
  if (!set.has_vx_min_mps()) {
    return Wrong(path + ".vx_min_mps", "must be given: 0 forbids driving backwards");
  }
  if (!set.has_wz_acc_max_radps2()) return Wrong(path + ".wz_acc_max_radps2", "must be given");
  if (!set.has_cmd_vs_measured_mps()) {
    return Wrong(path + ".cmd_vs_measured_mps",
                 "must be given: a robot that is blocked must not be commanded ever faster");
  }
  if (set.for_ms() != 0) return Wrong(path + ".for_ms", "belongs to limits.transition only");
  limits.vx_max_mps = set.vx_max_mps();
  limits.vx_min_mps = set.vx_min_mps();
  limits.wz_acc_max_radps2 = set.wz_acc_max_radps2();
  limits.cmd_vs_measured_mps = set.cmd_vs_measured_mps();
  RETURN_IF_ERROR(CheckWithin(path + ".vx_max_mps", limits.vx_max_mps, kMostSpeedMps,
                              "a robot that may not move needs no model"));
  if (!(limits.vx_min_mps >= -kMostSpeedMps && limits.vx_min_mps <= 0)) {
    return Wrong(path + ".vx_min_mps",
                 "must be 0 or below, because standing is always allowed, and at least %g; is %g",
                 -kMostSpeedMps, limits.vx_min_mps);
  }
  // Where nothing measures the speed, this is the largest one itself.
  const double share = IsRequiredInput("odom") ? kMostAheadShare : 1;
  RETURN_IF_ERROR(CheckWithin(path + ".cmd_vs_measured_mps", limits.cmd_vs_measured_mps,
                              limits.vx_max_mps * share, "a robot that stands could never start"));
  return CheckWithin(path + ".wz_acc_max_radps2", limits.wz_acc_max_radps2, kMostTurnAccRadps2,
                     "the robot could never start to turn");
}

absl::Status PolicyCompiler::NominalCurves(TwistLimits& limits) const {
  const v1::LimitSet& set = document_.limits().nominal();
  const std::string path = "limits.nominal";
  const std::vector<double> points(set.speed_points_mps().begin(), set.speed_points_mps().end());
  RETURN_IF_ERROR(CheckPoints(path + ".speed_points_mps", points));
  ASSIGN_OR_RETURN(limits.wz_abs_max_radps,
                   NominalCurve(path + ".wz_abs_max_radps", points, set.wz_abs_max_radps(),
                                kMostTurnRadps, "a robot that cannot turn cannot leave"));
  ASSIGN_OR_RETURN(limits.acc_max_mps2,
                   NominalCurve(path + ".acc_max_mps2", points, set.acc_max_mps2(), kMostAccMps2,
                                "the robot could never start"));
  ASSIGN_OR_RETURN(limits.dec_max_mps2,
                   NominalCurve(path + ".dec_max_mps2", points, set.dec_max_mps2(), kMostAccMps2,
                                "stopping distances are computed from it"));
  ASSIGN_OR_RETURN(limits.jerk_max_mps3,
                   NominalCurve(path + ".jerk_max_mps3", points, set.jerk_max_mps3(), kMostJerkMps3,
                                "the acceleration could never grow"));
  return CheckFalls(path + ".wz_abs_max_radps", limits.wz_abs_max_radps);
}

absl::Status PolicyCompiler::Situations() {
  const v1::LimitSet& transition = document_.limits().transition();
  const std::string path = "limits.transition";
  ASSIGN_OR_RETURN(policy_.transition_for_,
                   LongMs(path + ".for_ms", transition.for_ms(), kLeastTransitionMs,
                          "a swapped model starts gently"));
  if (transition.acc_max_mps2().empty()) return Wrong(path + ".acc_max_mps2", "must be given");
  const auto in = [&](LimitSituation situation) -> TwistLimits& {
    return policy_.limits_[static_cast<size_t>(situation)];
  };
  RETURN_IF_ERROR(PartialSet(transition, path, in(LimitSituation::kTransition)));
  policy_.has_degraded_ = document_.limits().has_degraded();
  if (policy_.has_degraded_) {
    const v1::LimitSet& degraded = document_.limits().degraded();
    if (degraded.for_ms() != 0) {
      return Wrong("limits.degraded.for_ms", "belongs to limits.transition only");
    }
    if (degraded.wz_abs_max_radps().empty()) {
      return Wrong("limits.degraded.wz_abs_max_radps", "must be given");
    }
    RETURN_IF_ERROR(PartialSet(degraded, "limits.degraded", in(LimitSituation::kDegraded)));
  }
  in(LimitSituation::kBoth) =
      Tightest(in(LimitSituation::kTransition), in(LimitSituation::kDegraded));
  return absl::OkStatus();
}

// `limits` come in as the nominal ones and leave as the tighter ones of the set.
absl::Status PolicyCompiler::PartialSet(const v1::LimitSet& set, const std::string& path,
                                        TwistLimits& limits) const {
  if (!set.dec_max_mps2().empty()) {
    return Wrong(path + ".dec_max_mps2",
                 "must not be given: braking is the robot's, not the situation's");
  }
  std::vector<double> points(set.speed_points_mps().begin(), set.speed_points_mps().end());
  if (points.empty()) {
    const Values& nominal = document_.limits().nominal().speed_points_mps();
    points.assign(nominal.begin(), nominal.end());
  } else if (!HasSeveral(set)) {
    return Wrong(path + ".speed_points_mps", "must not be given without an array over them");
  }
  RETURN_IF_ERROR(CheckPoints(path + ".speed_points_mps", points));
  if (!set.has_vx_max_mps()) return Wrong(path + ".vx_max_mps", "must be given");
  RETURN_IF_ERROR(Tighten(path + ".vx_max_mps", set.vx_max_mps(), limits.vx_max_mps));
  if (set.has_vx_min_mps()) {
    if (!(set.vx_min_mps() >= limits.vx_min_mps && set.vx_min_mps() <= 0)) {
      return Wrong(path + ".vx_min_mps", "must be between nominal (%g) and 0, is %g",
                   limits.vx_min_mps, set.vx_min_mps());
    }
    limits.vx_min_mps = set.vx_min_mps();
  }
  // A situation's largest speed bounds both directions.
  limits.vx_min_mps = std::max(limits.vx_min_mps, -limits.vx_max_mps);
  RETURN_IF_ERROR(
      Tighten(path + ".wz_abs_max_radps", points, set.wz_abs_max_radps(), limits.wz_abs_max_radps));
  RETURN_IF_ERROR(CheckFalls(path + ".wz_abs_max_radps", limits.wz_abs_max_radps));
  RETURN_IF_ERROR(Tighten(path + ".acc_max_mps2", points, set.acc_max_mps2(), limits.acc_max_mps2));
  RETURN_IF_ERROR(
      Tighten(path + ".jerk_max_mps3", points, set.jerk_max_mps3(), limits.jerk_max_mps3));
  if (set.has_wz_acc_max_radps2()) {
    RETURN_IF_ERROR(
        Tighten(path + ".wz_acc_max_radps2", set.wz_acc_max_radps2(), limits.wz_acc_max_radps2));
  }
  if (set.has_cmd_vs_measured_mps()) {
    RETURN_IF_ERROR(Tighten(path + ".cmd_vs_measured_mps", set.cmd_vs_measured_mps(),
                            limits.cmd_vs_measured_mps));
  }
  return absl::OkStatus();
}

}  // namespace agent::runtime
