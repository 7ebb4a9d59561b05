#include "agent/runtime/twist_filter.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace agent::runtime {
namespace {

bool Shorter(double limited, double wanted) {
  return std::abs(limited) < std::abs(wanted) - kNoise;
}

double Component(std::span<const double> command, size_t i) {
  return i < command.size() && std::isfinite(command[i]) ? command[i] : 0;
}

// Braking is all that the robot can do about a cap that comes into force while it is faster.
double Gently(double cap, double wanted, double last, double step) {
  const double ahead = wanted * last > 0 ? std::abs(last) : 0;
  return std::max(cap, ahead - step);
}

class TwistFilter {
 public:
  TwistFilter(const Policy& policy, const Separation& separation, const Situation& situation,
              Enforcement& result)
      : policy_(policy),
        nominal_(policy.nominal()),
        limits_(policy.limits(SituationOf(situation.transition, situation.degraded))),
        separation_(separation),
        at_(situation),
        last_vx_(Component(situation.last, 0)),
        last_wz_(Component(situation.last, 1)),
        brake_(nominal_.dec_max_mps2.At(std::abs(last_vx_)) * situation.dec_s),
        result_(result) {}

  void Run(double vx, double wz) {
    vx = Capped(Bounded(vx));
    vx = NearMeasured(Accelerated(vx));
    wz = Turned(wz, vx);
    if (separation_.MustStop(result_.reasons)) vx = wz = 0;
    FarFromPeople(vx, wz);
    SlowInZones(vx, wz);
    InsideEnvelope(vx, wz);
    // Adding 0 turns a negative zero into a positive one.
    result_.values[0] = vx + 0.0;
    result_.values[1] = wz + 0.0;
  }

 private:
  // The absolute bounds of the nominal set.
  double Bounded(double wanted) {
    const double vx = ClampInto(wanted, nominal_.vx_min_mps, nominal_.vx_max_mps);
    if (Shorter(vx, wanted)) HeldBack("speed");
    return vx;
  }

  // The caps of the moment. Slow zones act at once; the others as fast as the robot brakes.
  double Capped(double wanted) {
    const double bound = wanted < 0 ? -limits_.vx_min_mps : limits_.vx_max_mps;
    double vx = ClampMagnitude(wanted, Gently(bound, wanted, last_vx_, brake_));
    if (Shorter(vx, wanted)) BecauseOfSituation();

    const double whole = wanted < 0 ? -nominal_.vx_min_mps : nominal_.vx_max_mps;
    const double derated = ClampMagnitude(vx, Gently(whole * at_.derate, wanted, last_vx_, brake_));
    if (Shorter(derated, vx)) Because(at_.derate_reason);
    vx = derated;

    const double cap = separation_.CapMps(result_.reasons);
    return std::isfinite(cap) ? ClampMagnitude(vx, cap) : vx;
  }

  double Accelerated(double wanted) {
    const double acc = limits_.acc_max_mps2.At(std::abs(last_vx_));
    const double step = acc * at_.acc_s;
    const double vx = ClampRate(wanted, last_vx_, step);
    if (Shorter(vx, wanted)) Jumped("acceleration", wanted, Component(at_.last_raw, 0), step);
    // The model does not know how hard the robot accelerates just now: not its doing.
    const double jerk = limits_.jerk_max_mps3.At(std::abs(last_vx_));
    const double smooth = (std::max(0.0, at_.acc_mps2) + jerk * at_.acc_s) * at_.acc_s;
    const double eased = ClampRate(vx, last_vx_, smooth);
    if (Shorter(eased, vx)) Because("jerk");
    return eased;
  }

  // A robot that does not follow is blocked, slips or is lost: its command waits for it. What is
  // faster than measured plus the limit is not yet driven, so holding it back brakes nothing. A
  // robot whose speed nobody knows may be as fast as it was told, so that it must be slowed gently.
  double NearMeasured(double wanted) {
    const double along = at_.motion ? std::copysign(1.0, wanted) * at_.motion->vx_mps : 0;
    double cap = std::max(0.0, along) + limits_.cmd_vs_measured_mps;
    if (!at_.motion) cap = Gently(cap, wanted, last_vx_, brake_);
    const double vx = ClampMagnitude(wanted, cap);
    if (Shorter(vx, wanted)) Because("cmd_vs_measured");
    return vx;
  }

