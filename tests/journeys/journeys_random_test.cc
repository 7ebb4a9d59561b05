#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/rollout/step.h"
#include "tests/journeys/interpreter.h"

// Journeys that nobody wrote: seeded random commands, the same invariants after every step, and at
// the end, when everything is mended, a fleet at rest. JOURNEY_RUNS says how many (JOURNEY_SEED
// where to begin); a failure prints the journey, to be kept as a text file.

namespace tests::journeys {
namespace {

constexpr int kRuns = 200;
constexpr int kCommands = 40;    // of one run
constexpr int kRestChecks = 12;  // one every ten seconds: twice the longest rollout

int FromEnvironment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  // 0 .. sides - 1; not a std distribution, whose results differ between libraries.
  size_t Roll(size_t sides) { return engine_() % sides; }
  template <class T>
  const T& Pick(const std::vector<T>& from) {
    return from[Roll(from.size())];
  }

 private:
  std::mt19937 engine_;
};

std::string NotAtRest(World& world, const Robot& robot) {
  if (robot.agent() == nullptr || robot.control() == nullptr) return "a process is down";
  if (!robot.uplink().open()) return "is not connected";
  const v1::ControlReport report = robot.Report();
  const v1::Pointer& pointer = report.pointer();
  if (pointer.phase() != v1::COMMITTED) return "is " + v1::PointerPhase_Name(pointer.phase());
  if (report.running_digest() != pointer.committed_digest()) return "runs another unit";
  if (report.fallback_state() != "NOMINAL") return "is " + report.fallback_state();
  const v1::ObservedState seen = robot.agent()->Observed();
  const v1::DesiredState desired = world.headquarters().core().DesiredFor(robot.name());
  if (seen.generation() != desired.generation()) return "has not taken in its order";
  if (seen.lifecycle() == v1::UNIT_COMMITTED) {
    return pointer.committed_digest() == desired.unit_digest() ? ""
                                                               : "is committed to another unit";
  }
  const bool ended = seen.lifecycle() == v1::REFUSED || seen.lifecycle() == v1::ROLLED_BACK ||
                     seen.lifecycle() == v1::NOTHING_WANTED;
  return ended ? "" : "is left in " + v1::LifecycleState_Name(seen.lifecycle());
}

// Empty when nothing is under way and every robot runs the unit it is committed to.
std::string NotAtRest(World& world) {
  if (world.rollout() && !gatekeeper::rollout::IsFinal(world.rollout()->phase())) {
    return "the rollout is " + v1::RolloutPhase_Name(world.rollout()->phase()) + ": " +
           world.rollout()->reason();
  }
  for (const auto& robot : world.robots()) {
    const std::string why = NotAtRest(world, *robot);
    if (!why.empty()) return robot->name() + " " + why;
  }
  return "";
}

class RandomJourney {
 public:
  explicit RandomJourney(uint32_t seed) : dice_(seed) {}

  void Run() {
    Do("robots r1 r2 r3 fleet=north");
    Do("unit nav@1.0.0 model=good");
    Do("rollout nav@1.0.0");
    Do("run until rollout=DONE quiet");
    for (int i = 0; i < kCommands && interpreter_.broken().empty(); ++i) Do(Next());
    CalmDown();
  }
  std::string Script() const {
    std::string text;
    for (const std::string& line : script_) text += line + "\n";
    return text;
  }
  Interpreter& interpreter() { return interpreter_; }

 private:
  std::vector<std::string> Do(const std::string& line) {
    script_.push_back(line);
    return interpreter_.Do(line);
  }

  std::string Next() {
    const std::string robot = dice_.Pick(robots_);
    switch (dice_.Roll(24)) {
      case 0:
        return "cut " + robot;
      case 1:
        return "mend " + robot;
      case 2:
        return absl::StrFormat("delay %s %dms", robot, 1 + dice_.Roll(900));
      case 3:
        return "kill agent " + robot;
      case 4:
        return "kill control " + robot;
      case 5:
        return "kill worker " + robot + " " + dice_.Pick(units_);
      case 6:
        return "restart server";
      case 7:
      case 8:
        return NewUnit();
      case 9:
      case 10:
      case 11:
        return "rollout " + dice_.Pick(units_);
      case 12:
        return "rollback north reason=random";
      case 13:
        return "rollback north reason=random to=" + dice_.Pick(units_);
      case 14:
        return dice_.Roll(2) == 0 ? "abort reason=random"
                                  : "release " + dice_.Pick(units_) + " reason=random";
      case 15:
        return "estop " + robot + (dice_.Roll(3) == 0 ? " pressed" : " released");
      case 16:
        return dice_.Roll(4) == 0 ? "acknowledge " + robot + " reason=random"
               : dice_.Roll(2) == 0
                   ? "rearm " + robot + " reason=random by=" + (dice_.Roll(2) == 0 ? "ada" : "bo")
                   : "rearm " + robot + " reason=random";
      case 17:
        return "program " + robot + (dice_.Roll(3) == 0 ? " paused" : " driving");
      default:
        return absl::StrFormat("run %dms quiet", 50 * (1 + dice_.Roll(120)));
    }
  }

  std::string NewUnit() {
    const std::vector<std::string> models = {"good", "good", "good", "wild-when-driving",
                                             "slow", "nan"};
    units_.push_back(absl::StrFormat("nav@1.%d.0", units_.size()));
    return "unit " + units_.back() + " model=" + dice_.Pick(models);
  }

  // Everything that was broken is mended, every stop looked at; then time for what is left to do.
  void CalmDown() {
    for (const std::string& robot : robots_) {
      Do("mend " + robot);
      Do("delay " + robot + " 1ms");
      Do("estop " + robot + " released");
      Do("program " + robot + " paused");
    }
    Do("run 8s quiet");
    for (const std::string& robot : robots_) {
      Do("rearm " + robot + " reason=calm");
      Do("acknowledge " + robot + " reason=calm");
    }
    Do("run 2s quiet");
    for (const std::string& robot : robots_) Do("program " + robot + " driving");
    for (int i = 0; i < kRestChecks && !NotAtRest(interpreter_.world()).empty(); ++i) {
      Do("run 10s quiet");
    }
  }

  Dice dice_;
  Interpreter interpreter_;
  std::vector<std::string> script_;
  const std::vector<std::string> robots_ = {"r1", "r2", "r3"};
  std::vector<std::string> units_ = {"nav@1.0.0"};
};

TEST(RandomJourneyTest, KeepsEveryInvariantAndComesToRest) {
  spdlog::set_level(spdlog::level::off);
  const int first = FromEnvironment("JOURNEY_SEED", 1);
  const int runs = FromEnvironment("JOURNEY_RUNS", kRuns);
  for (int seed = first; seed < first + runs && !HasFailure(); ++seed) {
    RandomJourney journey(static_cast<uint32_t>(seed));
    journey.Run();
    EXPECT_TRUE(journey.interpreter().broken().empty()) << journey.interpreter().broken().front();
    EXPECT_EQ(NotAtRest(journey.interpreter().world()), "");
    if (HasFailure()) ADD_FAILURE() << "seed " << seed << "; the journey:\n" << journey.Script();
  }
}

}  // namespace
}  // namespace tests::journeys
