#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"

// kill -9 of each process in each phase of a rollout. The robot's program goes on hearing commands,
// the pointer names verified units only, and afterwards one unit runs: the right one.

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;

enum class Victim { kAgent, kControl, kOldWorkers, kNewWorker };
constexpr std::array kVictims = {Victim::kAgent, Victim::kControl, Victim::kOldWorkers,
                                 Victim::kNewWorker};
const char* Word(Victim victim) {
  constexpr std::array kWords = {"agent", "control", "oldworkers", "newworker"};
  return kWords[static_cast<size_t>(victim)];
}

// As systemd starts a process again: Restart=always, RestartSec=100ms.
constexpr Nanos kRestartAfter = milliseconds(100);
// An agent or server stays away for a second of the robot's life: nothing may wait for it.
constexpr uint64_t kAnswersWhileAway = 20;
// Longest time between two answers: the period, the hard deadline, and a margin for the fallback's
// first tick. Control itself is allowed one restart.
constexpr Nanos kGap = milliseconds(300);
constexpr Nanos kGapOfControl = milliseconds(2000);

double Ms(Nanos time) { return static_cast<double>(duration_cast<milliseconds>(time).count()); }

bool Ended(v1::RolloutPhase phase) {
  return phase == v1::DONE || phase == v1::ABORTED || phase == v1::SUPERSEDED;
}

// Four robots, each a fleet of its own, so that four dramas play at once.
class Cast {
 public:
  Cast() {
    stage.Serve();
    const std::string digest = stage.PushedUnit(stage.NewVersion());
    for (const Victim victim : kVictims) {
      const std::string name = Word(victim);
      EXPECT_EQ(stage.Cli({"fleet", "create", name}).code, 0);
      robots.push_back(std::make_unique<RobotSite>(stage, name, name + "1"));
      StartRollout(name, digest);
    }
    for (const auto& robot : robots) EXPECT_TRUE(robot->SettlesOn(digest)) << robot->Describe();
    for (const auto& robot : robots) EXPECT_TRUE(Eventually([&] { return IsDone(*robot); }));
  }

  void StartRollout(const std::string& fleet, const std::string& digest) {
    const Finished started =
        stage.Cli({"rollout", "start", digest, "--fleet", fleet, "--plan", stage.at_once()});
    EXPECT_EQ(started.code, 0) << started.err;
  }
  bool IsDone(const RobotSite& robot) const {
    return stage.Rollout(robot.fleet()).state().phase() == v1::DONE;
  }

  Stage stage;
  std::vector<std::unique_ptr<RobotSite>> robots;
};
Cast& TheCast() {
  static Cast cast;
  return cast;
}

// One rollout to one robot, during which something is killed.
class Drama {
 public:
  Drama(const Stage& stage, RobotSite& robot, std::string digest)
      : stage_(stage), robot_(robot), new_unit_(std::move(digest)) {
    const v1::Pointer pointer = robot.pointer().Now();
    old_unit_ = pointer.committed_digest();
    units_ = {"", old_unit_, new_unit_, pointer.last_good_digest()};
    workers_before_ = robot.Workers();
    robot.Forget();
  }

  // Has the rollout come to `phase`, on the robot too?
  bool IsIn(v1::RolloutPhase phase) {
    Look();
    if (seen_.state().phase() != phase || seen_.robots_size() == 0) return false;
    const v1::ControlReport& control = seen_.robots(0).observed().control();
    if (phase == v1::SHADOW) return control.candidate_state() == v1::CANDIDATE_SHADOWING;
    if (phase == v1::TRIAL) return robot_.pointer().Now().phase() == v1::ON_TRIAL;
    return control.pointer().committed_digest() == new_unit_;
  }

