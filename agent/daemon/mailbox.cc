#include "agent/daemon/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace agent::daemon {

Mailbox::Mailbox() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Mailbox::Post(Mail mail) {
  {
    const std::lock_guard lock(mutex_);
    mail_.push_back(std::move(mail));
  }
  // Can only fail when 2^64 posts wait, and then it is readable anyway.
  [[maybe_unused]] const int failed = eventfd_write(event_.get(), 1);
}

std::vector<Mail> Mailbox::TakeAll() {
  eventfd_t posts = 0;
  [[maybe_unused]] const int failed = eventfd_read(event_.get(), &posts);  // EAGAIN: none waits
  const std::lock_guard lock(mutex_);
  return std::exchange(mail_, {});
}

}  // namespace agent::daemon
