#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <thread>

#include "agent/base/sanitized.h"
#include "agent/worker/sandbox.h"

// Each case in a child of its own: what a sandbox takes away is gone for good.

namespace agent::worker {
namespace {

enum class Step { kLimited, kThreadless, kSealed };

constexpr int kCouldNotEnter = 90;

// How a child ends that goes as far as `step` and then does `deed`, whose result is its exit code.
int EndOf(Step step, const std::function<int()>& deed) {
  const pid_t child = fork();
  if (child == 0) {
    bool entered = LimitProcess({}).ok();
    if (step != Step::kLimited) entered = entered && ForbidThreads().ok();
    if (step == Step::kSealed) entered = entered && SealProcess().ok();
    _exit(entered ? deed() : kCouldNotEnter);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

struct Deed {
  const char* name;
  std::function<int()> deed;  // 0: it worked; else errno
};

int Errno(bool worked) { return worked ? 0 : errno; }

int StartAThread() {
  pthread_t thread{};
  return pthread_create(
      &thread, nullptr, [](void* nothing) { return nothing; }, nullptr);
}

const Deed kForbiddenWhileLoading[] = {
    {"Socket", [] { return Errno(socket(AF_INET, SOCK_STREAM, 0) >= 0); }},
    {"LocalSocket", [] { return Errno(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0); }},
    {"SocketPair",
     [] {
       int pair[2];
       return Errno(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
     }},
    {"Fork", [] { return Errno(fork() >= 0); }},
    {"Exec",
     [] {
       execl("/bin/true", "true", nullptr);
       return errno;
     }},
    {"SignalToTheParent", [] { return Errno(kill(getppid(), 0) == 0); }},
    {"OpenForWriting", [] { return Errno(open("/tmp", O_WRONLY | O_TMPFILE, 0600) >= 0); }},
    {"OpenForReadingAndWriting", [] { return Errno(open("/dev/null", O_RDWR) >= 0); }},
    {"Create",
     [] { return Errno(open("/tmp/gatekeeper-sandbox", O_RDONLY | O_CREAT, 0600) >= 0); }},
    {"Unlink", [] { return Errno(unlink("/tmp/gatekeeper-no-such-file") == 0); }},
    {"Rename", [] { return Errno(rename("/tmp/gatekeeper-a", "/tmp/gatekeeper-b") == 0); }},
    {"MakeFolder", [] { return Errno(mkdir("/tmp/gatekeeper-sandbox", 0700) == 0); }}};

class LoadingTest : public testing::TestWithParam<Deed> {};

TEST_P(LoadingTest, RefusesIt) {
  if (base::kSanitized) GTEST_SKIP() << "no filter under a sanitizer";
  const int status = EndOf(Step::kLimited, GetParam().deed);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), EPERM);
}

TEST_P(LoadingTest, IsKilledForItOnceSealed) {
  if (base::kSanitized) GTEST_SKIP() << "no filter under a sanitizer";
  const int status = EndOf(Step::kSealed, GetParam().deed);
  // Of the two filters' answers the kernel takes the more severe.
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

INSTANTIATE_TEST_SUITE_P(Each, LoadingTest, testing::ValuesIn(kForbiddenWhileLoading),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SandboxTest, LetsALibraryReadAndMapWhileItLoads) {
  const int status = EndOf(Step::kThreadless, [] {
    const int fd = open("/proc/self/maps", O_RDONLY);
    char byte = 0;
    if (fd < 0 || read(fd, &byte, 1) != 1) return errno;
    return Errno(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                 MAP_FAILED);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(SandboxTest, StartsTheLoadingThreadAndNoOther) {
  if (base::kSanitized) GTEST_SKIP() << "a sanitizer starts threads of its own";
  const int before = EndOf(Step::kLimited, StartAThread);
  EXPECT_TRUE(WIFEXITED(before) && WEXITSTATUS(before) == 0) << before;
  const int after = EndOf(Step::kThreadless, StartAThread);
  EXPECT_TRUE(WIFEXITED(after) && WEXITSTATUS(after) == EPERM) << after;
}

const Deed kForbiddenOnceSealed[] = {
    {"Open", [] { return Errno(open("/proc/self/maps", O_RDONLY) >= 0); }},
    {"Thread", StartAThread},
    {"ExecutableMemory",
     [] {
       return Errno(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                         0) != MAP_FAILED);
     }},
    {"WriteElsewhere", [] { return Errno(write(7, "x", 1) == 1); }},
    {"RaisedLimit",
     [] {
       const rlimit more{.rlim_cur = 100, .rlim_max = 100};
       return Errno(setrlimit(RLIMIT_NOFILE, &more) == 0);
     }},
    {"Device", [] { return Errno(syscall(SYS_ioctl, 0, 0, 0) == 0); }}};

class SealedTest : public testing::TestWithParam<Deed> {};

TEST_P(SealedTest, IsKilledForIt) {
  if (base::kSanitized) GTEST_SKIP() << "no filter under a sanitizer";
  const int status = EndOf(Step::kSealed, GetParam().deed);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

INSTANTIATE_TEST_SUITE_P(Each, SealedTest, testing::ValuesIn(kForbiddenOnceSealed),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SandboxTest, ComputesOnWithinItsMemoryOnceSealed) {
  const int status = EndOf(Step::kSealed, [] {
    volatile double sum = 0;
    for (int i = 0; i < 1000; ++i) sum = sum + i;
    void* memory = malloc(1 << 20);
    free(memory);
    return sum > 1000 && memory != nullptr ? 0 : 1;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(SandboxTest, BoundsTheProcessorTimeOfLoadingButNotOfServing) {
  const auto spin = [](int seconds) {
    rusage used{};
    do {
      getrusage(RUSAGE_SELF, &used);
    } while (used.ru_utime.tv_sec + used.ru_stime.tv_sec < seconds);
    return 0;
  };
  const pid_t child = fork();
  if (child == 0) _exit(LimitProcess({.load_cpu_s = 1}).ok() ? spin(10) : kCouldNotEnter);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) << status;

  const pid_t serving = fork();
  if (serving == 0) {
    const bool sealed = LimitProcess({.load_cpu_s = 1}).ok() && SealProcess().ok();
    const clock_t end = clock() + 2 * CLOCKS_PER_SEC;  // by clock_gettime, which is allowed
    while (clock() < end) {
    }
    _exit(sealed ? 0 : kCouldNotEnter);
  }
  waitpid(serving, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace agent::worker
