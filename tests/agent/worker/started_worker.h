#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/sanitized.h"
#include "agent/base/sealed_memory.h"
#include "agent/base/worker_channel.h"
#include "agent/inference/onnx_runtime.h"
#include "tests/support/onnx_models.h"

namespace tests {

// Far beyond what anything here takes: only a hang comes to it.
inline constexpr agent::base::Nanos kPatience = std::chrono::seconds(60);

// The real gatekeeper-worker, started the way gatekeeper-control starts it.
class StartedWorker {
 public:
  struct Options {
    std::string library = agent::inference::DefaultLibraryPath();
    std::optional<std::string> golden;
    std::vector<std::string> more;  // of the command line
  };

  StartedWorker(int model_fd, const agent::base::ModelSignature& signature, const Options& options)
      : channel_(*agent::base::WorkerChannel::Create(signature)) {
    const agent::base::UniqueFd golden = options.golden
                                             ? *agent::base::SealBytes("golden", *options.golden)
                                             : agent::base::UniqueFd();
    pid_ = fork();
    if (pid_ == 0) Become(model_fd, golden.get(), options);
  }
  StartedWorker(const TestModel& model, const Options& options)
      : StartedWorker(agent::base::SealBytes("model", model.onnx)->get(), model.signature,
                      options) {}
  explicit StartedWorker(const TestModel& model) : StartedWorker(model, Options{}) {}
  ~StartedWorker() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  StartedWorker(const StartedWorker&) = delete;
  StartedWorker& operator=(const StartedWorker&) = delete;

  pid_t pid() const { return pid_; }
  agent::base::WorkerChannel& channel() { return channel_; }

  // Waits for the model; the worker's own words when it did not become ready.
  std::string Load() {
    for (const agent::base::Nanos until = Soon(); !LoadedOrGone();) {
      if (agent::base::SystemClock().Now() > until) return "still loading";
    }
    return Ready() ? "ready" : channel_.text();
  }
  // Waits for a moment.
  bool LoadedOrGone() {
    const agent::base::Nanos now = agent::base::SystemClock().Now();
    return channel_.WaitLoaded(now + std::chrono::milliseconds(2)) || Ended().has_value();
  }
  bool Ready() const { return channel_.state() == agent::base::WorkerState::kReady; }
  agent::base::RunOutcome Ask() { return channel_.WaitAnswer(channel_.Post(), Soon()); }

  // How it ended as waitpid tells it.
  int WaitForExit() {
    if (pid_ > 0) waitpid(std::exchange(pid_, -1), &status_, 0);
    return status_;
  }
  // The same when it has ended already; what control does then is done to the channel.
  std::optional<int> Ended() {
    if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) {
      pid_ = -1;
      channel_.Abandon();
    }
    return pid_ > 0 ? std::nullopt : std::optional(status_);
  }

 private:
  static agent::base::Nanos Soon() { return agent::base::SystemClock().Now() + kPatience; }

  [[noreturn]] void Become(int model_fd, int golden_fd, const Options& options) const {
    std::vector<std::string> words = {
        "gatekeeper-worker",           "--model-fd", std::to_string(model_fd), "--channel-fd",
        std::to_string(channel_.fd()), "--library",  options.library};
    if (golden_fd >= 0) words.insert(words.end(), {"--golden-fd", std::to_string(golden_fd)});
    words.insert(words.end(), options.more.begin(), options.more.end());
    for (const int fd : {model_fd, channel_.fd(), golden_fd}) fcntl(fd, F_SETFD, 0);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(GATEKEEPER_WORKER, arguments.data());
    _exit(127);
  }

  agent::base::WorkerChannel channel_;
  pid_t pid_ = -1;
  int status_ = 0;
};

}  // namespace tests
