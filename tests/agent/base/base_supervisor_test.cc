#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "agent/base/supervisor.h"
#include "tests/support/notify_socket.h"
#include "tests/support/temp_folder.h"

// Words to a real datagram socket, as systemd has one.

namespace agent::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SupervisorTest : public testing::Test {
 protected:
  ~SupervisorTest() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  tests::TempFolder folder_;
  tests::NotifySocket socket_{folder_ / "notify"};
  Nanos now_ = seconds(100);
};

TEST_F(SupervisorTest, IsToldOnceThatItIsReadyAndFourTimesAWatchdogThatItWorks) {
  Supervisor supervisor(socket_.path(), seconds(2));
  EXPECT_EQ(supervisor.every(), milliseconds(500));
  supervisor.Works(now_);
  EXPECT_EQ(socket_.Next(0), "READY=1");
  EXPECT_EQ(socket_.Next(0), "WATCHDOG=1");

  supervisor.Works(now_ + milliseconds(500) - Nanos(1));
  EXPECT_EQ(socket_.Next(0), "");
  supervisor.Works(now_ + milliseconds(500));
  EXPECT_EQ(socket_.Next(0), "WATCHDOG=1");
  EXPECT_EQ(socket_.Next(0), "");
}

TEST_F(SupervisorTest, WithoutAWatchdogHearsReadyOnly) {
  Supervisor supervisor(socket_.path(), Nanos{0});
  supervisor.Works(now_);
  supervisor.Works(now_ + seconds(10));
  EXPECT_EQ(socket_.Next(0), "READY=1");
  EXPECT_EQ(socket_.Next(0), "");
  EXPECT_EQ(supervisor.every(), Nanos::max());
}

TEST_F(SupervisorTest, ThatIsNotThereYetIsToldLater) {
  const std::string path = folder_ / "later";
  Supervisor supervisor(path, seconds(2));
  supervisor.Works(now_);
  tests::NotifySocket later(path);
  supervisor.Works(now_ + Nanos(1));
  EXPECT_EQ(later.Next(0), "READY=1");
  EXPECT_EQ(later.Next(0), "WATCHDOG=1");
}

TEST_F(SupervisorTest, ThatDoesNotReadHoldsNobodyUp) {
  Supervisor supervisor(socket_.path(), milliseconds(4));
  for (int i = 0; i < 10'000; ++i) supervisor.Works(now_ += seconds(1));
  EXPECT_EQ(socket_.Next(0), "READY=1");
}

TEST_F(SupervisorTest, MayHaveANameWithoutAFile) {
  tests::NotifySocket abstract("@gatekeeper-supervisor-test-" + std::to_string(getpid()));
  Supervisor supervisor(abstract.path(), Nanos{0});
  supervisor.Works(now_);
  EXPECT_EQ(abstract.Next(0), "READY=1");
}

TEST_F(SupervisorTest, NobodyListensToANameThatIsNone) {
  for (const std::string& name : {std::string(), std::string("notify"), std::string(108, '/')}) {
    Supervisor supervisor(name, seconds(2));
    supervisor.Works(now_);
    EXPECT_EQ(supervisor.every(), Nanos::max()) << name;
  }
  Supervisor nobody;
  nobody.Works(now_);
}

TEST_F(SupervisorTest, IsTheOneThatTheEnvironmentNames) {
  setenv("NOTIFY_SOCKET", socket_.path().c_str(), 1);
  setenv("WATCHDOG_USEC", "2000000", 1);
  EXPECT_EQ(Supervisor::FromEnvironment().every(), milliseconds(500));
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(Supervisor::FromEnvironment().every(), milliseconds(500));
  Supervisor::FromEnvironment().Works(now_);
  EXPECT_EQ(socket_.Next(0), "READY=1");
}

TEST_F(SupervisorTest, AWatchdogOfAnotherProcessOrOfNoTimeIsNotOurs) {
  setenv("NOTIFY_SOCKET", socket_.path().c_str(), 1);
  setenv("WATCHDOG_USEC", "2000000", 1);
  for (const char* pid : {"1", "x"}) {
    setenv("WATCHDOG_PID", pid, 1);
    EXPECT_EQ(Supervisor::FromEnvironment().every(), Nanos::max()) << pid;
  }
  unsetenv("WATCHDOG_PID");
  for (const char* usec : {"", "0", "-5", "x", "3600000001"}) {
    setenv("WATCHDOG_USEC", usec, 1);
    EXPECT_EQ(Supervisor::FromEnvironment().every(), Nanos::max()) << usec;
  }
  setenv("WATCHDOG_USEC", "3600000000", 1);
  EXPECT_EQ(Supervisor::FromEnvironment().every(), std::chrono::minutes(15));
}

}  // namespace
}  // namespace agent::base
