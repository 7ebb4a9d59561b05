#include "tests/e2e/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "agent/base/unique_fd.h"

namespace tests {
namespace {

using agent::base::Nanos;
using agent::base::UniqueFd;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

// vfork: fork would run gRPC's handlers in a process that has its threads. The child only makes
// system calls.
pid_t Spawn(const Launch& launch, int out, int err) {
  std::vector<char*> words;
  for (const std::string& word : launch.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const rlimit files{launch.largest_file, launch.largest_file};
  const pid_t pid = vfork();
  if (pid < 0) Die("vfork");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (launch.largest_file > 0) {
    signal(SIGXFSZ, SIG_IGN);  // the write shall fail, as it does on a full disk
    setrlimit(RLIMIT_FSIZE, &files);
  }
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execv(words[0], words.data());
  _exit(127);
}

int CodeOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// Appends what is there; false at the end.
bool ReadSome(int fd, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t n = read(fd, buffer.data(), buffer.size());
  if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
  return n > 0;
}

// Reads until both ends are closed; false when that takes too long.
bool ReadBoth(const std::array<UniqueFd, 2>& fds, std::array<std::string, 2>& texts) {
  const Nanos until = Now() + kPatience;
  std::array<pollfd, 2> waits = {{{fds[0].get(), POLLIN, 0}, {fds[1].get(), POLLIN, 0}}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    if (Now() > until) return false;
    poll(waits.data(), waits.size(), 100);
    for (size_t i = 0; i < waits.size(); ++i) {
      const bool told = waits[i].fd >= 0 && waits[i].revents != 0;
      if (told && !ReadSome(waits[i].fd, texts[i])) waits[i].fd = -1;
    }
  }
  return true;
}

}  // namespace

bool Eventually(const std::function<bool()>& holds, Nanos patience) {
  const Nanos until = Now() + patience;
  while (!holds()) {
    if (Now() > until) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

void Process::Start() {
  const UniqueFd log(open(launch_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) Die(launch_.log.c_str());
  pid_ = Spawn(launch_, log.get(), log.get());
}

std::optional<int> Process::Reap(bool block) {
  if (pid_ < 0) return code_;
  int status = 0;
  if (waitpid(pid_, &status, block ? 0 : WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  code_ = CodeOf(status);
  return code_;
}

void Process::Kill9() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  Reap(true);
}

int Process::Terminate() {
  if (pid_ >= 0) kill(pid_, SIGTERM);
  return Wait().value_or(-1);
}

std::optional<int> Process::Wait() {
  Eventually([this] { return Reap(false).has_value(); });
  return Reap(false);
}

bool Process::running() { return !Reap(false).has_value(); }

std::string Process::Log() const { return ReadWhole(launch_.log); }

Finished RunProgram(const std::vector<std::string>& words) {
  std::array<UniqueFd, 2> ours;
  std::array<UniqueFd, 2> theirs;
  for (size_t i = 0; i < ours.size(); ++i) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) Die("pipe");
    ours[i].reset(ends[0]);
    theirs[i].reset(ends[1]);
  }
  const pid_t pid =
      Spawn({.words = words, .log = {}, .largest_file = 0}, theirs[0].get(), theirs[1].get());
  for (UniqueFd& fd : theirs) fd.reset();
  std::array<std::string, 2> texts;
  if (!ReadBoth(ours, texts)) {
    kill(pid, SIGKILL);
    texts[1] += "(hung, and was killed by the test)\n";
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return {CodeOf(status), texts[0], texts[1]};
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteWhole(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) Die(path.c_str());
}

}  // namespace tests

// gRPC's own threads outlive main() and still hold OpenSSL's state of a thread then.
extern "C" const char* __lsan_default_suppressions() { return "leak:libcrypto.so\n"; }
