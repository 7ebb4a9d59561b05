#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "tests/agent/control/control_process.h"
#include "tests/support/notify_socket.h"

// Whoever started gatekeeper-control learns when it hangs, and deploy/supervise starts it again.

namespace tests {
namespace {

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

class SupervisedTest : public ControlProcessTest {
 protected:
  SupervisedTest() {
    End(SIGTERM);
    Start({"deploy/supervise", "--watchdog", "2", "control", log_});
  }
  ~SupervisedTest() override {
    if (const pid_t control = Control(); control > 0) kill(control, SIGCONT);
    End(SIGTERM);
  }
  // -1: none at the moment.
  pid_t Control() const {
    const std::vector<pid_t> started = Workers();
    return started.size() == 1 ? started[0] : -1;
  }
  // The one that was started in place of `before`.
  pid_t ControlAfter(pid_t before) const {
    const Nanos until = Now() + kPatience;
    while (Now() < until) {
      if (const pid_t now = Control(); now > 0 && now != before) return now;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return -1;
  }
  std::string Log() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::string log_ = folder_ / "control.log";
};

TEST_F(SupervisedTest, AControlThatHangsIsKilledAndStartedAgainAndOneThatAnswersIsLeftAlone) {
  const pid_t first = Control();
  ASSERT_GT(first, 0);
  for (int i = 0; i < 80; ++i) Step();  // twice as long as it may be silent
  EXPECT_EQ(Control(), first);
  EXPECT_EQ(Log().find("silent"), std::string::npos) << Log();

  kill(first, SIGSTOP);
  robot_.reset();
  agent_.reset();
  EXPECT_GT(ControlAfter(first), 0);
  Connect();
  EXPECT_NE(Step().state(), RobotClient::kNoAnswer);
  EXPECT_THAT(Log(), ::testing::HasSubstr("control is silent; killing it\n"
                                          "supervise: control ended with 137; starting it again"));
}

TEST_F(SupervisedTest, AControlThatEndsIsStartedAgainAndEndsWithItsSupervisor) {
  const pid_t first = Control();
  ASSERT_GT(first, 0);
  kill(first, SIGKILL);
  robot_.reset();
  agent_.reset();
  const pid_t second = ControlAfter(first);
  ASSERT_GT(second, 0);
  Connect();
  EXPECT_NE(Step().state(), RobotClient::kNoAnswer);

  const int status = End(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(kill(second, 0), -1) << "it is gone too";
}

TEST_F(SupervisedTest, AControlThatHangsDoesNotKeepItsSupervisorFromEnding) {
  const pid_t hangs = Control();
  ASSERT_GT(hangs, 0);
  kill(hangs, SIGSTOP);

  const int status = End(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(kill(hangs, 0), -1) << "it is gone too";
  EXPECT_THAT(Log(), ::testing::HasSubstr("control does not end; killing it\n"));
}

}  // namespace
}  // namespace tests
