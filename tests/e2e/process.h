#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/sanitized.h"

// Real programs as the tests of this folder need them: started, killed, started again, listened to.

namespace tests {

// Sanitizers make programs three times slower; the logic under test stays as strict.
inline constexpr int kSlowdown = agent::base::kSanitized ? 3 : 1;

// Only a hang comes to this.
inline constexpr agent::base::Nanos kPatience = std::chrono::seconds(60) * kSlowdown;

inline constexpr auto kLook = std::chrono::milliseconds(10);
inline agent::base::Nanos Now() { return agent::base::SystemClock().Now(); }

// Looks every few milliseconds; false when `patience` ran out.
bool Eventually(const std::function<bool()>& holds, agent::base::Nanos patience = kPatience);

struct Launch {
  std::vector<std::string> words;  // the program's path, then its arguments
  std::string log;                 // standard output and error are appended to this file
  size_t largest_file = 0;         // bytes; a write beyond it fails, as on a full disk. 0: no limit
};

// One program that can be started again and again. It dies with this object, and with the test.
// Call from the test's main thread: the kernel binds a child's life to the thread that started it.
class Process {
 public:
  explicit Process(Launch launch) : launch_(std::move(launch)) {}
  ~Process() { Kill9(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Start();
  void Kill9();               // and waits until it is gone
  int Terminate();            // SIGTERM; its exit code, 128 + signal when it was killed
  std::optional<int> Wait();  // its exit code; nothing when it still runs after kPatience
  bool running();
  pid_t pid() const { return pid_; }
  std::string Log() const;
  Launch& launch() { return launch_; }

 private:
  std::optional<int> Reap(bool block);

  Launch launch_;
  pid_t pid_ = -1;
  int code_ = -1;
};

struct Finished {
  int code = -1;  // 128 + signal when killed
  std::string out;
  std::string err;
};

// Runs a program to its end. One that hangs is killed.
Finished RunProgram(const std::vector<std::string>& words);

std::string ReadWhole(const std::string& path);  // empty when it cannot be read
void WriteWhole(const std::string& path, const std::string& bytes);

}  // namespace tests
