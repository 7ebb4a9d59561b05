#pragma once

#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <random>
#include <vector>

#include "agent/runtime/footprint.h"
#include "agent/runtime/geometry.h"
#include "gatekeeper/resim/drive_log.h"
#include "gatekeeper/resim/site_map.h"

namespace tests {

// Walls as lines and a laser that meets them exactly: what a map is judged against. Shares no code
// with it.
struct WalledWorld {
  struct Wall {
    double ax, ay, bx, by;
  };
  std::vector<Wall> walls;

  // A room of 10 m x 6 m with a box of 1 m in it.
  static WalledWorld Room() {
    WalledWorld world;
    world.AddBox(0, 0, 10, 6);
    world.AddBox(6, 2, 7, 3);
    return world;
  }

  void AddBox(double x0, double y0, double x1, double y1) {
    walls.push_back({x0, y0, x1, y0});
    walls.push_back({x1, y0, x1, y1});
    walls.push_back({x1, y1, x0, y1});
    walls.push_back({x0, y1, x0, y0});
  }

  double Cast(double x, double y, double angle) const {
    const double dx = std::cos(angle);
    const double dy = std::sin(angle);
    double nearest = std::numeric_limits<double>::infinity();
    for (const Wall& wall : walls) {
      const double wx = wall.bx - wall.ax;
      const double wy = wall.by - wall.ay;
      const double across = dx * wy - dy * wx;
      if (std::abs(across) < 1e-12) continue;
      const double ray = ((wall.ax - x) * wy - (wall.ay - y) * wx) / across;
      const double share = ((wall.ax - x) * dy - (wall.ay - y) * dx) / across;
      if (ray >= 0 && share >= 0 && share <= 1 && ray < nearest) nearest = ray;
    }
    return nearest;
  }
};

// A round robot.
inline const agent::runtime::Footprint kFootprint(agent::runtime::Region::Circle({0, 0}, 0.2));

struct LaserFaults {
  double sigma_m = 0;
  double dropout = 0;
  double speck = 0;  // a return at 0.3 to 1 m
  double max_range_m = 20;
};

struct DriveFaults {
  int latency_steps = 0;  // of 10 ms
  double acc_mps2 = 100;
  double dec_mps2 = 100;
  double wz_acc_radps2 = 100;
};

// A robot driven by `command(seconds)`: 20 Hz commands, odometry and scans of 361 beams all round.
template <class Command>
gatekeeper::resim::DriveLog RecordedDrive(const WalledWorld& world, double seconds,
                                          const LaserFaults& laser, const DriveFaults& drive,
                                          const Command& command,
                                          agent::runtime::Pose2 pose = {2, 1, 0}) {
  namespace resim = gatekeeper::resim;
  constexpr int64_t kStart_ns = 1'000'000'000;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0, 1);
  std::uniform_real_distribution<double> uniform(0, 1);
  resim::DriveLog log;
  log.angle_min_rad = -std::numbers::pi;
  log.angle_increment_rad = std::numbers::pi / 180;
  std::vector<std::pair<double, double>> sent;  // one a step of 10 ms
  double vx = 0;
  double wz = 0;
  const auto towards = [](double from, double to, double up, double down) {
    const double step = (std::abs(to) < std::abs(from) ? down : up) * 0.01;
    return from + std::min(std::max(to - from, -step), step);
  };
  const int steps = static_cast<int>(std::lround(seconds * 100));
  for (int step = 0; step <= steps; ++step) {
    const int64_t at_ns = kStart_ns + step * 10'000'000LL;
    if (step % 5 == 0) {
      const auto [cvx, cwz] = command(step * 0.01);
      sent.emplace_back(cvx, cwz);
      log.commands.push_back({at_ns, cvx, cwz});
      log.poses.push_back({at_ns, pose});
      log.measured.push_back({at_ns, vx, wz});
      resim::TimedScan scan{.at_ns = at_ns, .ranges_m = {}};
      for (int i = 0; i < 361; ++i) {
        const double angle = pose.yaw_rad + log.angle_min_rad + i * log.angle_increment_rad;
        double range = world.Cast(pose.x_m, pose.y_m, angle) + laser.sigma_m * normal(random);
        const double luck = uniform(random);
        if (luck < laser.dropout) {
          range = std::numeric_limits<double>::infinity();
        } else if (luck < laser.dropout + laser.speck) {
          range = std::min(range, 0.3 + 0.7 * uniform(random));
        }
        if (range > laser.max_range_m) range = std::numeric_limits<double>::infinity();
        scan.ranges_m.push_back(static_cast<float>(range));
      }
      log.scans.push_back(std::move(scan));
    } else {
      sent.push_back(sent.back());
    }
    const int driven = step - drive.latency_steps;
    const auto [wvx, wwz] =
        driven >= 0 ? sent[static_cast<size_t>(driven)] : std::pair<double, double>(0, 0);
    vx = towards(vx, wvx, drive.acc_mps2, drive.dec_mps2);
    wz = towards(wz, wwz, drive.wz_acc_radps2, drive.wz_acc_radps2);
    const double middle = pose.yaw_rad + wz * 0.005;
    pose.x_m += vx * 0.01 * std::cos(middle);
    pose.y_m += vx * 0.01 * std::sin(middle);
    pose.yaw_rad += wz * 0.01;
  }
  return log;
}

// Somebody of 0.15 m radius, where `at(seconds since the first scan)` says; nullopt: not there.
template <class At>
void AddPerson(gatekeeper::resim::DriveLog& log, const At& at) {
  constexpr double kRadius = 0.15;
  for (auto& scan : log.scans) {
    const std::optional<agent::runtime::Vec2> person =
        at(static_cast<double>(scan.at_ns - log.scans.front().at_ns) * 1e-9);
    if (!person) continue;
    const agent::runtime::Pose2 pose = log.PoseAt(scan.at_ns);
    for (size_t i = 0; i < scan.ranges_m.size(); ++i) {
      const double angle =
          pose.yaw_rad + log.angle_min_rad + static_cast<double>(i) * log.angle_increment_rad;
      const double dx = person->x - pose.x_m;
      const double dy = person->y - pose.y_m;
      const double along = dx * std::cos(angle) + dy * std::sin(angle);
      const double aside = dx * std::sin(angle) - dy * std::cos(angle);
      if (along <= 0 || std::abs(aside) >= kRadius) continue;
      const auto range = static_cast<float>(along - std::sqrt(kRadius * kRadius - aside * aside));
      if (range > 0 && range < scan.ranges_m[i]) scan.ranges_m[i] = range;
    }
  }
}

// The walls as somebody drew them, in cells of 5 cm, moved by `shift_x`.
inline gatekeeper::resim::SiteMap DrawnMap(const WalledWorld& world, double shift_x = 0) {
  using gatekeeper::resim::MapCell;
  gatekeeper::resim::SiteMap map{
      .cell_m = 0.05, .corner = {-0.5, -0.5}, .columns = 220, .rows = 140, .cells = {}};
  map.cells.assign(size_t{map.columns} * map.rows, MapCell::kUnknown);
  const auto cell = [&](double x, double y) -> MapCell& {
    const auto column = static_cast<size_t>((x - map.corner.x) / map.cell_m);
    const auto row = static_cast<size_t>((y - map.corner.y) / map.cell_m);
    return map.cells[row * map.columns + column];
  };
  for (double x = 0.025; x < 10; x += map.cell_m) {
    for (double y = 0.025; y < 6; y += map.cell_m) cell(x, y) = MapCell::kFree;
  }
  for (const WalledWorld::Wall& wall : world.walls) {
    const int steps = static_cast<int>(std::hypot(wall.bx - wall.ax, wall.by - wall.ay) / 0.01);
    for (int i = 0; i <= steps; ++i) {
      const double share = static_cast<double>(i) / steps;
      cell(wall.ax + share * (wall.bx - wall.ax) + shift_x + 1e-9,
           wall.ay + share * (wall.by - wall.ay) + 1e-9) = MapCell::kOccupied;
    }
  }
  return map;
}

// Forward with a gentle slalom, and a stop and a start now and then.
inline std::pair<double, double> Slalom(double seconds) {
  const bool stands = seconds > 4 && seconds < 5;
  return {stands ? 0.0 : 0.6, 0.4 * std::cos(1.3 * seconds)};
}

}  // namespace tests
