#include "agent/runtime/tool_path.h"

#include <algorithm>
#include <cmath>

#include "agent/runtime/tool_point.h"

namespace agent::runtime {
namespace {

constexpr int kPieces = 4;  // of a step: its chord differs from its arc by less than 0.1 %
constexpr int kLooks = 64;  // at a stop
constexpr double kSlackM = 1e-11;

double PeriodS(const Policy& policy) { return 1 / policy.command().rate_hz; }

double Shed(double speed, double by) {
  return std::copysign(std::max(0.0, std::abs(speed) - by), speed);
}

}  // namespace

int TicksALook(const Policy& policy) {
  double ticks = 1;
  for (const JointLimits& joint : policy.joints()) {
    ticks = std::max(ticks, joint.qd_abs_max_radps / (joint.qdd_abs_max_radps2 * PeriodS(policy)));
  }
  return static_cast<int>(std::ceil(ticks / kLooks));
}

ToolPath::ToolPath(const Policy& policy, std::span<const double> from_rad, const Step& step)
    : policy_(policy),
      from_rad_(from_rad),
      step_(step),
      start_(ToolPoint(policy.arm().chain, from_rad)) {
  for (size_t z = 0; z < policy.envelope().size(); ++z) {
    const MapZone& zone = policy.envelope()[z];
    need_m_[z] = std::min(zone.margin_m, ToolRoomM(zone, start_));
  }
}

std::string_view ToolPath::Blocker(std::span<const double> step_rad) const {
  std::array<double, kMaxJoints> q{};
  const std::span<const double> at(q.data(), from_rad_.size());
  Vec3 tool = start_;
  for (int piece = 1; piece <= kPieces; ++piece) {
    for (size_t i = 0; i < from_rad_.size(); ++i) {
      q[i] = from_rad_[i] + step_rad[i] * piece / kPieces;
    }
    const Vec3 next = ToolPoint(policy_.arm().chain, at);
    const std::string_view blocker = BlockerBetween(tool, next, step_.seconds / kPieces);
    if (!blocker.empty()) return blocker;
    tool = next;
  }
  return BlockerOfStop(step_rad, tool);
}

std::string_view ToolPath::BlockerOfStop(std::span<const double> step_rad, Vec3 tool) const {
  const double period_s = PeriodS(policy_);
  const int stride = TicksALook(policy_);
  std::array<double, kMaxJoints> q{};
  std::array<double, kMaxJoints> speed{};
  for (size_t i = 0; i < from_rad_.size(); ++i) {
    q[i] = from_rad_[i] + step_rad[i];
    speed[i] = step_rad[i] / step_.seconds;
  }
  bool moves = true;
  while (moves) {
    moves = false;
    for (int tick = 0; tick < stride; ++tick) {
      for (size_t i = 0; i < from_rad_.size(); ++i) {
        speed[i] = Shed(speed[i], policy_.joints()[i].qdd_abs_max_radps2 * period_s);
        q[i] += speed[i] * period_s;
        moves = moves || speed[i] != 0;
      }
    }
    const Vec3 next = ToolPoint(policy_.arm().chain, {q.data(), from_rad_.size()});
    const std::string_view blocker = BlockerBetween(tool, next, period_s * stride);
    if (!blocker.empty()) return blocker;
    tool = next;
  }
  return {};
}

std::string_view ToolPath::BlockerBetween(const Vec3& before, const Vec3& after,
                                          double seconds) const {
  double cap_mps = policy_.arm().tcp_v_max_mps * step_.scale;
  std::string_view capped_by = kToolSpeed;
  for (size_t z = 0; z < policy_.envelope().size(); ++z) {
    const MapZone& zone = policy_.envelope()[z];
    const double room = ToolRoomM(zone, after);
    if (zone.kind == ZoneKind::kSpeed) {
      if (room > zone.margin_m || zone.vx_max_mps >= cap_mps) continue;
      cap_mps = zone.vx_max_mps;
      capped_by = zone.reason;
    } else if (!(room >= need_m_[z] - kSlackM)) {
      return zone.reason;
    }
  }
  return Distance(before, after) <= cap_mps * seconds + kSlackM ? std::string_view() : capped_by;
}

}  // namespace agent::runtime
