#include "tests/journeys/invariants.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/rollout/step.h"

namespace tests::journeys {
namespace {

constexpr double kMostMps = 1.0;  // limits of the units' policy, see tests/support/sealed_unit.cc
constexpr double kMostRadps = 1.0;
constexpr size_t kMostFindings = 5;  // what follows from a first break is noise
constexpr char kPrevious[] = "PREVIOUS_MODEL";

bool Names(const v1::Pointer& pointer, const std::string& digest) {
  return digest == pointer.committed_digest() || digest == pointer.last_good_digest();
}

bool OnTrial(const v1::Pointer& pointer, const std::string& digest) {
  return pointer.phase() == v1::ON_TRIAL && digest == pointer.trial_digest();
}

double SpeedOf(const v1::Command& command) {
  return command.values_size() == 2 ? std::abs(command.values(0)) : 0;
}

}  // namespace

void Invariants::Broken(const std::string& who, const std::string& what) {
  if (broken_.size() < kMostFindings) {
    broken_.push_back(absl::StrFormat("%.2f s: %s %s", seconds_, who, what));
  }
}

const std::vector<std::string>& Invariants::Check(World& world) {
  seconds_ = world.Seconds();
  for (const auto& robot : world.robots()) CheckRobot(world, *robot);
  CheckRollout(world);
  return broken_;
}

void Invariants::CheckRobot(const World& world, const Robot& robot) {
  for (const std::string& slot : robot.Slots()) {
    if (!world.units().IsSound(slot)) {
      Broken(robot.name(),
             "has a slot of " + world.units().TitleOf(slot) + ", which nobody vouched for");
    }
  }
  if (robot.control() == nullptr) {
    before_.erase(robot.name());
    return;
  }
  if (!robot.seen().ticked) return;
  const v1::ControlReport report = robot.Report();
  // A life that has just begun knows no step before.
  const auto known =
      before_.try_emplace(robot.name(), Before{report.pointer(), "", 0, false}).first;
  Before& before = known->second;
  const v1::Command& answer = robot.seen().answer;
  CheckAnswer(robot);
  CheckUnit(world, robot, before.pointer, report.pointer());
  CheckEvidence(world, robot, report.pointer());
  CheckModels(robot, before.state);
  const bool faster = SpeedOf(answer) > before.speed_mps;
  if (faster && before.latched && report.latched()) {
    Broken(robot.name(), "speeds up though its emergency stop is latched");
  }
  if (faster && answer.unit_digest().empty()) Broken(robot.name(), "speeds up without any unit");
  before = {report.pointer(), answer.state(), SpeedOf(answer), report.latched()};
}

void Invariants::CheckAnswer(const Robot& robot) {
  const v1::Command& answer = robot.seen().answer;
  if (answer.seq() != robot.seen().asked) {
    Broken(robot.name(),
           absl::StrFormat("answered %d when asked %d", answer.seq(), robot.seen().asked));
  }
  if (answer.values_size() != 2) {
    if (!answer.stop()) Broken(robot.name(), "got neither a command nor a stop");
    return;
  }
  const double vx = answer.values(0);
  const double wz = answer.values(1);
  const bool within = std::isfinite(vx) && std::isfinite(wz) && std::abs(vx) <= kMostMps &&
                      std::abs(wz) <= kMostRadps;
  if (!within) Broken(robot.name(), absl::StrFormat("was told to drive %g m/s, %g rad/s", vx, wz));
  if (answer.stop() && (vx != 0 || wz != 0)) Broken(robot.name(), "was told to stop and to drive");
}

void Invariants::CheckUnit(const World& world, const Robot& robot, const v1::Pointer& before,
                           const v1::Pointer& after) {
  const std::string& digest = robot.seen().answer.unit_digest();
  if (digest.empty()) return;
  const std::string title = world.units().TitleOf(digest);
  if (!world.units().IsSound(digest)) Broken(robot.name(), "runs " + title + ", which is unsound");
  if (Names(before, digest) || Names(after, digest)) return;
  if (!OnTrial(before, digest) && !OnTrial(after, digest)) {
    Broken(robot.name(), "runs " + title + ", which its pointer does not name");
  }
  const Nanos lease(static_cast<int64_t>(world.plan().health().lease_s() * 1e9));
  const std::optional<Nanos>& contact = robot.seen().contact;
  if (!contact || world.clock().Now() - *contact > lease + kStep) {
    Broken(robot.name(), "runs " + title + " on trial though its lease has run out");
  }
}

void Invariants::CheckEvidence(const World& world, const Robot& robot, const v1::Pointer& pointer) {
  const v1::Command& answer = robot.seen().answer;
  const bool drives = answer.state() == "NOMINAL" || answer.state() == "DEGRADED";
  if (drives && OnTrial(pointer, answer.unit_digest())) {
    ++driven_ticks_[robot.name() + answer.unit_digest()];
  }
  const std::string& digest = pointer.committed_digest();
  if (std::exchange(committed_[robot.name()], digest) == digest || digest.empty()) return;
  const bool back = robot.agent() == nullptr || robot.agent()->lifecycle().desired.rollback();
  const uint64_t ticks = driven_ticks_[robot.name() + digest];
  if (ticks < world.plan().health().min_ticks() && !(back && proven_.contains(digest))) {
    Broken(robot.name(), absl::StrFormat("committed %s, which drove it for %d ticks on trial",
                                         world.units().TitleOf(digest), ticks));
  }
  proven_.insert(digest);
}

void Invariants::CheckModels(const Robot& robot, const std::string& state_before) {
  const Robot::Seen& seen = robot.seen();
  if (seen.drivers.size() > 1) Broken(robot.name(), "asked two models for one tick");
  // While the previous unit's model drives, it does so under the active unit's rules.
  if (state_before == kPrevious || seen.answer.state() == kPrevious) return;
  for (const std::string& driver : seen.drivers) {
    if (driver != seen.answer.unit_digest()) {
      Broken(robot.name(), "asked the model of one unit under the rules of another");
    }
  }
}

void Invariants::CheckRollout(World& world) {
  if (!world.rollout()) return;
  const v1::RolloutState& state = *world.rollout();
  // A robot whose control is down just now is given the benefit of the doubt.
  const auto committed_of = [&](const std::string& name) -> std::string {
    const Robot* robot = world.FindRobot(name);
    if (robot->control() == nullptr) return state.unit_digest();
    return robot->Report().pointer().committed_digest();
  };
  if (state.id() != rollout_seen_) {
    rollout_seen_ = state.id();
    at_start_.clear();
    for (const v1::RolloutRobot& robot : state.robots()) {
      at_start_[robot.robot()] = committed_of(robot.robot());
    }
  }
  const bool final = gatekeeper::rollout::IsFinal(state.phase());
  for (const v1::RolloutRobot& robot : state.robots()) {
    if (final || robot.wave() <= state.wave()) continue;
    if (at_start_[robot.robot()] == state.unit_digest()) continue;
    if (world.FindRobot(robot.robot())->seen().answer.unit_digest() == state.unit_digest()) {
      Broken(robot.robot(), "runs the unit before its wave");
    }
  }
  if (state.phase() == v1::DONE && phase_seen_ != v1::DONE) {
    const v1::FleetView view = world.View();
    for (const v1::RobotView& robot : view.robots()) {
      if (robot.observed().control().running_digest() != state.unit_digest()) {
        Broken(robot.robot(), "does not report the unit running though its rollout is DONE");
      }
      if (committed_of(robot.robot()) != state.unit_digest()) {
        Broken(robot.robot(), "is not committed to the unit though its rollout is DONE");
      }
    }
  }
  phase_seen_ = state.phase();
}

}  // namespace tests::journeys
