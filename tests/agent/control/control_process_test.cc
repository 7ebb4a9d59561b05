#include <dirent.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/packet_socket.h"
#include "agent/client/robot_client.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/recorder_ring.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "proto/control.pb.h"
#include "proto/health.pb.h"
#include "tests/agent/control/syscall_counter.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/fake_sysfs.h"
#include "tests/support/notify_socket.h"
#include "tests/support/sealed_unit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The real programs: gatekeeper-control, its workers, ONNX Runtime, sealed units on disk.

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using agent::client::RobotClient;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr Nanos kPeriod = milliseconds(50);
// Only a hang comes to these.
constexpr Nanos kPatience = seconds(40);
constexpr Nanos kAnswerWithin = seconds(5);

Nanos Now() { return agent::base::SystemClock().Now(); }

// A unit whose model always asks for the same speed.
SealedUnit Cruise(const std::string& version, float vx_mps, const std::string& policy_end = "") {
  const gatekeeper::sim::Mlp mlp{.inputs = {{"features", {1, 2}}},
                                 .layers = {{.inputs = 2,
                                             .outputs = 2,
                                             .weights = {0, 0, 0, 0},
                                             .bias = {vx_mps, 0},
                                             .activation = gatekeeper::sim::Activation::kNone}},
                                 .output = "command"};
  return MakeUnit(
      {.version = version, .model = WriteOnnx(MlpGraph(mlp)), .policy_end = policy_end});
}

