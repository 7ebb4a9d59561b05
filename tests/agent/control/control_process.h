#pragma once

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/packet_socket.h"
#include "agent/client/robot_client.h"
#include "proto/control.pb.h"
#include "tests/agent/control/cruise_model.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/fake_sysfs.h"
#include "tests/support/sealed_unit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The real programs: gatekeeper-control, its workers, ONNX Runtime, sealed units on disk.

namespace tests {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;
using agent::client::RobotClient;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kPeriod = milliseconds(50);
// Only a hang comes to these.
constexpr Nanos kPatience = seconds(40);
constexpr Nanos kAnswerWithin = seconds(5);

inline Nanos Now() { return agent::base::SystemClock().Now(); }

// A unit whose model always asks for the same speed.
inline SealedUnit Cruise(const std::string& version, float vx_mps,
                         const std::string& policy_end = "") {
  return MakeUnit({.version = version, .model = CruiseModel(vx_mps), .policy_end = policy_end});
}

class ControlProcessTest : public testing::Test {
 protected:
  ControlProcessTest() {
    sysfs_.AddZone(0, "cpu-thermal", 50'000);
    Start();
  }
  ~ControlProcessTest() override { End(SIGKILL); }

  // `by`: the program and its arguments that start it, by default nobody.
  void Start(std::vector<std::string> by = {}) {
    std::vector<std::string> words = std::move(by);
    for (const std::string& word :
         {std::string(GATEKEEPER_CONTROL), std::string("--state"), folder_ / "state",
          std::string("--worker"), std::string(GATEKEEPER_WORKER), std::string("--sysfs-root"),
          sysfs_.root()}) {
      words.push_back(word);
    }
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environ), 0);
    Connect();
  }

  void Connect() {
    const std::string state = folder_ / "state";
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

  // The processes that control has started, or whoever started it.
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

}  // namespace tests
