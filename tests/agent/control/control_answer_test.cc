#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/base/packet_socket.h"
#include "agent/control/control_loop.h"
#include "tests/agent/control/control_fixture.h"
#include "tests/support/fake_sysfs.h"
#include "tests/support/notify_socket.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// A robot that must brake is answered before any disk is asked.

namespace tests {
namespace {

using agent::control::PacketPort;

// A disk whose next write in place begins and does not end until it is let go on.
class SlowFiles final : public agent::base::Files {
 public:
  std::future<void> HoldNextOverwrite() {
    const std::lock_guard lock(mutex_);
    begun_.emplace();
    return begun_->get_future();
  }
  void GoOn() { go_on_.set_value(); }

  absl::Status Overwrite(const std::string& path, size_t offset, std::string_view bytes) override {
    std::optional<std::promise<void>> begun;
    {
      const std::lock_guard lock(mutex_);
      begun.swap(begun_);
    }
    if (begun) {
      begun->set_value();
      go_on_.get_future().wait();
    }
    return files_.Overwrite(path, offset, bytes);
  }
  absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const override {
    return files_.Read(path, cap);
  }
  absl::Status WriteDurably(const std::string& path, std::string_view bytes, int mode) override {
    return files_.WriteDurably(path, bytes, mode);
  }
  absl::Status Append(const std::string& path, std::string_view bytes) override {
    return files_.Append(path, bytes);
  }
  absl::Status Sync(const std::string& path) override { return files_.Sync(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  absl::Status MakeFolders(const std::string& path) override { return files_.MakeFolders(path); }
  absl::Status RemoveAll(const std::string& path) override { return files_.RemoveAll(path); }
  bool Exists(const std::string& path) const override { return files_.Exists(path); }
  absl::StatusOr<size_t> Size(const std::string& path) const override { return files_.Size(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const override {
    return files_.List(folder);
  }

 private:
  agent::base::OsFiles files_;
  std::mutex mutex_;
  std::optional<std::promise<void>> begun_;
  std::promise<void> go_on_;
};

// The real loop, core, recorder and sockets over a slow disk; models are in this process.
class AnswerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(PacketPort robot, PacketPort::Listen(folder_ / "robot.sock"));
    ASSERT_OK_AND_ASSIGN(PacketPort agent, PacketPort::Listen(folder_ / "agent.sock"));
    ASSERT_OK(files_.MakeFolders(folder_ / "state/control"));
    agent::control::RecorderOptions options;
    options.ring.folder = folder_ / "recorder";
    recorder_.emplace(options, clock_);
    health_.emplace(sysfs_.root(), clock_);
    core_.emplace(folder_ / "state", files_, clock_, source_);
    loop_.emplace(
        agent::control::ControlLoop::Parts{.core = *core_,
                                           .clock = clock_,
                                           .health = *health_,
                                           .shadow = shadow_,
                                           .recorder = *recorder_,
                                           .robot = std::move(robot),
                                           .agent = std::move(agent),
                                           .supervisor = {supervised_.path(), kWatchdog}});
    thread_ = std::thread([this] { loop_->Run(stop_.get()); });
    ASSERT_OK_AND_ASSIGN(robot_, agent::base::ConnectPackets(folder_ / "robot.sock"));
    ASSERT_OK_AND_ASSIGN(agent_, agent::base::ConnectPackets(folder_ / "agent.sock"));
  }
  void TearDown() override {
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_.get(), &one, sizeof(one)), 8);
    thread_.join();
  }

