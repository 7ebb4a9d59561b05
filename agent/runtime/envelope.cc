#include "agent/runtime/envelope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace agent::runtime {
namespace {

// A command is driven until the next one: 1.5 periods at the latest, and the drive answers within
// about half a period more.
constexpr double kReactionPeriods = 2;

// The way is sampled at least this finely. Room changes by at most the distance gone, so between
// two good samples the centre may come nearer than its margin by half a step at most;
// Policy::Compile asks for a margin of more than that.
constexpr double kSampleM = 0.01;
constexpr double kGrowth = 0.01;  // the far end of a fast robot's long way is sampled more coarsely
constexpr int kHalvings = 14;
constexpr double kRounding = 1e-9;

double Room(const MapZone& zone, Vec2 p) {
  const double depth = zone.region.Depth(p);
  return zone.kind == ZoneKind::kInclusion ? depth : -depth;
}

// The arc ahead of the robot and what every edge must keep of it.
class Ahead {
 public:
  Ahead(const std::vector<MapZone>& zones, const Pose2& start, double curvature, bool forward)
      : zones_(zones), start_(start), curvature_(curvature), sign_(forward ? 1 : -1) {
    for (size_t i = 0; i < zones_.size(); ++i) {
      need_[i] = std::min(zones_[i].margin_m, Room(zones_[i], {start.x_m, start.y_m}));
    }
  }

  // Room beyond what is needed after `distance_m`, of the zone that has least of it.
  double SpareM(double distance_m, std::string_view& least_of) const {
    const Vec2 p = AlongArc(start_, curvature_, sign_ * distance_m);
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < zones_.size(); ++i) {
      if (zones_[i].kind == ZoneKind::kSpeed) continue;
      const double spare = Room(zones_[i], p) - need_[i];
      if (spare >= least) continue;
      least = spare;
      least_of = zones_[i].reason;
      if (std::isnan(spare)) break;  // nothing is known, and nothing after it may hide that
    }
    return least;
  }

 private:
  const std::vector<MapZone>& zones_;
  const Pose2 start_;
  const double curvature_;
  const double sign_;
  std::array<double, kMaxZones> need_{};
};

double Seconds(Nanos t) { return static_cast<double>(t.count()) * 1e-9; }

}  // namespace

double ClearanceM(const Policy& policy, const Pose2& pose) {
  double least = std::numeric_limits<double>::quiet_NaN();
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind == ZoneKind::kSpeed) continue;
    const double room = Room(zone, {pose.x_m, pose.y_m});
    if (!(least <= room)) least = room;  // also replaces the NaN
  }
  return least;
}

TriggerMask Breaches(const Policy& policy, const Pose2& pose,
                     std::vector<std::string_view>& reasons) {
  TriggerMask raised = 0;
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind == ZoneKind::kSpeed) continue;
    // Written so that a room that is not a number is a breach.
    if (Room(zone, {pose.x_m, pose.y_m}) >= 0) continue;
    raised |= MaskOf(zone.trigger);
    reasons.push_back(zone.breach_reason);
  }
  return raised;
}

double SpeedZoneCap(const Policy& policy, const Pose2& pose,
                    std::vector<std::string_view>& reasons) {
  double cap = std::numeric_limits<double>::infinity();
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind != ZoneKind::kSpeed) continue;
    if (zone.region.Depth({pose.x_m, pose.y_m}) < -zone.margin_m) continue;
    cap = std::min(cap, zone.vx_max_mps);
    reasons.push_back(zone.reason);
  }
  return cap;
}

double FreeWayM(const Policy& policy, const Pose2& start, double curvature_per_m, const Way& way,
                std::string_view& blocker) {
  const Ahead ahead(policy.envelope(), start, curvature_per_m, way.forward);
  double good = 0;
  double at = 0;
  while (true) {
    const double spare = ahead.SpareM(at, blocker);
    if (!(spare >= -kRounding)) break;
    good = at;
    if (at >= way.wanted_m) return at;
    // The room that is spare at this sample is certain to be there until the next.
    at = std::min(way.wanted_m, at + std::max({spare, kSampleM, kGrowth * at}));
  }
  // The edge is between the last good sample and this one. Found to a micrometre, so that a shorter
  // wish never gets further than a longer one.
  double bad = at;
  std::string_view ignored;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (good + bad) / 2;
    (ahead.SpareM(middle, ignored) >= -kRounding ? good : bad) = middle;
  }
  return good;
}

double EnvelopeFactor(const Policy& policy, const Motion& motion, double vx_mps, double wz_radps,
                      std::string_view& blocker) {
  const double speed = std::abs(vx_mps);
  if (!(speed > 0)) return 1;  // turning on the spot moves the centre nowhere
  const bool forward = vx_mps > 0;
  const double dec = policy.nominal().dec_max_mps2.Least();
  const double age_s = std::max(0.0, Seconds(motion.age));
  const double reaction_s = kReactionPeriods / policy.command().rate_hz + age_s;
  const double wanted = speed * reaction_s + speed * speed / (2 * dec);
  // A robot that is faster than it is told needs the way its measured speed takes, braking from
  // now.
  const double measured = std::max(0.0, forward ? motion.vx_mps : -motion.vx_mps);
  const double committed = measured * age_s + measured * measured / (2 * dec);

  std::string_view found;
  const Way way{.wanted_m = std::max(wanted, committed), .forward = forward};
  const double free = FreeWayM(policy, motion.pose, wz_radps / vx_mps, way, found);
  if (free >= way.wanted_m) return 1;
  // Solves speed * reaction + speed^2 / (2 dec) = free.
  const double safe = dec * (std::sqrt(reaction_s * reaction_s + 2 * free / dec) - reaction_s);
  const double factor = free < committed ? 0 : std::clamp(safe / speed, 0.0, 1.0);
  if (factor < 1) blocker = found;
  return factor;
}

}  // namespace agent::runtime
