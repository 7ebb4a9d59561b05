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
#include "absl/strings/str_join.h"

namespace agent::control {
namespace {

// Where the worker finds its descriptors, above the three standard ones.
constexpr int kModelFd = 3;
constexpr int kChannelFd = 4;
constexpr int kGoldenFd = 5;

std::string ErrnoText(int error) { return std::generic_category().message(error); }

// Files and signals of the child: only its descriptors, and no signal blocked or ignored.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&files_);
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

  void Give(const base::UniqueFd& fd, int target) {
    posix_spawn_file_actions_adddup2(&files_, fd.get(), target);
  }

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

void AppendName(std::string* out, base::ExecutionProvider provider) {
  out->append(base::NameOf(provider));
}

// A copy above the target numbers, so that no dup2 can close what another still needs.
base::UniqueFd CopyAbove(int fd) {
  return base::UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kGoldenFd + 1));
}

std::vector<std::string> CommandLine(const WorkerProgram& program, const WorkerJob& job) {
  std::vector<std::string> words = {program.path, "--model-fd", std::to_string(kModelFd),
                                    "--channel-fd", std::to_string(kChannelFd)};
  const auto add = [&words](const char* name, const std::string& value) {
    words.insert(words.end(), {name, value});
  };
  if (job.golden_fd >= 0) add("--golden-fd", std::to_string(kGoldenFd));
  if (!program.library.empty()) add("--library", program.library);
  if (program.memory_mib > 0) add("--memory-mib", std::to_string(program.memory_mib));
  if (!job.providers.empty()) add("--providers", absl::StrJoin(job.providers, ",", AppendName));
  return words;
}

}  // namespace

absl::StatusOr<WorkerProcess> WorkerProcess::Start(const WorkerProgram& program,
                                                   const WorkerJob& job) {
  const base::UniqueFd model = CopyAbove(job.model_fd);
  const base::UniqueFd channel = CopyAbove(job.channel_fd);
  const base::UniqueFd golden = job.golden_fd < 0 ? base::UniqueFd() : CopyAbove(job.golden_fd);
  if (!model.valid() || !channel.valid() || (job.golden_fd >= 0 && !golden.valid())) {
    return absl::ResourceExhaustedError("no file descriptor left for a worker");
  }
  SpawnSettings settings;
  settings.Give(model, kModelFd);
  settings.Give(channel, kChannelFd);
  if (golden.valid()) settings.Give(golden, kGoldenFd);
  std::vector<std::string> words = CommandLine(program, job);
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