  void Kill(Victim victim) {
    robot_.Forget();
    killed_at_ = Now();
    switch (victim) {
      case Victim::kAgent:
        return robot_.agent().Kill9();
      case Victim::kControl:
        return robot_.control().Kill9();
      case Victim::kOldWorkers:
      case Victim::kNewWorker:
        for (const pid_t worker : robot_.Workers()) {
          const bool is_old = workers_before_.contains(worker);
          if (is_old == (victim == Victim::kOldWorkers)) Shoot(worker);
        }
    }
  }

  // What the supervisor does, when it is time for it; control itself restarts workers.
  void Supervise() {
    if (!robot_.control().running() && Now() - killed_at_ >= kRestartAfter) {
      robot_.control().Start();
    }
    if (!robot_.agent().running() && robot_.program().Lived().answered >= kAnswersWhileAway) {
      robot_.agent().Start();
    }
  }

  bool HasEnded() {
    Look();
    return Ended(seen_.state().phase());
  }

  // Everything that must hold now, `end` being how the rollout was to end.
  void Check(v1::RolloutPhase end, Nanos longest_gap) {
    const RobotProgram::Life life = robot_.program().Lived();
    const Nanos noise = 4 * robot_.pointer().worst_delay();
    const std::string story = seen_.state().ShortDebugString() + "\n" + robot_.Describe();
    EXPECT_EQ(v1::RolloutPhase_Name(seen_.state().phase()), v1::RolloutPhase_Name(end)) << story;
    EXPECT_LT(Ms(life.longest_gap), Ms(longest_gap * kSlowdown + noise)) << story;
    EXPECT_THAT(life.nonsense, IsEmpty());
    EXPECT_THAT(life.units, IsSubsetOf(units_));
    std::printf("  %-12s %-8s longest gap %4.0f ms (machine's own delay %3.0f ms), %d shots\n",
                robot_.name().c_str(), v1::RolloutPhase_Name(seen_.state().phase()).c_str(),
                Ms(life.longest_gap), Ms(noise / 4), shots_);
    const std::string& right = seen_.state().phase() == v1::DONE ? new_unit_ : old_unit_;
    EXPECT_TRUE(robot_.SettlesOn(right)) << story << robot_.Describe();
    EXPECT_THAT(robot_.pointer().complaint(), IsEmpty());
    EXPECT_GE(robot_.pointer().verified(), 2U);
    const Finished verified = stage_.Cli({"unit", "verify", robot_.state() + "/slots/" + right,
                                          "--trust", robot_.state() + "/trust.json"});
    EXPECT_EQ(verified.code, 0) << verified.err;
  }

  int shots() const { return shots_; }

 private:
  void Look() {
    const v1::RolloutView view = stage_.Rollout(robot_.fleet());
    if (view.state().unit_digest() == new_unit_) seen_ = view;
  }
  void Shoot(pid_t worker) {
    ++shots_;
    kill(worker, SIGKILL);
  }

  const Stage& stage_;
  RobotSite& robot_;
  std::string old_unit_;
  std::string new_unit_;
  std::set<std::string> units_;  // whose commands may come
  std::set<pid_t> workers_before_;
  Nanos killed_at_{};
  int shots_ = 0;
  v1::RolloutView seen_;
};

using Dramas = std::vector<std::unique_ptr<Drama>>;

// Kills each drama's victim as soon as it is in `phase`, until all have ended. Who was killed.
std::vector<bool> PlayWithAKillIn(v1::RolloutPhase phase, const Dramas& dramas) {
  std::vector<bool> killed(dramas.size());
  EXPECT_TRUE(Eventually([&] {
    bool all_ended = true;
    for (size_t i = 0; i < dramas.size(); ++i) {
      if (!killed[i] && dramas[i]->IsIn(phase)) {
        dramas[i]->Kill(kVictims[i]);
        killed[i] = true;
      }
      if (killed[i]) dramas[i]->Supervise();
      all_ended = dramas[i]->HasEnded() && all_ended;
    }
    return all_ended;
  }));
  return killed;
}

class KillInPhaseTest : public testing::TestWithParam<v1::RolloutPhase> {};

