#include "agent/runtime/envelope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace agent::runtime {
namespace {

// A command is driven until the next one: 1.5 periods at the latest, and the drive answers within
// about half a period more.
constexpr double kReactionPeriods = 2;

// The way is sampled at least this finely. Room changes by at most the way gone, so between two
// good samples the outline may come nearer than its margin by half a step at most; Policy::Compile
// asks for a margin of more than that.
constexpr double kSampleM = 0.01;
constexpr double kGrowth = 0.01;  // the far end of a fast robot's long way is sampled more coarsely
constexpr int kHalvings = 14;
constexpr double kRoomRounding = 1e-9;

Side SideOf(const MapZone& zone) {
  return zone.kind == ZoneKind::kInclusion ? Side::kInside : Side::kOutside;
}

double MarginM(const MapZone& zone, const Motion& motion) {
  return zone.margin_m + (zone.pose_sigmas > 0 ? zone.pose_sigmas * motion.pose_sigma_m : 0);
}

using base::Seconds;

// How far one gets while `spare(way)` is not negative; it must be 1-Lipschitz. Steps are no longer
// than kSampleM or what is spare, or `coarsest_m` far away.
template <class Spare>
double FarthestM(double wanted_m, double coarsest_m, const Spare& spare) {
  double good = 0;
  double at = 0;
  while (true) {
    const double here = spare(at);
    if (!(here >= -kRoomRounding)) break;
    good = at;
    if (at >= wanted_m) return at;
    // What is spare at this sample is certain to be there until the next.
    at = std::min(wanted_m, at + std::max({here, kSampleM, std::min(coarsest_m, kGrowth * at)}));
  }
  // The edge is between the last good sample and this one. Found to a micrometre, so that a shorter
  // wish never gets further than a longer one.
  double bad = at;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (good + bad) / 2;
    (spare(middle) >= -kRoomRounding ? good : bad) = middle;
  }
  return good;
}

Pose2 After(const Pose2& start, const Course& course, double way_m) {
  return Moved(start, course.ahead * way_m, course.turn * way_m);
}

// The course ahead of the robot and what every edge must keep of it.
class Ahead {
 public:
  Ahead(const Policy& policy, const Motion& motion, const Course& course)
      : policy_(policy), start_(motion.pose), course_(course) {
    const StandingFootprint here(policy.footprint(), start_);
    for (size_t i = 0; i < policy.envelope().size(); ++i) {
      const MapZone& zone = policy.envelope()[i];
      if (zone.kind == ZoneKind::kSpeed) continue;
      const double margin_m = MarginM(zone, motion);
      const bool far = here.LeastRoomM(zone.region, SideOf(zone)) >= margin_m;
      need_m_[i] = far ? margin_m : std::min(margin_m, here.RoomM(zone.region, SideOf(zone)));
      coarsest_m_ = std::min(coarsest_m_, margin_m);
    }
  }

  double coarsest_m() const { return coarsest_m_; }

  // Room beyond what is needed after `way_m`, of the zone that has least of it; or less where it
  // is plenty.
  double SpareM(double way_m, std::string_view& least_of) const {
    const StandingFootprint there(policy_.footprint(), After(start_, course_, way_m));
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < policy_.envelope().size(); ++i) {
      const MapZone& zone = policy_.envelope()[i];
      if (zone.kind == ZoneKind::kSpeed) continue;
      double spare = there.LeastRoomM(zone.region, SideOf(zone)) - need_m_[i];
      if (!(spare >= kSampleM)) spare = there.RoomM(zone.region, SideOf(zone)) - need_m_[i];
      if (spare >= least) continue;
      least = spare;
      least_of = zone.reason;
      if (std::isnan(spare)) break;  // nothing is known, and nothing after it may hide that
    }
    return least;
  }

 private:
  const Policy& policy_;
  const Pose2 start_;
  const Course course_;
  std::array<double, kMaxZones> need_m_{};
  double coarsest_m_ = std::numeric_limits<double>::infinity();
};

// How long the robot reacts and brakes. Braking slows both parts of the twist alike, so that the
// robot stays on its curve; the part that takes longer says how long.
struct Stopping {
  double reaction_s = 0;
  double braking_s = 0;

  double WayM(double speed_mps) const { return speed_mps * (reaction_s + braking_s / 2); }
};

double BrakingS(const TwistLimits& limits, double vx_mps, double wz_radps) {
  return std::max(std::abs(vx_mps) / limits.dec_max_mps2.Least(),
                  std::abs(wz_radps) / limits.wz_acc_max_radps2);
}

Stopping StoppingOf(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps) {
  const double age_s = std::max(0.0, Seconds(motion.age));
  return {.reaction_s = kReactionPeriods / policy.command().rate_hz + age_s,
          .braking_s = BrakingS(policy.nominal(), vx_mps, wz_radps)};
}

// What the measured part of the motion that the command goes on with needs to stop, braking from
// now: a robot may be faster than it is told.
double CommittedM(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps) {
  const auto along = [](double measured, double told) {
    return std::max(0.0, std::copysign(1.0, told) * measured);
  };
  const bool turns_only = vx_mps == 0;
  const double measured =
      turns_only ? along(motion.wz_radps, wz_radps) : along(motion.vx_mps, vx_mps);
  const double braking_s = turns_only ? BrakingS(policy.nominal(), 0, measured)
                                      : BrakingS(policy.nominal(), measured, 0);
  const Stopping stopping{.reaction_s = std::max(0.0, Seconds(motion.age)), .braking_s = braking_s};
  const double told = std::abs(turns_only ? wz_radps : vx_mps);
  return stopping.WayM(measured) * FootprintSpeedMps(policy.footprint(), vx_mps, wz_radps) / told;
}

}  // namespace