class ControlProcessTest : public testing::Test {
 protected:
  ControlProcessTest() {
    sysfs_.AddZone(0, "cpu-thermal", 50'000);
    Start();
  }
  ~ControlProcessTest() override { End(SIGKILL); }

  void Start() {
    const std::string state = folder_ / "state";
    std::vector<std::string> words = {GATEKEEPER_CONTROL, "--state",      state,        "--worker",
                                      GATEKEEPER_WORKER,  "--sysfs-root", sysfs_.root()};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, GATEKEEPER_CONTROL, nullptr, nullptr, arguments.data(), environ),
              0);
    const Nanos until = Now() + kPatience;
    while (Now() < until && !(robot_ && agent_.valid())) {
      std::this_thread::sleep_for(milliseconds(2));  // it is not there yet
      if (!robot_) {
        auto robot = RobotClient::Connect(state + "/control/robot.sock");
        if (robot.ok()) robot_ = *std::move(robot);
      }
      if (!agent_.valid()) {
        auto agent = agent::base::ConnectPackets(state + "/control/agent.sock");
        if (agent.ok()) agent_ = *std::move(agent);
      }
    }
    ASSERT_TRUE(robot_ && agent_.valid());
  }

  // Its exit status as waitpid tells it.
  int End(int signal) {
    if (pid_ <= 0) return -1;
    kill(pid_, signal);
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    robot_.reset();
    agent_.reset();
    return status;
  }

  void Stage(const SealedUnit& unit) {
    const std::string slot = folder_ / ("state/slots/" + unit.digest);
    WriteUnit(slot, unit.files, unit.manifest);
    for (const auto& [name, bytes] : unit.papers.seal()) WriteFile(slot + "/seal/" + name, bytes);
  }
  void Trust() { WriteFile(folder_ / "state/trust.json", TestTrust().ToJson()); }

  // One period of a robot's life; its answer and how long that took.
  v1::Command Step() {
    next_step_ = std::max(next_step_ + kPeriod, Now() - kPeriod);
    std::this_thread::sleep_for(next_step_ - Now());
    v1::Observation seen;
    seen.set_stamp_ns(Now().count());
    seen.set_network_up(true);
    seen.mutable_odom()->set_stamp_ns(Now().count());
    const Nanos asked = Now();
    const auto command = robot_->Exchange(std::move(seen), kAnswerWithin);
    answer_took_ = Now() - asked;
    EXPECT_OK(command);
    slowest_answer_ = std::max(slowest_answer_, answer_took_);
    if (command.ok() && command->state() != "NOMINAL") ++not_nominal_;
    return command.ok() ? *command : v1::Command();
  }
  // Lives until a command is as wanted.
  testing::AssertionResult LiveUntil(const std::function<bool(const v1::Command&)>& wanted) {
    const Nanos until = Now() + kPatience;
    v1::Command last;
    while (Now() < until) {
      last = Step();
      if (wanted(last)) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "last command: " << last.ShortDebugString();
  }

  void Order(v1::Stage stage, const std::string& digest) {
    v1::ControlOrder order;
    order.set_seq(++order_seq_);
    order.set_stage(stage);
    order.set_candidate_digest(digest);
    order.set_lease_ms(60'000);
    order.set_link_up(true);
    ASSERT_OK(agent::base::SendPacket(agent_.get(), order.SerializeAsString()));
  }
  // The first report that is as wanted, while the robot lives on.
  v1::ControlReport ReportWith(const std::function<bool(const v1::ControlReport&)>& wanted) {
    const Nanos until = Now() + kPatience;
    v1::ControlReport report;
    while (Now() < until) {
      Step();
      while (auto packet = Packet()) {
        EXPECT_TRUE(report.ParseFromString(*packet));
        if (report.order_seq() == order_seq_ && wanted(report)) return report;
      }
    }
    ADD_FAILURE() << "last report: " << report.ShortDebugString();
    return report;
  }
  void CommitUnit(const SealedUnit& unit) {
    Order(v1::STAGE_COMMIT, unit.digest);
    ReportWith([&](const auto& report) { return report.running_digest() == unit.digest; });
  }

  // The processes that control has started.
  std::vector<pid_t> Workers() const {
    std::vector<pid_t> workers;
    DIR* proc = opendir("/proc");
    while (const dirent* entry = readdir(proc)) {
      std::ifstream stat(std::string("/proc/") + entry->d_name + "/stat");
      pid_t pid = 0;
      pid_t parent = 0;
      std::string name;
      char state = 0;
      if (stat >> pid >> name >> state >> parent && parent == pid_ && state != 'Z') {
        workers.push_back(pid);
      }
    }
    closedir(proc);
    return workers;
  }

  // How far each thread of a process stands back from the processor.
  static std::vector<int> NicenessOf(pid_t pid) {
    std::vector<int> niceness;
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      niceness.push_back(
          getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoi(task.path().filename().string()))));
    }
    return niceness;
  }

  TempFolder folder_;
  FakeSysfs sysfs_;
  pid_t pid_ = -1;
  std::optional<RobotClient> robot_;
  agent::base::UniqueFd agent_;
  Nanos next_step_{};
  Nanos answer_took_{};
  Nanos slowest_answer_{};
  int not_nominal_ = 0;
  uint64_t order_seq_ = 0;

 private:
  std::optional<std::string> Packet() {
    auto packet = agent::base::ReceivePacket(agent_.get());
    if (!packet.ok()) return std::nullopt;
    return std::move(packet->bytes);
  }
};

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

TEST_F(ControlProcessTest, LeavesAFlightRecordingOfWhatItSawAndDid) {
  for (int i = 0; i < 30; ++i) Step();
  End(SIGTERM);

  const auto files = agent::recording::RecorderRing::FilesOf(folder_ / "state/control/recorder");
  ASSERT_OK(files);
  ASSERT_EQ(files->size(), 1);
  ASSERT_OK_AND_ASSIGN(const auto reader, agent::recording::ObservationReader::Open(
                                              files->front(), {{"packet", "/packet"},
                                                               {"odom", "/odom"},
                                                               {"command", "/command"},
                                                               {"verdict", "/verdict"}}));
  int observations = 0;
  int commands = 0;
  int ticks = 0;
  ASSERT_OK(reader.ForEach([&](const agent::recording::RecordedItem& item) {
    observations += std::holds_alternative<v1::Observation>(item.content) ? 1 : 0;
    commands += std::holds_alternative<v1::Command>(item.content) ? 1 : 0;
    ticks += std::holds_alternative<v1::TickRecord>(item.content) ? 1 : 0;
    return absl::OkStatus();
  }));
  EXPECT_GE(observations, 29);
  EXPECT_GE(commands, 29);
  EXPECT_GE(ticks, 29);
}