TEST_P(KillInPhaseTest, TheRobotHearsCommandsAndTheRightUnitRunsAfterwards) {
  Cast& cast = TheCast();
  // A unit whose worker dies is to blame, as far as anybody can tell: it gets a digest of its own.
  const std::string good = cast.stage.PushedUnit(cast.stage.NewVersion());
  const std::string blamed = cast.stage.PushedUnit(cast.stage.NewVersion());
  Dramas dramas;
  for (size_t i = 0; i < kVictims.size(); ++i) {
    const std::string& digest = kVictims[i] == Victim::kNewWorker ? blamed : good;
    dramas.push_back(std::make_unique<Drama>(cast.stage, *cast.robots[i], digest));
    cast.StartRollout(cast.robots[i]->fleet(), digest);
  }

  const std::vector<bool> killed = PlayWithAKillIn(GetParam(), dramas);

  for (size_t i = 0; i < dramas.size(); ++i) {
    SCOPED_TRACE(Word(kVictims[i]));
    EXPECT_TRUE(killed[i]) << "the rollout never came to the phase to kill in";
    const bool blames = kVictims[i] == Victim::kNewWorker;
    const bool waits = kVictims[i] == Victim::kControl;
    dramas[i]->Check(blames ? v1::ABORTED : v1::DONE, waits ? kGapOfControl : kGap);
  }
  EXPECT_GT(dramas[2]->shots(), 0);
  EXPECT_EQ(dramas[3]->shots(), 1);
}

INSTANTIATE_TEST_SUITE_P(Phases, KillInPhaseTest, testing::Values(v1::SHADOW, v1::TRIAL, v1::SOAK),
                         [](const auto& phase) { return v1::RolloutPhase_Name(phase.param); });

TEST(KillTest, TheServerIsKilledInEveryPhaseAndNobodyNotices) {
  Cast& cast = TheCast();
  const std::string digest = cast.stage.PushedUnit(cast.stage.NewVersion());
  Dramas dramas;
  for (const auto& robot : cast.robots) {
    dramas.push_back(std::make_unique<Drama>(cast.stage, *robot, digest));
    cast.StartRollout(robot->fleet(), digest);
  }

  for (const v1::RolloutPhase phase : {v1::SHADOW, v1::TRIAL, v1::SOAK}) {
    EXPECT_TRUE(Eventually([&] { return dramas[0]->IsIn(phase); })) << cast.robots[0]->Describe();
    cast.stage.server().Kill9();
    for (const auto& robot : cast.robots) {
      EXPECT_TRUE(robot->program().LiveThrough(kAnswersWhileAway));
    }
    cast.stage.Serve();
  }
  EXPECT_TRUE(Eventually([&] {
    return std::ranges::all_of(dramas, [](const auto& drama) { return drama->HasEnded(); });
  }));

  for (const auto& drama : dramas) drama->Check(v1::DONE, kGap);
}

TEST(KillTest, AgentControlAndServerAreKilledAtOnceInTheTrial) {
  Cast& cast = TheCast();
  RobotSite& robot = *cast.robots[0];
  const std::string digest = cast.stage.PushedUnit(cast.stage.NewVersion());
  Drama drama(cast.stage, robot, digest);
  cast.StartRollout(robot.fleet(), digest);
  EXPECT_TRUE(Eventually([&] { return drama.IsIn(v1::TRIAL); })) << robot.Describe();

  cast.stage.server().Kill9();
  drama.Kill(Victim::kAgent);
  drama.Kill(Victim::kControl);
  EXPECT_TRUE(Eventually([&] {
    drama.Supervise();
    return robot.agent().running();
  }));
  cast.stage.Serve();
  EXPECT_TRUE(Eventually([&] { return drama.HasEnded(); })) << robot.Describe();

  drama.Check(v1::DONE, kGapOfControl);
}

}  // namespace
}  // namespace tests
