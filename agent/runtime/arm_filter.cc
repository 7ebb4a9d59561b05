#include "agent/runtime/arm_filter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string_view>

#include "agent/runtime/arm_motion.h"
#include "agent/runtime/tool_path.h"

namespace agent::runtime {
namespace {

constexpr int kShareHalvings = 20;  // of the share of a step: a millionth

using Steps = std::array<double, kMaxJoints>;

// The largest speed from which the joint, after one more tick at it, can stop within `room_rad`.
double StopSpeed(const JointLimits& joint, double room_rad, double seconds) {
  const double way_rad = 2 * std::max(0.0, room_rad);
  // Solves v dt + v^2 / (2 a) = room, without a difference of nearly equal numbers.
  return way_rad / (seconds + std::sqrt(seconds * seconds + way_rad / joint.qdd_abs_max_radps2));
}

// Speeds that the joint can have after `seconds`.
struct JointReach {
  double low = 0;
  double high = 0;

  double Into(double speed) const { return std::clamp(speed, low, high); }
};

JointReach ReachOf(const JointLimits& joint, double speed, double acceleration, double seconds) {
  const double most = joint.qdd_abs_max_radps2;
  // Braking is free of jerk; only what gathers speed is held to it.
  const double up =
      std::min(most, std::max(0.0, acceleration) + joint.qddd_abs_max_radps3 * seconds);
  const double down =
      std::min(most, std::max(0.0, -acceleration) + joint.qddd_abs_max_radps3 * seconds);
  return {.low = std::max(speed - most * seconds, std::min(speed, 0.0) - down * seconds),
          .high = std::min(speed + most * seconds, std::max(speed, 0.0) + up * seconds)};
}

class ArmFilter {
 public:
  ArmFilter(const Policy& policy, std::span<const double> from, const Situation& at,
            Enforcement& result)
      : policy_(policy),
        from_(from),
        at_(at),
        scale_((at.degraded || at.transition ? policy.arm().degraded_scale : 1) * at.derate),
        result_(result) {}

  void Run(std::span<const double> wanted) {
    result_.values.assign(from_.begin(), from_.end());
    if (!(at_.acc_s > 0)) return;
    Steps steps{};
    Steps braked{};
    for (size_t i = 0; i < from_.size(); ++i) {
      steps[i] = JointSpeed(i, wanted[i]) * at_.acc_s;
      braked[i] = BrakedRadps(policy_.joints()[i], Speed(i), at_.acc_s) * at_.acc_s;
    }
    KeepTool(wanted, steps, braked);
    std::transform(from_.begin(), from_.end(), steps.begin(), result_.values.begin(), std::plus());
  }

 private:
  double Speed(size_t i) const { return i < at_.joints_radps.size() ? at_.joints_radps[i] : 0; }
  double Acceleration(size_t i) const {
    return i < at_.joints_radps2.size() ? at_.joints_radps2[i] : 0;
  }

  // How fast the model's target moves, as far as the joint can follow.
  double TargetSpeed(size_t i, double wanted) const {
    if (at_.last_raw.size() != from_.size()) return 0;
    const double most = policy_.joints()[i].qd_abs_max_radps;
    return std::clamp((wanted - at_.last_raw[i]) / at_.acc_s, -most, most);
  }

  double JointSpeed(size_t i, double wanted) {
    const JointLimits& joint = policy_.joints()[i];
    const double target = std::clamp(wanted, joint.q_min_rad, joint.q_max_rad);
    if (std::abs(target - wanted) > kNoise) HeldBack("joint_position");
    const JointReach reach = ReachOf(joint, Speed(i), Acceleration(i), at_.acc_s);

    const double asked = (target - from_[i]) / at_.acc_s;
    double speed = reach.Into(asked);
    if (std::abs(speed - asked) > kNoise) {
      // A target that cannot be had in one tick is approached so that the joint can stop at it, or
      // go on with it where it moves.
      const double drift = TargetSpeed(i, wanted);
      const double ahead = asked - drift;
      const double stop = StopSpeed(joint, std::abs(ahead) * at_.acc_s, at_.acc_s);
      speed = reach.Into(drift + std::copysign(std::min(std::abs(ahead), stop), ahead));
    }
    if (std::abs(speed - asked) > kNoise) Because("joint_acceleration");
    speed = Capped(i, wanted, speed, reach);

    const double up = StopSpeed(joint, joint.q_max_rad - from_[i], at_.acc_s);
    const double down = StopSpeed(joint, from_[i] - joint.q_min_rad, at_.acc_s);
    const double inside = reach.Into(std::clamp(speed, -down, up));
    if (std::abs(inside - speed) > kNoise) Because("joint_position");
    return inside;
  }