  void Send(bool estop_pressed) {
    v1::Observation seen;
    seen.set_seq(++seq_);
    seen.set_stamp_ns(clock_.Now().count());
    seen.set_want_command(true);
    seen.set_network_up(true);
    seen.set_estop_pressed(estop_pressed);
    seen.mutable_odom()->set_vx_mps(0.1);
    ASSERT_OK(agent::base::SendPacket(robot_.get(), seen.SerializeAsString()));
  }
  // The answer to the last packet sent.
  v1::Command Answer() {
    v1::Command command;
    pollfd answer{.fd = robot_.get(), .events = POLLIN, .revents = 0};
    while (command.seq() != seq_ && poll(&answer, 1, 40'000) == 1) {
      const auto packet = agent::base::ReceivePacket(robot_.get());
      if (!packet.ok() || !command.ParseFromString(packet->bytes)) break;
    }
    EXPECT_EQ(command.seq(), seq_);
    return command;
  }
  void Commit(const std::string& digest) {
    v1::ControlOrder order;
    order.set_seq(1);
    order.set_stage(v1::STAGE_COMMIT);
    order.set_candidate_digest(digest);
    order.set_link_up(true);
    ASSERT_OK(agent::base::SendPacket(agent_.get(), order.SerializeAsString()));
    const Nanos until = clock_.Now() + std::chrono::seconds(40);
    for (v1::Command command; command.unit_digest() != digest || command.stop();) {
      ASSERT_LT(clock_.Now(), until);
      Send(false);
      command = Answer();
    }
  }

  static constexpr Nanos kWatchdog = milliseconds(200);

  TempFolder folder_;
  NotifySocket supervised_{folder_ / "notify"};
  FakeSysfs sysfs_;
  SlowFiles files_;
  agent::base::SystemClock clock_;
  ScriptedSource source_;
  agent::base::UniqueFd stop_{eventfd(0, EFD_CLOEXEC)};
  agent::control::ShadowThread shadow_;
  std::optional<agent::control::FlightRecorder> recorder_;
  std::optional<agent::control::HealthThread> health_;
  std::optional<agent::control::ControlCore> core_;
  std::optional<agent::control::ControlLoop> loop_;
  std::thread thread_;
  agent::base::UniqueFd robot_;
  agent::base::UniqueFd agent_;
  uint64_t seq_ = 0;
};

TEST_F(AnswerTest, TheFirstCommandOfAnEmergencyStopIsOutBeforeItsWriteHasEnded) {
  Commit(DigestOf('a'));
  std::future<void> begun = files_.HoldNextOverwrite();

  Send(true);
  const v1::Command braking = Answer();  // comes, although no write ends

  EXPECT_EQ(braking.state(), "EMERGENCY_STOP");
  ASSERT_EQ(begun.wait_for(std::chrono::seconds(40)), std::future_status::ready)
      << "the latch is written in the same turn, asked for or not";
  files_.GoOn();
  Send(false);
  EXPECT_THAT(Answer().state(), testing::AnyOf("EMERGENCY_STOP", "ESTOP_LATCHED"));
}

TEST_F(AnswerTest, AnObservationIsAnsweredBeforeAnOrderThatCameAfterItIsWrittenDown) {
  Commit(DigestOf('a'));
  std::future<void> begun = files_.HoldNextOverwrite();
  v1::ControlOrder order;
  order.set_seq(2);
  order.set_stage(v1::STAGE_COMMIT);
  order.set_candidate_digest(DigestOf('b'));
  order.set_link_up(true);

  Send(false);
  ASSERT_OK(agent::base::SendPacket(agent_.get(), order.SerializeAsString()));

  EXPECT_FALSE(Answer().stop());
  ASSERT_EQ(begun.wait_for(std::chrono::seconds(40)), std::future_status::ready)
      << "the unit is warm some turns later";
  files_.GoOn();
  Send(false);
  Answer();
}

TEST_F(AnswerTest, ASupervisorHearsOfAnsweredTicksAndOfNoHang) {
  EXPECT_EQ(supervised_.Next(40'000), "READY=1");
  EXPECT_EQ(supervised_.Next(40'000), "WATCHDOG=1") << "and without a robot too";
  EXPECT_EQ(supervised_.Next(40'000), "WATCHDOG=1");
  std::future<void> begun = files_.HoldNextOverwrite();
  Send(true);
  Answer();
  begun.wait();
  supervised_.Forget();

  EXPECT_EQ(supervised_.Next(1000), "") << "five watchdogs long";

  files_.GoOn();
  EXPECT_EQ(supervised_.Next(40'000), "WATCHDOG=1");
}

}  // namespace
}  // namespace tests
