#include "agent/runtime/enforce.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace agent::runtime {
namespace {

// A model is not held to more than float32 can say.
constexpr double kNoise = 1e-6;

bool Shorter(double limited, double wanted) {
  return std::abs(limited) < std::abs(wanted) - kNoise;
}

bool AllFinite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

double Component(std::span<const double> command, size_t i) {
  return i < command.size() && std::isfinite(command[i]) ? command[i] : 0;
}

// Braking is all that the robot can do about a cap that comes into force while it is faster.
double Gently(double cap, double last, double step) { return std::max(cap, std::abs(last) - step); }

class TwistFilter {
 public:
  TwistFilter(const Policy& policy, const Separation& separation, const Situation& situation,
              Enforcement& result)
      : policy_(policy),
        limits_(policy.nominal()),
        separation_(separation),
        at_(situation),
        result_(result) {}

  void Run(double vx, double wz) {
    vx = Accelerated(Capped(Bounded(vx)));
    wz = Turned(wz, vx);
    if (separation_.MustStop(result_.reasons)) vx = wz = 0;
    InsideEnvelope(vx, wz);
    // Adding 0 turns a negative zero into a positive one.
    result_.values[0] = vx + 0.0;
    result_.values[1] = wz + 0.0;
  }

 private:
  // The absolute bounds of the nominal set.
  double Bounded(double wanted) {
    const double vx = ClampInto(wanted, limits_.vx_min_mps, limits_.vx_max_mps);
    if (Shorter(vx, wanted)) HeldBack("speed");
    return vx;
  }

  // The caps of the situation. Slow and speed zones act at once; the others as fast as the robot
  // brakes.
  double Capped(double wanted) {
    const double last = Component(at_.last, 0);
    const double brake = limits_.dec_max_mps2.At(std::abs(last)) * at_.dec_s;
    double vx = wanted;
    if (at_.transition) {
      vx = ClampMagnitude(vx, Gently(policy_.transition().vx_max_mps, last, brake));
      if (Shorter(vx, wanted)) Because("transition");
    }
    if (at_.degraded && policy_.degraded()) {
      const double before = vx;
      vx = ClampMagnitude(vx, Gently(policy_.degraded()->vx_max_mps, last, brake));
      if (Shorter(vx, before)) Because("degraded");
    }
    double cap = separation_.CapMps(result_.reasons);
    if (at_.motion) {
      cap = std::min(cap, SpeedZoneCap(policy_, at_.motion->pose, result_.reasons));
    }
    return std::isfinite(cap) ? ClampMagnitude(vx, cap) : vx;
  }

  double Accelerated(double wanted) {
    const double last = Component(at_.last, 0);
    double acc = limits_.acc_max_mps2.At(std::abs(last));
    if (at_.transition) acc = std::min(acc, policy_.transition().acc_max_mps2);
    const double step = acc * at_.acc_s;
    const double vx = ClampRate(wanted, last, step);
    if (Shorter(vx, wanted)) Jumped("acceleration", wanted, Component(at_.last_raw, 0), step);
    return vx;
  }

  double Turned(double wanted, double vx) {
    // The faster of told and measured: the robot has the lateral acceleration of its real speed.
    const double measured = at_.motion ? std::abs(at_.motion->vx_mps) : 0;
    double wz =
        ClampMagnitude(wanted, limits_.wz_abs_max_radps.At(std::max(std::abs(vx), measured)));
    if (Shorter(wz, wanted)) HeldBack("yaw_rate");
    const double last = Component(at_.last, 1);
    const double per_s = limits_.wz_acc_max_radps2;
    if (at_.degraded && policy_.degraded()) {
      const double before = wz;
      wz =
          ClampMagnitude(wz, Gently(policy_.degraded()->wz_abs_max_radps, last, per_s * at_.dec_s));
      if (Shorter(wz, before)) Because("degraded");
    }
    const double step = per_s * at_.acc_s;
    const double turned = ClampRate(wz, last, step);
    if (Shorter(turned, wz)) Jumped("yaw_acceleration", wz, Component(at_.last_raw, 1), step);
    return turned;
  }

  void InsideEnvelope(double& vx, double& wz) {
    if (policy_.envelope().empty() || vx == 0) return;
    if (!at_.motion) {
      // Nobody knows where the robot is. The one way that is known to be free is the stop that was
      // checked with the last pose: along the last command, as hard as it was assumed.
      const double last = Component(at_.last, 0);
      const double brake = limits_.dec_max_mps2.Least() * at_.dec_s;
      const double left = vx * last > 0 ? std::max(0.0, std::abs(last) - brake) : 0;
      Scale(vx, wz, std::min(1.0, left / std::abs(vx)));
      Because("envelope:no_pose");
      return;
    }
    std::string_view blocker;
    const double factor = EnvelopeFactor(policy_, *at_.motion, vx, wz, blocker);
    if (!(factor < 1)) return;
    HeldBack(blocker);
    Scale(vx, wz, factor);
  }

