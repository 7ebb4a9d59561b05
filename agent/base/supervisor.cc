#include "agent/base/supervisor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"

namespace agent::base {
namespace {

// A lost or late word must not end a process that works.
constexpr int kWordsPerWatchdog = 4;

std::string_view FromEnv(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

Nanos WatchdogFromEnv() {
  int64_t pid = getpid();
  int64_t usec = 0;
  const std::string_view whose = FromEnv("WATCHDOG_PID");
  const std::string_view time = FromEnv("WATCHDOG_USEC");
  // What was meant for a parent of ours is left to it.
  if (!whose.empty() && !absl::SimpleAtoi(absl::string_view(whose.data(), whose.size()), &pid)) {
    return Nanos{0};
  }
  constexpr int64_t kLongest = int64_t{3600} * 1'000'000;
  const bool told = absl::SimpleAtoi(absl::string_view(time.data(), time.size()), &usec);
  if (!told || usec <= 0 || usec > kLongest || pid != getpid()) return Nanos{0};
  return std::chrono::microseconds(usec);
}

}  // namespace

Supervisor::Supervisor(std::string_view socket, Nanos watchdog) {
  const bool named = socket.starts_with('/') || socket.starts_with('@');
  if (!named || socket.size() >= sizeof(address_.sun_path)) return;
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, socket.data(), socket.size());
  if (socket[0] == '@') address_.sun_path[0] = '\0';
  address_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (watchdog > Nanos{0}) every_ = watchdog / kWordsPerWatchdog;
}

Supervisor Supervisor::FromEnvironment() { return {FromEnv("NOTIFY_SOCKET"), WatchdogFromEnv()}; }

void Supervisor::Works(Nanos now) {
  if (!fd_.valid()) return;
  if (!ready_) ready_ = Say("READY=1");
  if (every_ == Nanos::max() || now < next_) return;
  if (Say("WATCHDOG=1")) next_ = now + every_;
}

bool Supervisor::Say(std::string_view words) const {
  return sendto(fd_.get(), words.data(), words.size(), MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&address_),
                address_size_) == static_cast<ssize_t>(words.size());
}

}  // namespace agent::base
