#include "tests/e2e/robot_program.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "gatekeeper/sim/episode.h"
#include "gatekeeper/sim/world.h"
#include "tests/e2e/process.h"

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
namespace sim = ::gatekeeper::sim;
using agent::base::Nanos;
using agent::client::RobotClient;

constexpr auto kPeriod = std::chrono::milliseconds(50);
constexpr auto kAnswerWithin = std::chrono::milliseconds(48);

// A command must be one thing: a stop, or two finite speeds. Empty when it is.
std::string Nonsense(const v1::Command& command) {
  const bool finite =
      std::ranges::all_of(command.values(), [](double v) { return std::isfinite(v); });
  const bool zero = std::ranges::all_of(command.values(), [](double v) { return v == 0; });
  const bool whole = command.stop() ? zero : command.values_size() == 2 && finite;
  const bool unit = command.stop() || command.unit_digest().size() == 64;
  return whole && unit ? "" : command.ShortDebugString();
}

sim::Robot StartOf(uint64_t seed) {
  const auto& route = sim::HallRoute();
  const sim::Vec2 from = route[(seed + route.size() - 1) % route.size()];
  const sim::Vec2 to = route[seed % route.size()];
  return sim::Robot({from.x, from.y, std::atan2(to.y - from.y, to.x - from.x)});
}

}  // namespace

RobotProgram::RobotProgram(std::string socket, uint64_t seed)
    : socket_(std::move(socket)),
      seed_(seed),
      answered_at_(Now()),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void RobotProgram::Forget() {
  const std::lock_guard lock(mutex_);
  life_ = {};
}

RobotProgram::Life RobotProgram::Lived() const {
  const std::lock_guard lock(mutex_);
  Life life = life_;
  if (asking_) life.longest_gap = std::max(life.longest_gap, Now() - answered_at_);
  return life;
}

bool RobotProgram::LiveThrough(uint64_t answers) const {
  const auto count = [this] {
    const std::lock_guard lock(mutex_);
    return all_answers_;
  };
  const uint64_t wanted = count() + answers;
  return Eventually([&] { return count() >= wanted; });
}

bool RobotProgram::QuietFor(Nanos time) const {
  const std::lock_guard lock(mutex_);
  return Now() - asked_at_ >= time;
}

void RobotProgram::Run(const std::stop_token& stop) {
  const sim::World world;
  sim::Random random(seed_);
  sim::Errand errand(sim::HallRoute(), seed_);
  sim::Robot robot = StartOf(seed_);
  v1::Observation seen;
  const auto start = std::chrono::steady_clock::now();
  auto next = start;
  while (!stop.stop_requested()) {
    next = std::max(next + kPeriod, std::chrono::steady_clock::now() - kPeriod);
    std::this_thread::sleep_until(next);
    const std::chrono::duration<double> age = std::chrono::steady_clock::now() - start;
    sim::FillObservation(robot, errand.Goal(robot.pose()), age.count(), seen);
    sim::FillScan(world, robot.pose(), age.count(), {}, random, *seen.mutable_scan());
    seen.set_estop_pressed(stop_pressed_);
    const bool asked = asking_;
    const v1::Command command = Ask(seen);
    Note(command, asked);
    const bool drive = !command.stop() && command.values_size() == 2;
    robot.Step(drive ? sim::Twist{command.values(0), command.values(1)} : sim::Twist{});
    const std::lock_guard lock(mutex_);
    const double speed = std::abs(robot.velocity().vx_mps);
    life_.fastest_mps = std::max(life_.fastest_mps, speed);
    life_.distance_m += speed * sim::kPeriodS;
  }
}

v1::Command RobotProgram::Ask(v1::Observation& observation) {
  v1::Command stop;
  stop.set_stop(true);
  stop.set_state(RobotClient::kNoAnswer);
  if (!client_) {
    auto client = RobotClient::Connect(socket_);
    if (!client.ok()) return stop;
    client_ = *std::move(client);
  }
  if (!asking_) {
    (void)client_->Publish(observation);
    return stop;
  }
  const auto command = client_->Exchange(observation, kAnswerWithin);
  return command.ok() ? *command : stop;
}

void RobotProgram::Note(const v1::Command& command, bool asked) {
  const std::lock_guard lock(mutex_);
  const Nanos now = Now();
  if (!asked) answered_at_ = now;  // no gap in what was not asked for
  if (asked) {
    ++life_.asked;
    asked_at_ = now;
  }
  if (!asked || command.state() == RobotClient::kNoAnswer) return;
  ++life_.answered;
  ++all_answers_;
  life_.longest_gap = std::max(life_.longest_gap, now - answered_at_);
  answered_at_ = now;
  life_.units.insert(command.unit_digest());
  life_.last = command;
  if (life_.nonsense.empty()) life_.nonsense = Nonsense(command);
}

}  // namespace tests