  static void Scale(double& vx, double& wz, double factor) {
    vx *= factor;
    wz *= factor;
  }

  void Because(std::string_view reason) {
    if (std::find(result_.reasons.begin(), result_.reasons.end(), reason) ==
        result_.reasons.end()) {
      result_.reasons.push_back(reason);
    }
  }
  void HeldBack(std::string_view reason) {
    result_.clamped = true;
    Because(reason);
  }
  // A model that asks for the same as before while the robot still gathers speed is not at fault;
  // its own step from answer to answer is. Before its first answer nobody knows its step.
  void Jumped(std::string_view reason, double wanted, double last_raw, double step) {
    const bool own = !at_.last_raw.empty() && Shorter(ClampRate(wanted, last_raw, step), wanted);
    own ? HeldBack(reason) : Because(reason);
  }

  const Policy& policy_;
  const TwistLimits& limits_;
  const Separation& separation_;
  const Situation& at_;
  Enforcement& result_;
};

void EnforceJoints(const Policy& policy, std::span<const double> wanted, const Situation& at,
                   Enforcement& result) {
  const std::span<const double> from = at.last.size() == wanted.size() ? at.last : at.joints_rad;
  if (from.size() != wanted.size() || !AllFinite(from)) {
    // Nobody knows where the arm is: no target is safe.
    result.values.clear();
    result.reasons.push_back("joints:unknown");
    return;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const JointLimits& joint = policy.joints()[i];
    const double target = std::clamp(wanted[i], joint.q_min_rad, joint.q_max_rad);
    const double step = joint.qd_abs_max_radps * at.acc_s;
    result.values[i] = std::clamp(target, from[i] - step, from[i] + step) + 0.0;
    const bool outside = std::abs(target - wanted[i]) > kNoise;
    const bool slower = std::abs(result.values[i] - target) > kNoise;
    const bool own =
        at.last_raw.size() == wanted.size() && std::abs(wanted[i] - at.last_raw[i]) > step + kNoise;
    if (outside) result.reasons.push_back("joint_position");
    if (slower) result.reasons.push_back("joint_velocity");
    result.clamped = result.clamped || outside || (slower && own);
  }
}

}  // namespace

void Enforce(const Policy& policy, const Separation& separation, std::span<const double> wanted,
             const Situation& situation, Enforcement& result) {
  result.values.assign(policy.command().fields.size(), 0);
  result.clamped = false;
  if (wanted.size() != result.values.size() || !AllFinite(wanted)) {
    result.reasons.push_back("unusable");
    const bool twist = policy.command().type == CommandType::kTwist2d;
    if (!twist) result.values.assign(situation.last.begin(), situation.last.end());
    return;
  }
  if (policy.command().type == CommandType::kTwist2d) {
    TwistFilter(policy, separation, situation, result).Run(wanted[0], wanted[1]);
  } else {
    EnforceJoints(policy, wanted, situation, result);
  }
}

bool IsSound(const Policy& policy, std::span<const double> wanted,
             std::span<const double> enforced) {
  if (!AllFinite(enforced)) return false;
  if (policy.command().type == CommandType::kJoints) {
    return enforced.empty() || enforced.size() == wanted.size();
  }
  if (enforced.size() != wanted.size()) return false;
  for (size_t i = 0; i < enforced.size(); ++i) {
    if (std::abs(enforced[i]) > std::abs(wanted[i])) return false;
    if (enforced[i] * wanted[i] < 0) return false;
  }
  return true;
}

void BrakeAlong(const Policy& policy, std::span<const double> last, const Braking& braking,
                std::vector<double>& values) {
  values.assign(last.begin(), last.end());
  if (policy.command().type != CommandType::kTwist2d || last.size() != 2) return;
  const double speed = std::abs(last[0]);
  const double dec = speed > 0 ? braking.dec_mps2 : policy.nominal().wz_acc_max_radps2;
  const double moving = speed > 0 ? speed : std::abs(last[1]);
  const double left = moving - dec * std::max(0.0, braking.seconds);
  const double factor = left > 0 ? left / moving : 0;
  for (double& value : values) value = value * factor + 0.0;
}

}  // namespace agent::runtime
