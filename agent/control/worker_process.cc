#include "agent/control/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"

namespace agent::control {
namespace {

// Where the worker finds its two descriptors, above the three standard ones.
constexpr int kModelFd = 3;
constexpr int kChannelFd = 4;

std::string ErrnoText(int error) { return std::generic_category().message(error); }

// Files and signals of the child: only the two descriptors, and no signal blocked or ignored.
class SpawnSettings {
 public:
  SpawnSettings(int model_fd, int channel_fd) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_adddup2(&files_, model_fd, kModelFd);
    posix_spawn_file_actions_adddup2(&files_, channel_fd, kChannelFd);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

absl::StatusOr<WorkerProcess> WorkerProcess::Start(const WorkerProgram& program, int model_fd,
                                                   int channel_fd) {
  // Copies above the target numbers, so that neither dup2 can close what the other still needs.
  const base::UniqueFd model(fcntl(model_fd, F_DUPFD_CLOEXEC, kChannelFd + 1));
  const base::UniqueFd channel(fcntl(channel_fd, F_DUPFD_CLOEXEC, kChannelFd + 1));
  if (!model.valid() || !channel.valid()) {
    return absl::ResourceExhaustedError("no file descriptor left for a worker");
  }
  const SpawnSettings settings(model.get(), channel.get());
  std::vector<std::string> words = {program.path, "--model-fd", std::to_string(kModelFd),
                                    "--channel-fd", std::to_string(kChannelFd)};
  if (!program.library.empty()) words.insert(words.end(), {"--library", program.library});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.path.c_str(), settings.files(), settings.attributes(),
                                arguments.data(), environ);
  if (error != 0) {
    const std::string text = absl::StrFormat("start %s: %s", program.path, ErrnoText(error));
    return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
  }
  base::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const int why = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return absl::UnimplementedError("pidfd_open (Linux 5.3 or later): " + ErrnoText(why));
  }
  return WorkerProcess(pid, std::move(pidfd));
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

WorkerProcess::~WorkerProcess() {
  if (pid_ < 0) return;
  Kill();
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void WorkerProcess::Kill() const {
  if (pid_ > 0) kill(pid_, SIGKILL);
}

std::optional<std::string> WorkerProcess::Reap() {
  int status = 0;
  if (pid_ < 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  if (WIFSIGNALED(status)) return absl::StrFormat("killed by signal %d", WTERMSIG(status));
  return absl::StrFormat("exited with code %d", WEXITSTATUS(status));
}

}  // namespace agent::control