  double Capped(size_t i, double wanted, double speed, const JointReach& reach) {
    const double whole = policy_.joints()[i].qd_abs_max_radps;
    const double capped = reach.Into(std::clamp(speed, -whole * scale_, whole * scale_));
    if (!(std::abs(capped) < std::abs(speed) - kNoise)) return capped;
    const bool own = at_.last_raw.size() == from_.size() &&
                     std::abs(wanted - at_.last_raw[i]) > whole * at_.acc_s + kNoise;
    if (scale_ == 1 && own) result_.clamped = true;
    Because(Situational("joint_velocity"));
    return capped;
  }

  void KeepTool(std::span<const double> wanted, Steps& steps, const Steps& braked) {
    const ToolPath path(policy_, from_, {.seconds = at_.acc_s, .scale = scale_});
    const size_t joints = from_.size();
    const std::string_view blocker = path.Blocker({steps.data(), joints});
    if (blocker.empty()) return;
    const bool speed = blocker == kToolSpeed;
    Because(speed ? Situational(blocker) : blocker);
    if (!speed || (scale_ == 1 && OwnToolStepIsFast(wanted))) result_.clamped = true;
    Steps best = braked;
    double good = 0;
    double bad = 1;
    for (int k = 0; k < kShareHalvings; ++k) {
      const double share = (good + bad) / 2;
      Steps tried{};
      std::transform(braked.begin(), braked.end(), steps.begin(), tried.begin(),
                     [share](double least, double most) { return least + share * (most - least); });
      if (!path.Blocker({tried.data(), joints}).empty()) {
        bad = share;
        continue;
      }
      good = share;
      best = tried;
    }
    steps = best;
  }

  // The model's own step, from answer to answer, moves the tool faster than it may go.
  bool OwnToolStepIsFast(std::span<const double> wanted) const {
    if (at_.last_raw.size() != wanted.size()) return false;
    const std::vector<DhLink>& chain = policy_.arm().chain;
    const double way_m = Distance(ToolPoint(chain, at_.last_raw), ToolPoint(chain, wanted));
    return way_m > policy_.arm().tcp_v_max_mps * at_.acc_s + kNoise;
  }

  // What makes a speed smaller than its limit just now.
  std::string_view Situational(std::string_view otherwise) const {
    if (at_.derate < 1) return at_.derate_reason;
    if (scale_ == 1) return otherwise;
    return at_.degraded ? "degraded" : "transition";
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

  const Policy& policy_;
  const std::span<const double> from_;
  const Situation& at_;
  const double scale_;  // of joint and tool speeds
  Enforcement& result_;
};

}  // namespace

void EnforceJoints(const Policy& policy, std::span<const double> wanted, const Situation& at,
                   Enforcement& result) {
  const std::span<const double> from = at.last.size() == wanted.size() ? at.last : at.joints_rad;
  if (from.size() != wanted.size() || !AllFinite(from)) {
    // Nobody knows where the arm is: no target is safe.
    result.values.clear();
    result.reasons.push_back("joints:unknown");
    return;
  }
  ArmFilter(policy, from, at, result).Run(wanted);
}

void BrakeJoints(const Policy& policy, std::span<const double> last,
                 std::span<const double> speeds_radps, double seconds,
                 std::vector<double>& values) {
  values.assign(last.begin(), last.end());
  if (speeds_radps.size() != last.size()) return;
  for (size_t i = 0; i < last.size(); ++i) {
    values[i] += BrakedRadps(policy.joints()[i], speeds_radps[i], seconds) * seconds;
  }
}

}  // namespace agent::runtime
