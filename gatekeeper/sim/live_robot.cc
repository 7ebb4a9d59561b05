#include "gatekeeper/sim/live_robot.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>

#include "agent/base/clock.h"
#include "agent/client/robot_client.h"
#include "gatekeeper/sim/episode.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::sim {
namespace {

using agent::base::Nanos;
using agent::client::RobotClient;

constexpr auto kPeriod = std::chrono::milliseconds(50);
constexpr auto kPatience = std::chrono::milliseconds(45);  // for an answer; then the robot brakes
constexpr Walkers kWalkers{.people = 2, .slowest_mps = 0.3, .fastest_mps = 0.6};
constexpr double kMoving = 0.1;  // m/s

class Life {
 public:
  explicit Life(const LiveSpec& spec)
      : spec_(spec), random_(spec.seed), errand_(HallRoute(), spec.seed), robot_(Start(spec.seed)) {
    report_.name = spec.name;
    AddCrowd(world_, random_, kWalkers);
  }

  void Tick(double seconds, Nanos now) {
    const Vec2 goal = errand_.Goal(robot_.pose());
    FillObservation(robot_, goal, seconds, observation_);
    FillScan(world_, robot_.pose(), seconds, Dust{}, random_, *observation_.mutable_scan());
    const v1::Command command = Ask();
    Note(command, now);
    const bool drive = !command.stop() && command.values_size() == 2;
    robot_.Step(drive ? Twist{command.values(0), command.values(1)} : Twist{});
    NoteMotion(seconds);
  }

  const LiveReport& report() const { return report_; }

 private:
  static Robot Start(uint64_t seed) {
    const auto& route = HallRoute();
    const Vec2 from = route[(seed + route.size() - 1) % route.size()];
    const Vec2 to = route[seed % route.size()];
    return Robot({from.x, from.y, std::atan2(to.y - from.y, to.x - from.x)});
  }

  v1::Command Ask() {
    if (!client_) {
      auto client = RobotClient::Connect(spec_.socket);
      if (client.ok()) client_.emplace(*std::move(client));
    }
    if (client_) {
      auto answer = client_->Exchange(observation_, kPatience);
      if (answer.ok()) return *std::move(answer);
    }
    v1::Command stop;
    stop.set_stop(true);
    stop.set_state(RobotClient::kNoAnswer);
    return stop;
  }

  void Note(const v1::Command& command, Nanos now) {
    ++report_.ticks;
    report_.last_state = command.state();
    report_.last_unit = command.unit_digest();
    if (command.state() == RobotClient::kNoAnswer) {
      ++report_.unanswered;
      return;
    }
    if (answered_) {
      const double gap = std::chrono::duration<double>(now - *answered_).count();
      report_.longest_gap_s = std::max(report_.longest_gap_s, gap);
    }
    answered_ = now;
  }

  void NoteMotion(double seconds) {
    const double speed = std::abs(robot_.velocity().vx_mps);
    report_.distance_m += speed * kPeriodS;
    const bool bumping = speed > kMoving && NearestAhead(seconds) < kRadiusM;
    if (bumping && !bumping_) ++report_.bumps;
    bumping_ = bumping;
  }

  // Whoever walks into the robot's back or side is not the robot's doing.
  double NearestAhead(double seconds) const {
    double nearest = kRadiusM * 2;
    for (double side = -1.0; side <= 1.01; side += 0.1) {
      nearest = world_.Cast({robot_.pose().x, robot_.pose().y}, robot_.pose().yaw + side, nearest,
                            seconds);
    }
    return nearest;
  }

  LiveSpec spec_;
  Random random_;
  World world_;
  Errand errand_;
  Robot robot_;
  v1::Observation observation_;
  std::optional<RobotClient> client_;
  std::optional<Nanos> answered_;
  bool bumping_ = false;
  LiveReport report_;
};

}  // namespace

LiveReport LiveOneRobot(const LiveSpec& spec, std::stop_token stop) {
  const agent::base::SystemClock clock;
  Life life(spec);
  const auto start = std::chrono::steady_clock::now();
  auto next = start;
  while (!stop.stop_requested()) {
    next += kPeriod;
    std::this_thread::sleep_until(next);
    const auto now = std::chrono::steady_clock::now();
    if (now > next + kPeriod) next = now;  // the machine slept: do not catch up in a burst
    life.Tick(std::chrono::duration<double>(now - start).count(), clock.Now());
  }
  return life.report();
}

std::string ToJson(const LiveReport& report) {
  return nlohmann::json{{"name", report.name},
                        {"ticks", report.ticks},
                        {"unanswered", report.unanswered},
                        {"longest_gap_s", report.longest_gap_s},
                        {"bumps", report.bumps},
                        {"distance_m", report.distance_m},
                        {"last_state", report.last_state},
                        {"last_unit", report.last_unit}}
      .dump();
}

}  // namespace gatekeeper::sim
