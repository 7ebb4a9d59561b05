#include "agent/runtime/twist_filter.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {
namespace {

bool Shorter(double limited, double wanted) {
  return std::abs(limited) < std::abs(wanted) - kNoise;
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

}  // namespace

void EnforceTwist(const Policy& policy, const Separation& separation,
                  std::span<const double> wanted, const Situation& situation, Enforcement& result) {
  TwistFilter(policy, separation, situation, result).Run(wanted[0], wanted[1]);
}

}  // namespace agent::runtime
