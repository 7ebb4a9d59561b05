#include "tests/agent/control/control_process.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "tests/agent/control/syscall_counter.h"

// Units, workers, swaps and ends of the real programs.

namespace tests {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

TEST_F(ControlProcessTest, AnswersWithAStopWithoutUnitTrustOrWorker) {
  for (int i = 0; i < 10; ++i) {
    const v1::Command command = Step();
    EXPECT_TRUE(command.stop());
    EXPECT_EQ(command.unit_digest(), "");
    EXPECT_NE(command.state(), RobotClient::kNoAnswer);
  }
}

TEST_F(ControlProcessTest, RunsASealedUnitAndRefusesOneOfAStranger) {
  const SealedUnit good = Cruise("1.0.0", 0.4F);
  SealedUnit stolen = MakeUnit({.version = "1.1.0",
                                .model = good.files.at("model/model.onnx"),
                                .sealing = Sealing::kStrangersKey});
  Trust();
  Stage(good);
  Stage(stolen);
  CommitUnit(good);

  EXPECT_TRUE(LiveUntil([](const auto& command) {
    return command.values_size() == 2 && std::abs(command.values(0) - 0.4) < 1e-6;
  }));
  Order(v1::STAGE_TRIAL, stolen.digest);
  const v1::ControlReport report =
      ReportWith([](const auto& r) { return r.candidate_state() == v1::CANDIDATE_FAILED; });

  EXPECT_EQ(report.running_digest(), good.digest);
  EXPECT_THAT(report.candidate_reason(), HasSubstr("unit.sigstore.json"));
}

TEST_F(ControlProcessTest, LetsAWorkerServeAtThePriorityOfControlThoughLoadingStandsBack) {
  const SealedUnit unit = Cruise("1.0.0", 0.4F);
  Trust();
  Stage(unit);
  CommitUnit(unit);

  const std::vector<pid_t> workers = Workers();
  ASSERT_EQ(workers.size(), 1);
  EXPECT_THAT(NicenessOf(workers[0]), Each(getpriority(PRIO_PROCESS, static_cast<id_t>(pid_))));
}

TEST_F(ControlProcessTest, SchedulesTheDrivingWorkerJustBelowItselfAndTheShadowBesideThem) {
  const SealedUnit one = Cruise("1.0.0", 0.2F);
  const SealedUnit two = Cruise("1.1.0", 0.3F);
  Trust();
  Stage(one);
  Stage(two);
  CommitUnit(one);
  if (sched_getscheduler(pid_) != (SCHED_FIFO | SCHED_RESET_ON_FORK)) {
    GTEST_SKIP() << "this computer permits no realtime scheduling";
  }
  const std::vector<pid_t> driving = Workers();
  ASSERT_EQ(driving.size(), 1);
  Order(v1::STAGE_SHADOW, two.digest);
  ReportWith([](const auto& report) { return report.candidate().ticks() > 2; });

  const auto priority = [](pid_t pid) {
    sched_param parameters{};
    sched_getparam(pid, &parameters);
    return parameters.sched_priority;
  };
  EXPECT_EQ(sched_getscheduler(driving[0]), SCHED_FIFO | SCHED_RESET_ON_FORK);
  EXPECT_EQ(priority(driving[0]), priority(pid_) - 1);
  for (const pid_t worker : Workers()) {
    if (worker == driving[0]) continue;
    EXPECT_EQ(sched_getscheduler(worker) & ~SCHED_RESET_ON_FORK, SCHED_OTHER);
  }
}

TEST_F(ControlProcessTest, PicksUpATrustPolicyThatAppearsLater) {
  const SealedUnit unit = Cruise("1.0.0", 0.4F);
  Trust();
  Stage(unit);
  CommitUnit(unit);
  End(SIGKILL);
  ASSERT_EQ(unlink((folder_ / "state/trust.json").c_str()), 0);
  Start();
  EXPECT_TRUE(Step().stop());

  Trust();

  EXPECT_TRUE(LiveUntil([&](const auto& command) { return command.unit_digest() == unit.digest; }));
}

TEST_F(ControlProcessTest, SwapsAndRollsBackWithoutMissingATick) {
  const SealedUnit one = Cruise("1.0.0", 0.2F);
  const SealedUnit two = Cruise("1.1.0", 0.3F);
  Trust();
  Stage(one);
  Stage(two);
  CommitUnit(one);
  ASSERT_TRUE(LiveUntil([](const auto& command) { return command.state() == "NOMINAL"; }));
  not_nominal_ = 0;
  slowest_answer_ = Nanos{};

  Order(v1::STAGE_SHADOW, two.digest);
  ReportWith([](const auto& report) { return report.candidate().ticks() > 20; });
  Order(v1::STAGE_TRIAL, two.digest);
  ReportWith([&](const auto& report) { return report.running_digest() == two.digest; });
  Order(v1::STAGE_COMMIT, two.digest);
  ReportWith([](const auto& r) { return r.candidate_state() == v1::CANDIDATE_COMMITTED; });
  Order(v1::STAGE_COMMIT, one.digest);
  const v1::ControlReport report =
      ReportWith([&](const auto& r) { return r.running_digest() == one.digest; });

  EXPECT_EQ(report.pointer().last_good_digest(), two.digest);
  EXPECT_EQ(report.quarantine_size(), 0);
  EXPECT_EQ(not_nominal_, 0);
  RecordProperty("slowest_answer_us", std::to_string(slowest_answer_.count() / 1000));
}

TEST_F(ControlProcessTest, AnswersEveryTickWhileAKilledWorkerIsReplaced) {
  const SealedUnit unit = Cruise("1.0.0", 0.4F);
  Trust();
  Stage(unit);
  CommitUnit(unit);
  const std::vector<pid_t> before = Workers();
  ASSERT_EQ(before.size(), 1);

  kill(before[0], SIGKILL);
  bool stopped = false;
  Nanos slowest{};
  EXPECT_TRUE(LiveUntil([&](const v1::Command& command) {
    EXPECT_NE(command.state(), RobotClient::kNoAnswer);
    slowest = std::max(slowest, answer_took_);
    stopped = stopped || command.state() != "NOMINAL";
    return stopped && command.state() == "NOMINAL" && command.unit_digest() == unit.digest;
  }));

  EXPECT_EQ(Workers().size(), 1);
  EXPECT_NE(Workers(), before);
  RecordProperty("slowest_answer_us", std::to_string(slowest.count() / 1000));
}

TEST_F(ControlProcessTest, AnswersEveryTickInTimeWhileAWorkerHangsAndReplacesIt) {
  const SealedUnit unit = Cruise("1.0.0", 0.4F);
  Trust();
  Stage(unit);
  CommitUnit(unit);
  const std::vector<pid_t> before = Workers();
  ASSERT_EQ(before.size(), 1);

  kill(before[0], SIGSTOP);
  bool stopped = false;
  std::vector<Nanos> took;
  EXPECT_TRUE(LiveUntil([&](const v1::Command& command) {
    EXPECT_NE(command.state(), RobotClient::kNoAnswer);
    took.push_back(answer_took_);
    stopped = stopped || command.state() != "NOMINAL";
    return stopped && command.state() == "NOMINAL" && Workers() != before;
  }));

  // The policy's deadline is 30 ms. The median tells what control does, whatever else this computer
  // was busy with.
  std::ranges::sort(took);
  EXPECT_LT(took[took.size() / 2], milliseconds(45));
  RecordProperty("slowest_answer_us", std::to_string(took.back().count() / 1000));
}

TEST_F(ControlProcessTest, ComesBackToTheCommittedUnitWhenItIsKilledDuringATrial) {
  const SealedUnit one = Cruise("1.0.0", 0.2F);
  const SealedUnit two = Cruise("1.1.0", 0.3F);
  Trust();
  Stage(one);
  Stage(two);
  CommitUnit(one);
  Order(v1::STAGE_TRIAL, two.digest);
  ReportWith([&](const auto& report) { return report.running_digest() == two.digest; });

  End(SIGKILL);
  Start();

  EXPECT_TRUE(LiveUntil([&](const auto& command) {
    EXPECT_NE(command.unit_digest(), two.digest);
    return command.unit_digest() == one.digest;
  }));
}

TEST_F(ControlProcessTest, TicksByItselfWhenTheRobotIsSilent) {
  Step();

  const v1::Command command = robot_->Next(kAnswerWithin);

  EXPECT_EQ(command.seq(), 0);
  EXPECT_NE(command.state(), RobotClient::kNoAnswer);
  EXPECT_TRUE(command.stop());
}

TEST_F(ControlProcessTest, TellsTheRobotToStopBeforeItEnds) {
  Step();

  kill(pid_, SIGTERM);
  v1::Command last;
  const Nanos until = Now() + kPatience;
  while (Now() < until && last.state() != "SHUT_DOWN") last = robot_->Next(kPeriod);
  EXPECT_EQ(last.state(), "SHUT_DOWN");
  EXPECT_TRUE(last.stop());

  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(ControlProcessTest, RefusesASecondProcessOnTheSameState) {
  const std::string command =
      std::string(GATEKEEPER_CONTROL) + " --state " + folder_ / "state" + " 2>&1";
  FILE* second = popen(command.c_str(), "r");
  char text[512] = {};
  const size_t read = fread(text, 1, sizeof(text) - 1, second);
  const int status = pclose(second);

  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_THAT(std::string(text, read), HasSubstr("another gatekeeper-control"));
  EXPECT_TRUE(Step().stop());
}

TEST_F(ControlProcessTest, MakesNoSystemCallInATickBeyondThoseItNeeds) {
  const SealedUnit unit = Cruise("1.0.0", 0.4F);
  Trust();
  Stage(unit);
  CommitUnit(unit);
  agent_.reset();  // five reports a second are no part of a tick
  const auto exchange = [&](int ticks) {
    for (int i = 0; i < ticks; ++i) {
      v1::Observation seen;
      seen.set_stamp_ns(Now().count());
      seen.set_network_up(true);
      (*seen.mutable_signals())["distance_to_the_present_goal_m"].set_value(i);
      ASSERT_EQ(robot_->Exchange(std::move(seen), kAnswerWithin)->unit_digest(), unit.digest);
    }
  };
  exchange(50);

  constexpr int kTicks = 400;
  SyscallCounter counter(pid_);
  if (!counter.watching()) GTEST_SKIP() << "no permission to trace a child process";
  exchange(kTicks);
  std::map<uint64_t, int> calls = counter.Stop();

  const auto took = [&](uint64_t number) {
    const int count = calls[number];
    calls.erase(number);
    return count;
  };
  // One more of each may have been under way when counting began or ended.
  EXPECT_NEAR(took(SYS_recvmsg), kTicks, 1);
  EXPECT_NEAR(took(SYS_sendmsg), kTicks, 1);
  // Wakes the worker, and waits for it unless the answer is there already.
  const int futexes = took(SYS_futex);
  EXPECT_GE(futexes, kTicks - 1);
  EXPECT_LE(futexes, 2 * kTicks + 2);
  // Between packets it looks after itself every 20 ms.
  const int waits = took(SYS_ppoll);
  EXPECT_GE(waits, kTicks - 1);
  EXPECT_LE(waits, kTicks + kTicks / 4);
  for (const auto& [number, count] : calls) {
    ADD_FAILURE() << "system call " << number << ": " << count << " times";
  }
}

TEST_F(ControlProcessTest, TurnsAwayARobotThatTalksNonsenseAndServesTheNext) {
  ASSERT_TRUE(Step().stop());
  robot_.reset();
  auto socket = agent::base::ConnectPackets(folder_ / "state/control/robot.sock");
  ASSERT_OK(socket);
  ASSERT_OK(agent::base::SendPacket(socket->get(), "\xff\xff\xff nonsense"));
  pollfd closed{.fd = socket->get(), .events = POLLIN, .revents = 0};
  while (!absl::IsAborted(agent::base::ReceivePacket(socket->get()).status())) {
    ASSERT_EQ(poll(&closed, 1, 40'000), 1);
  }

  ASSERT_OK_AND_ASSIGN(robot_, RobotClient::Connect(folder_ / "state/control/robot.sock"));
  EXPECT_TRUE(LiveUntil([](const auto& command) {
    return command.stop() && command.state() != RobotClient::kNoAnswer;
  }));
}

}  // namespace
}  // namespace tests
