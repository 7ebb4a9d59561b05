#include "gatekeeper/gates/limit_oracle.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"

namespace gatekeeper::gates {
namespace {

constexpr double kRounding = 1e-9;

struct FieldBounds {
  double low = 0;
  double high = 0;
  double rise_per_tick = INFINITY;    // of the magnitude
  double growth_per_tick = INFINITY;  // of the rise
};

double Largest(const google::protobuf::RepeatedField<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

std::vector<FieldBounds> BoundsOf(const v1::ControlPolicy& policy) {
  const v1::LimitSet& nominal = policy.limits().nominal();
  std::vector<FieldBounds> bounds;
  for (const std::string& field : policy.command().fields()) {
    FieldBounds bound;
    if (field == "vx_mps") {
      bound.low = nominal.vx_min_mps();
      bound.high = nominal.vx_max_mps();
      bound.rise_per_tick = Largest(nominal.acc_max_mps2()) / policy.command().rate_hz();
      bound.growth_per_tick = Largest(nominal.jerk_max_mps3()) / policy.command().rate_hz() /
                              policy.command().rate_hz();
    } else if (field == "wz_radps") {
      bound.high = Largest(nominal.wz_abs_max_radps());
      bound.low = -bound.high;
      if (nominal.has_wz_acc_max_radps2()) {
        bound.rise_per_tick = nominal.wz_acc_max_radps2() / policy.command().rate_hz();
      }
    } else if (const auto joint = policy.joints().find(field); joint != policy.joints().end()) {
      bound.low = joint->second.q_min_rad();
      bound.high = joint->second.q_max_rad();
    }
    bounds.push_back(bound);
  }
  return bounds;
}

double Excess(double value, const FieldBounds& bound) {
  return std::max(value - bound.high, bound.low - value);
}

double Smallest(const google::protobuf::RepeatedField<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

// How fast a base may be told to go from what it was measured and told before: ahead of the
// measured speed by the limit, or still braking towards that.
double FollowBound(const v1::ControlPolicy& policy, double vx, double measured, double last) {
  const v1::LimitSet& nominal = policy.limits().nominal();
  const double along =
      std::isfinite(measured) ? std::max(0.0, std::copysign(1.0, vx) * measured) : 0;
  const double braking =
      std::abs(last) - Smallest(nominal.dec_max_mps2()) / policy.command().rate_hz();
  return std::max(along + nominal.cmd_vs_measured_mps(), braking);
}

}  // namespace

std::optional<LimitBreach> FirstBreach(const Replay& replay, const v1::ControlPolicy& policy) {
  const std::vector<FieldBounds> bounds = BoundsOf(policy);
  std::vector<double> last, last_rise(bounds.size(), 0);
  for (size_t i = 0; i < replay.ticks.size(); ++i) {
    const v1::TickRecord& tick = replay.ticks[i];
    // An arm whose joints were never measured is told to hold, without positions.
    if (policy.command().type() == "joints" && tick.enforced().empty()) continue;
    if (static_cast<size_t>(tick.enforced_size()) != bounds.size()) {
      return LimitBreach{i, absl::StrFormat("the command has %d values, the policy %d fields",
                                            tick.enforced_size(), bounds.size())};
    }
    for (size_t f = 0; f < bounds.size(); ++f) {
      const double value = tick.enforced(static_cast<int>(f));
      const std::string& field = policy.command().fields(static_cast<int>(f));
      if (!std::isfinite(value))
        return LimitBreach{i, absl::StrFormat("enforced %s is not finite", field)};
      if (Excess(value, bounds[f]) > kRounding) {
        return LimitBreach{i, absl::StrFormat("enforced %s is %.6f, allowed %.6f to %.6f", field,
                                              value, bounds[f].low, bounds[f].high)};
      }
      const double rise = last.empty() ? 0 : std::abs(value) - std::abs(last[f]);
      if (rise > bounds[f].rise_per_tick + kRounding) {
        return LimitBreach{i, absl::StrFormat("enforced %s rose by %.6f in one tick, allowed %.6f",
                                              field, rise, bounds[f].rise_per_tick)};
      }
      const double steady = std::max(0.0, last_rise[f]) + bounds[f].growth_per_tick;
      if (rise > steady + kRounding) {
        return LimitBreach{i, absl::StrFormat("enforced %s rose by %.6f in one tick, after %.6f in "
                                              "the tick before only %.6f",
                                              field, rise, last_rise[f], steady)};
      }
      // What was driven before the first tick is not in the replay: the most it can have risen.
      last_rise[f] = last.empty() ? std::abs(value) : rise;
      if (field != "vx_mps" || i >= replay.measured.size()) continue;
      const double follow =
          FollowBound(policy, value, replay.measured[i].vx_mps, last.empty() ? 0 : last[f]);
      if (std::abs(value) > follow + kRounding) {
        return LimitBreach{
            i, absl::StrFormat("enforced %s is %.6f, from %.6f measured allowed %.6f", field, value,
                               replay.measured[i].vx_mps, follow)};
      }
    }
    last.assign(tick.enforced().begin(), tick.enforced().end());
  }
  return std::nullopt;
}

std::string WorstRawExcess(const Replay& replay, const v1::ControlPolicy& policy) {
  const std::vector<FieldBounds> bounds = BoundsOf(policy);
  double worst = kRounding;
  std::string sentence;
  for (const v1::TickRecord& tick : replay.ticks) {
    for (size_t f = 0; f < bounds.size() && f < static_cast<size_t>(tick.raw_size()); ++f) {
      const double value = tick.raw(static_cast<int>(f));
      const double excess = Excess(value, bounds[f]);
      if (!(excess > worst)) continue;
      worst = excess;
      sentence = absl::StrFormat("%s %.3f at %.2f s, allowed %.3f to %.3f",
                                 policy.command().fields(static_cast<int>(f)), value,
                                 replay.Second(tick.now_ns()), bounds[f].low, bounds[f].high);
    }
  }
  return sentence;
}

}  // namespace gatekeeper::gates