Standing StandingAt(const Policy& policy, const Pose2& pose,
                    std::vector<std::string_view>& reasons) {
  Standing standing;
  if (policy.envelope().empty()) return standing;
  const StandingFootprint here(policy.footprint(), pose);
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind == ZoneKind::kSpeed) continue;
    const double room = here.RoomM(zone.region, SideOf(zone));
    if (!(standing.clearance_m <= room)) standing.clearance_m = room;  // also replaces the NaN
    // Written so that a room that is not a number is a breach.
    if (room >= 0) continue;
    standing.breached |= MaskOf(zone.trigger);
    reasons.push_back(zone.breach_reason);
  }
  return standing;
}

double ClearanceM(const Policy& policy, const Pose2& pose) {
  std::vector<std::string_view> reasons;
  return StandingAt(policy, pose, reasons).clearance_m;
}

bool PoseServes(const Policy& policy, const Motion& motion) {
  const bool told = std::isfinite(motion.pose_sigma_m) && motion.pose_sigma_m >= 0;
  return told || std::none_of(policy.envelope().begin(), policy.envelope().end(),
                              [](const MapZone& zone) { return zone.pose_sigmas > 0; });
}

double FootprintSpeedMps(const Footprint& footprint, double vx_mps, double wz_radps) {
  return std::abs(vx_mps) + footprint.turn_reach_m() * std::abs(wz_radps);
}

Course CourseOf(const Footprint& footprint, double vx_mps, double wz_radps) {
  const double speed = FootprintSpeedMps(footprint, vx_mps, wz_radps);
  return {.ahead = vx_mps / speed, .turn = wz_radps / speed};
}

double FreeWayM(const Policy& policy, const Motion& motion, const Course& course, double wanted_m,
                std::string_view& blocker) {
  const Ahead ahead(policy, motion, course);
  return FarthestM(wanted_m, ahead.coarsest_m(), [&](double way_m) {
    std::string_view least_of;
    const double spare = ahead.SpareM(way_m, least_of);
    if (!(spare >= -kRoomRounding)) blocker = least_of;
    return spare;
  });
}

double EnvelopeFactor(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps,
                      std::string_view& blocker) {
  const double speed = FootprintSpeedMps(policy.footprint(), vx_mps, wz_radps);
  if (!(speed > 0)) return 1;  // a turn that moves no part of the outline
  const Stopping stopping = StoppingOf(policy, motion, vx_mps, wz_radps);
  const Course course = CourseOf(policy.footprint(), vx_mps, wz_radps);
  // After a full turn a curve comes back to where it began.
  const double round_m = 2 * std::numbers::pi / std::abs(course.turn);
  const double committed = std::min(round_m, CommittedM(policy, motion, vx_mps, wz_radps));
  const double wanted = std::min(round_m, std::max(stopping.WayM(speed), committed));

  std::string_view found;
  const double free = FreeWayM(policy, motion, course, wanted, found);
  if (free >= wanted) return 1;
  // Solves f speed reaction + f^2 speed braking / 2 = free.
  const double root_s =
      std::sqrt(stopping.reaction_s * stopping.reaction_s + 2 * stopping.braking_s * free / speed);
  const double safe = 2 * free / (speed * (stopping.reaction_s + root_s));
  blocker = found;
  return free < committed ? 0 : std::clamp(safe, 0.0, 1.0);
}

double SpeedZoneFactor(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps,
                       std::vector<std::string_view>& reasons) {
  const double speed = std::abs(vx_mps);
  if (!(speed > 0)) return 1;  // these zones cap vx
  const Course course = CourseOf(policy.footprint(), vx_mps, wz_radps);
  const double ahead = std::abs(course.ahead);
  const double dec = policy.nominal().dec_max_mps2.Least();
  const double shed_mps = dec * StoppingOf(policy, motion, vx_mps, wz_radps).reaction_s;
  double factor = 1;
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind != ZoneKind::kSpeed || speed <= zone.vx_max_mps) continue;
    const double cap2 = zone.vx_max_mps * zone.vx_max_mps;
    const double needed_m = (2 * speed * shed_mps + speed * speed - cap2) / (2 * dec);
    const double margin_m = MarginM(zone, motion);
    const double free_m =
        FarthestM(needed_m / ahead, kSampleM,
                  [&](double way_m) {
                    const StandingFootprint there(policy.footprint(),
                                                  After(motion.pose, course, way_m));
                    const double least = there.LeastRoomM(zone.region, Side::kOutside) - margin_m;
                    return least >= kSampleM ? least
                                             : there.RoomM(zone.region, Side::kOutside) - margin_m;
                  }) *
        ahead;
    if (free_m >= needed_m) continue;
    // Solves v reaction + (v^2 - cap^2) / (2 dec) = free.
    const double safe = std::sqrt(shed_mps * shed_mps + cap2 + 2 * dec * free_m) - shed_mps;
    factor = std::min(factor, std::max(zone.vx_max_mps, safe) / speed);
    reasons.push_back(zone.reason);
  }
  return factor;
}

}  // namespace agent::runtime
