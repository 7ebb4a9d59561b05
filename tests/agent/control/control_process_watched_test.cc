#include "tests/agent/control/control_process.h"
#include "tests/support/notify_socket.h"

// Whoever started gatekeeper-control learns when it hangs.

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

}  // namespace
}  // namespace tests
