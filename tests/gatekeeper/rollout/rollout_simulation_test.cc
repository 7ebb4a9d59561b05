#include <random>

#include "tests/gatekeeper/rollout/rollout_world.h"
#include "tests/support/status_matchers.h"

// Random fleets: robots that obey late, vanish, come back, fail by themselves, lie about nothing.
// What must hold in every interleaving is written down in Check().

namespace {

using tests::kNew;
using tests::kOld;
using tests::RolloutWorld;
namespace v1 = gatekeeper::v1;

struct Temper {
  double silent;  // chance per half second to stop reporting
  double awake;   // chance per half second to report again
  double lazy;    // chance not to act on a report's turn
  double breaks;  // chance per half second to throw the unit out while trying it
};

class Simulation {
 public:
  Simulation(uint32_t seed, Temper temper) : random_(seed), temper_(temper), world_(robots()) {}

  // The final phase, or the one it was stuck in after `seconds`.
  v1::RolloutPhase Run(double seconds) {
    const int64_t end = world_.now_ms + static_cast<int64_t>(seconds * 1000);
    while (world_.now_ms < end && !gatekeeper::rollout::IsFinal(world_.state.phase())) {
      world_.now_ms += 500;
      for (auto& [name, facts] : world_.fleet) Turn(name, facts);
      const v1::RolloutState before = world_.state;
      world_.Step();
      Check(before);
      if (Chance(0.002)) Restart();
    }
    return world_.state.phase();
  }
  // Afterwards everybody behaves.
  void CalmDown() { temper_ = {0, 1, 0, 0}; }

 private:
  int robots() { return 1 + static_cast<int>(random_() % 6); }
  bool Chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }

  void Turn(const std::string& name, gatekeeper::rollout::RobotFacts& facts) {
    if (!facts.connected) {
      facts.connected = Chance(temper_.awake);
    } else if (Chance(temper_.silent)) {
      facts.connected = false;
    }
    if (!facts.connected || Chance(temper_.lazy)) return;
    world_.Report(name);
    if (facts.desired.stage() == v1::STAGE_TRIAL && Chance(temper_.breaks)) {
      facts.observed.set_lifecycle(v1::ROLLED_BACK);
      facts.observed.mutable_control()->set_running_digest(kOld);
      facts.observed.mutable_control()->mutable_pointer()->set_phase(v1::COMMITTED);
    }
  }

  void Restart() {
    world_.state = gatekeeper::rollout::Resume(world_.state, world_.now_ms);
    for (auto& [name, facts] : world_.fleet) {
      facts.connected = false;
      facts.report_ms = facts.tick_ms = -1;
    }
  }

  void Check(const v1::RolloutState& before) {
    const v1::RolloutState& after = world_.state;
    for (const v1::RolloutRobot& robot : after.robots()) {
      const auto& facts = world_.fleet[robot.robot()];
      const std::string& running = facts.observed.control().running_digest();
      if (after.phase() == v1::DONE) {
        EXPECT_EQ(running, kNew) << robot.robot();
        EXPECT_LE(world_.now_ms - facts.report_ms, 5'000) << "done on silence";
      }
      if (after.phase() == v1::ABORTED && robot.touched()) {
        EXPECT_EQ(running, kOld) << robot.robot();
      }
      if (!robot.touched()) {
        EXPECT_EQ(facts.desired.generation(), 0u);
      }
      const bool moved_on = after.phase() == v1::TRIAL && before.phase() == v1::SHADOW;
      if (moved_on && robot.wave() == after.wave()) {
        EXPECT_LE(world_.now_ms - facts.report_ms, 5'000) << "promoted on silence";
        EXPECT_GE(facts.observed.control().candidate().ticks(), 20u) << "promoted without evidence";
      }
      // A later wave is never begun before the earlier one is committed and soaked.
      if (robot.touched() && robot.wave() > after.wave()) ADD_FAILURE() << "wave skipped";
    }
    EXPECT_FALSE(before.phase() == v1::ABORTING && after.phase() != v1::ABORTING &&
                 after.phase() != v1::ABORTED)
        << "an abort was undone";
  }

  std::mt19937 random_;
  Temper temper_;
  RolloutWorld world_;
};

TEST(RolloutSimulationTest, EveryInterleavingEndsAndTellsTheTruth) {
  int done = 0, aborted = 0;
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 dice(seed);
    const auto pick = [&](double most) {
      return dice() % 2 ? 0.0 : most * static_cast<double>(dice() % 1000) / 1000;
    };
    Simulation simulation(
        seed, {.silent = pick(0.02), .awake = 0.3, .lazy = pick(0.5), .breaks = pick(0.05)});
    v1::RolloutPhase end = simulation.Run(600);
    if (end ==
        v1::ABORTING) {  // robots that are away hold up the end of an abort, nothing else may
      simulation.CalmDown();
      end = simulation.Run(60);
    }
    EXPECT_TRUE(end == v1::DONE || end == v1::ABORTED) << v1::RolloutPhase_Name(end);
    done += end == v1::DONE;
    aborted += end == v1::ABORTED;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(done, 40);
  EXPECT_GT(aborted, 40);
}

TEST(RolloutSimulationTest, AFleetThatFallsSilentIsNeverPromoted) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    Simulation simulation(seed, {.silent = 0.2, .awake = 0, .lazy = 0, .breaks = 0});
    const v1::RolloutPhase end = simulation.Run(600);
    EXPECT_TRUE(end == v1::ABORTING || end == v1::ABORTED) << seed << v1::RolloutPhase_Name(end);
  }
}

}  // namespace
