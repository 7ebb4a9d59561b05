#pragma once

#include <sys/un.h>

#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/unique_fd.h"

namespace agent::base {

// Tells whoever started this process that it still does its work, by the protocol of sd_notify(3):
// datagrams to the unix socket $NOTIFY_SOCKET, "READY=1" once and "WATCHDOG=1" four times in each
// $WATCHDOG_USEC. A process that falls silent is ended and started again. One thread; a supervisor
// that does not read holds nobody up.
class Supervisor {
 public:
  Supervisor() = default;  // nobody listens
  // `socket`: a path, or a name beginning with @; empty: nobody. `watchdog`: 0 when only READY is
  // waited for.
  Supervisor(std::string_view socket, Nanos watchdog);
  // What systemd left in the environment for this process.
  static Supervisor FromEnvironment();

  // Call after each piece of work that counts, and only then.
  void Works(Nanos now);
  // How often at least Works must be called; the longest time there is when nobody watches.
  Nanos every() const { return every_; }

 private:
  bool Say(std::string_view words) const;

  UniqueFd fd_;
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  bool ready_ = false;
  Nanos every_ = Nanos::max();
  Nanos next_{};
};

}  // namespace agent::base
