#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <future>
#include <map>
#include <thread>

namespace tests {

// Counts the system calls of one thread of a child process, by their numbers, as a debugger sees
// them. The thread runs on, slower, until this object is done with it.
class SyscallCounter {
 public:
  // Returns once the thread is watched, or could not be (see watching).
  explicit SyscallCounter(pid_t thread) : thread_(thread) {
    std::promise<bool> seized;
    std::future<bool> ready = seized.get_future();
    // All requests must come from the thread that seized.
    tracer_ = std::thread([this, &seized] {
      const bool ok = Seize();
      seized.set_value(ok);
      if (ok) Trace();
    });
    watching_ = ready.get();
  }
  ~SyscallCounter() {
    if (tracer_.joinable()) tracer_.join();
  }

  // False where nobody may trace, as in some containers.
  bool watching() const { return watching_; }
  // Lets go of the thread at its next system call; how often it made which.
  std::map<uint64_t, int> Stop() {
    stop_ = true;
    tracer_.join();
    return counts_;
  }

 private:
  bool Seize() {
    int status = 0;
    return ptrace(PTRACE_SEIZE, thread_, nullptr, PTRACE_O_TRACESYSGOOD) == 0 &&
           ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) == 0 &&
           waitpid(thread_, &status, __WALL) == thread_ &&
           ptrace(PTRACE_SYSCALL, thread_, nullptr, nullptr) == 0;
  }
  void Trace() {
    int status = 0;
    while (waitpid(thread_, &status, __WALL) == thread_ && WIFSTOPPED(status)) {
      __ptrace_syscall_info info{};
      ptrace(PTRACE_GET_SYSCALL_INFO, thread_, sizeof(info), &info);
      if (stop_) {
        ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
        return;
      }
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY) ++counts_[info.entry.nr];
      ptrace(PTRACE_SYSCALL, thread_, nullptr, nullptr);
    }
  }

  const pid_t thread_;
  bool watching_ = false;
  std::atomic<bool> stop_ = false;
  std::map<uint64_t, int> counts_;
  std::thread tracer_;
};

}  // namespace tests