  double Turned(double wanted, double vx) {
    // The faster of told and measured: the robot has the lateral acceleration of its real speed.
    const double measured = at_.motion ? std::abs(at_.motion->vx_mps) : 0;
    const double speed = std::max(std::abs(vx), measured);
    const double wz = ClampMagnitude(wanted, nominal_.wz_abs_max_radps.At(speed));
    if (Shorter(wz, wanted)) HeldBack("yaw_rate");
    const double brake = nominal_.wz_acc_max_radps2 * at_.dec_s;
    const double calm =
        ClampMagnitude(wz, Gently(limits_.wz_abs_max_radps.At(speed), wz, last_wz_, brake));
    if (Shorter(calm, wz)) BecauseOfSituation();
    const double step = limits_.wz_acc_max_radps2 * at_.acc_s;
    const double turned = ClampRate(calm, last_wz_, step);
    if (Shorter(turned, calm)) Jumped("yaw_acceleration", calm, Component(at_.last_raw, 1), step);
    return turned;
  }

  // At once, as a slow zone. What turns on the spot may reach a person too.
  void FarFromPeople(double& vx, double& wz) {
    const double speed = FootprintSpeedMps(policy_.footprint(), vx, wz);
    const double cap = separation_.SsmCapMps();
    if (speed <= cap) return;
    Because("ssm");
    Scale(vx, wz, cap / speed);
  }

  void SlowInZones(double& vx, double& wz) {
    if (!at_.motion || policy_.envelope().empty()) return;
    Scale(vx, wz, SpeedZoneFactor(policy_, *at_.motion, vx, wz, result_.reasons));
  }

  void InsideEnvelope(double& vx, double& wz) {
    if (policy_.envelope().empty() || FootprintSpeedMps(policy_.footprint(), vx, wz) == 0) return;
    if (!at_.motion || !PoseServes(policy_, *at_.motion)) {
      StopAsChecked(vx, wz);
      return;
    }
    std::string_view blocker;
    const double factor = EnvelopeFactor(policy_, *at_.motion, vx, wz, blocker);
    if (!(factor < 1)) return;
    HeldBack(blocker);
    Scale(vx, wz, factor);
  }

  // Nobody knows where the robot is. The one way that is known to be free is the stop that was
  // checked with the last pose: along the last command, as hard as it was assumed.
  void StopAsChecked(double& vx, double& wz) {
    Because("envelope:no_pose");
    const double moving = last_vx_ != 0 ? std::abs(last_vx_) : std::abs(last_wz_);
    const double dec = last_vx_ != 0 ? nominal_.dec_max_mps2.Least() : nominal_.wz_acc_max_radps2;
    const double left = moving - dec * at_.dec_s;
    double share = left > 0 ? left / moving : 0;
    for (const auto& [wanted, last] : {std::pair{vx, last_vx_}, std::pair{wz, last_wz_}}) {
      if (last != 0) share = std::min(share, std::max(0.0, wanted / last));
    }
    vx = ClampMagnitude(vx, std::abs(last_vx_ * share));
    wz = ClampMagnitude(wz, std::abs(last_wz_ * share));
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
  void BecauseOfSituation() {
    if (at_.transition) Because("transition");
    if (at_.degraded) Because("degraded");
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
  const TwistLimits& nominal_;
  const TwistLimits& limits_;  // of the situation: nominal or tighter
  const Separation& separation_;
  const Situation& at_;
  const double last_vx_;
  const double last_wz_;
  const double brake_;  // how much slower the robot can be than it was told last
  Enforcement& result_;
};

}  // namespace

void EnforceTwist(const Policy& policy, const Separation& separation,
                  std::span<const double> wanted, const Situation& situation, Enforcement& result) {
  TwistFilter(policy, separation, situation, result).Run(wanted[0], wanted[1]);
}

}  // namespace agent::runtime
