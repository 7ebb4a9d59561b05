#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "agent/base/unique_fd.h"
#include "agent/lifecycle/porter.h"
#include "proto/fleet.pb.h"

namespace agent::daemon {

// What other threads tell the one that drives the agent.
struct LinkOpened {};
struct LinkClosed {
  std::string why;  // for people; also when a connection was tried in vain
};
struct ServerSaid {
  gatekeeper::v1::ServerMessage message;
};
struct TaskDone {
  lifecycle::Task task;
  absl::Status outcome;
};
using Mail = std::variant<LinkOpened, LinkClosed, ServerSaid, TaskDone>;

// Any thread posts; one thread polls fd() for reading and takes everything.
class Mailbox {
 public:
  Mailbox();
  void Post(Mail mail);
  std::vector<Mail> TakeAll();
  int fd() const { return event_.get(); }

 private:
  base::UniqueFd event_;  // eventfd: readable while there is mail
  std::mutex mutex_;
  std::vector<Mail> mail_;
};

}  // namespace agent::daemon
