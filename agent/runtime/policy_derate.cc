#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

// The `derate` part of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

bool IsShare(double value) { return value >= 0 && value <= 1; }

absl::StatusOr<Curve> ScaleOf(const v1::DerateRule& rule, const std::string& path) {
  Curve curve{{rule.points().begin(), rule.points().end()},
              {rule.scale().begin(), rule.scale().end()}};
  if (curve.points.size() < 2) return Wrong(path + ".points", "must be at least two");
  for (size_t i = 0; i < curve.points.size(); ++i) {
    if (!std::isfinite(curve.points[i]) || (i > 0 && curve.points[i] <= curve.points[i - 1])) {
      return Wrong(path + ".points", "must be finite and ascend; point %d is %g", i,
                   curve.points[i]);
    }
  }
  if (curve.values.size() != curve.points.size()) {
    return Wrong(path + ".scale", "must have one value for each point (%d), has %d",
                 curve.points.size(), curve.values.size());
  }
  for (double value : curve.values) {
    if (!IsShare(value)) return Wrong(path + ".scale", "must be 0 to 1, has %g", value);
  }
  const bool rises = std::is_sorted(curve.values.begin(), curve.values.end());
  const bool falls = std::is_sorted(curve.values.rbegin(), curve.values.rend());
  if (rises == falls) {
    return Wrong(path + ".scale", "must rise or fall throughout, and differ between its ends");
  }
  return curve;
}

}  // namespace

absl::Status PolicyCompiler::Derate() {
  std::set<std::string> signals;
  for (int i = 0; i < document_.derate_size(); ++i) {
    const std::string path = absl::StrCat("derate[", i, "]");
    if (!signals.insert(document_.derate(i).signal()).second) {
      return Wrong(path + ".signal", "must be named once, '%s' is named twice",
                   document_.derate(i).signal());
    }
    RETURN_IF_ERROR(DerateRule(document_.derate(i), path));
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::DerateRule(const v1::DerateRule& rule, const std::string& path) {
  DerateLimits limits;
  limits.signal = rule.signal();
  limits.absent_scale = rule.absent_scale();
  limits.release_at = rule.release_at();
  limits.reason = absl::StrCat("derate:", rule.signal());
  const std::set<std::string> messages = {"", "scan", "odom", "image", "imu", "joints"};
  if (messages.contains(rule.signal())) {
    return Wrong(path + ".signal", "must name a scalar channel, is '%s'", rule.signal());
  }
  ASSIGN_OR_RETURN(limits.scale, ScaleOf(rule, path));
  limits.falls = limits.scale.values.front() > limits.scale.values.back();
  ASSIGN_OR_RETURN(limits.max_age,
                   PositiveMs(path + ".max_age_ms", rule.max_age_ms(),
                              "a signal that nobody measures any more is absent", kMostOwnAgeMs));
  if (!IsShare(limits.absent_scale)) {
    return Wrong(path + ".absent_scale", "must be 0 to 1, is %g", limits.absent_scale);
  }
  const bool stops = limits.scale.Least() == 0 || limits.absent_scale == 0;
  if (!stops) {
    if (!rule.trigger().empty()) {
      return Wrong(path + ".trigger", "must not be given, because the scale never falls to 0");
    }
    if (rule.release_at() != 0) {
      return Wrong(path + ".release_at", "must not be given without a trigger");
    }
  } else {
    ASSIGN_OR_RETURN(limits.trigger, Trigger(path + ".trigger", rule.trigger()));
    if (!std::isfinite(limits.release_at) || limits.scale.At(limits.release_at) <= 0) {
      return Under(
          "S7", Wrong(path + ".release_at", "must be a value at which the scale is above 0, is %g",
                      limits.release_at));
    }
  }
  policy_.derate_.push_back(std::move(limits));
  return absl::OkStatus();
}

}  // namespace agent::runtime