TEST_F(ControlProcessTest, SlowsDownInTheHeatAndRecordsTemperatureScaleAndCommandOnOneClock) {
  const SealedUnit unit = Cruise("1.0.0", 0.9F,
                                 "derate:\n"
                                 "  - {signal: soc_temp_degC, points: [70, 90], scale: [1.0, 0.2], "
                                 "max_age_ms: 2000, absent_scale: 1.0}\n");
  Trust();
  Stage(unit);
  CommitUnit(unit);
  const auto drives = [](double vx_mps) {
    return [vx_mps](const v1::Command& command) {
      return command.values_size() == 2 && std::abs(command.values(0) - vx_mps) < 1e-6;
    };
  };
  ASSERT_TRUE(LiveUntil(drives(0.9F)));

  const Nanos before = Now();
  sysfs_.Set("class/thermal/thermal_zone0/temp", 80'000);
  EXPECT_TRUE(LiveUntil(drives(0.6)));  // halfway from 1.0 to 0.2, of 1 m/s
  const Nanos after = Now();
  End(SIGTERM);

  const auto files = agent::recording::RecorderRing::FilesOf(folder_ / "state/control/recorder");
  ASSERT_OK(files);
  ASSERT_EQ(files->size(), 1);
  ASSERT_OK_AND_ASSIGN(const auto mcap, agent::recording::McapReader::Open(files->front()));
  Nanos hot{}, signalled{}, scaled{}, slow{};
  bool split = false;
  const auto first = [](Nanos& seen, uint64_t at, bool now) {
    if (now && seen == Nanos{}) seen = Nanos{static_cast<int64_t>(at)};
  };
  ASSERT_OK(mcap.ForEachMessage({}, [&](const auto& channel, const auto& message) {
    const std::string bytes(message.data);
    v1::HealthSample health;
    v1::Signal signal;
    v1::TickRecord tick;
    v1::Command command;
    if (channel.topic == "/health" && health.ParseFromString(bytes)) {
      first(hot, message.log_time_ns, health.soc_temp_degc().value() == 80);
    } else if (channel.topic == "/signal/soc_temp_degC" && signal.ParseFromString(bytes)) {
      first(signalled, message.log_time_ns, signal.value() == 80);
    } else if (channel.topic == "/verdict" && tick.ParseFromString(bytes)) {
      first(scaled, message.log_time_ns, std::abs(tick.derate() - 0.6) < 1e-9);
      const v1::LatencySplit& latency = tick.latency();
      split = split || (latency.wait_ns() > 0 && latency.copy_ns() > 0 && latency.run_ns() > 0 &&
                        latency.check_ns() > 0 && latency.publish_ns() > 0);
    } else if (channel.topic == "/command" && command.ParseFromString(bytes)) {
      first(slow, message.log_time_ns, hot != Nanos{} && drives(0.6)(command));
    }
    return absl::OkStatus();
  }));
  EXPECT_LT(before, hot);
  EXPECT_EQ(signalled, hot);
  EXPECT_LT(hot, scaled);
  EXPECT_LE(scaled, slow);
  EXPECT_LT(slow, after);
  EXPECT_TRUE(split) << "a tick's time is split into all its parts";
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

TEST_F(ControlProcessTest, TellsWhoeverStartedItThatItAnswersUntilItHangs) {
  End(SIGTERM);
  NotifySocket supervisor(folder_ / "notify");
  setenv("NOTIFY_SOCKET", supervisor.path().c_str(), 1);
  setenv("WATCHDOG_USEC", "400000", 1);
  Start();
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(supervisor.Next(40'000), "READY=1");
  EXPECT_EQ(supervisor.Next(40'000), "WATCHDOG=1");
  EXPECT_EQ(supervisor.Next(40'000), "WATCHDOG=1");

  kill(pid_, SIGSTOP);
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);
  supervisor.Forget();

  EXPECT_EQ(supervisor.Next(1000), "") << "and systemd would end it";
  kill(pid_, SIGCONT);
  EXPECT_EQ(supervisor.Next(40'000), "WATCHDOG=1");
}

}  // namespace
}  // namespace tests
