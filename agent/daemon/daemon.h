#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/daemon/bulk_link.h"
#include "agent/daemon/control_socket.h"
#include "agent/daemon/credentials.h"
#include "agent/daemon/gatekeeper_link.h"
#include "agent/daemon/mailbox.h"
#include "agent/daemon/orders_link.h"
#include "agent/daemon/porter_thread.h"
#include "agent/lifecycle/agent.h"

namespace agent::daemon {

struct DaemonOptions {
  std::string state;   // state folder, of an enrolled robot
  std::string server;  // host:port of the gatekeeper's agents port
  Nanos report_every = std::chrono::seconds(1);
  uint64_t reserve_bytes = 64 << 20;  // stay free on the state folder's disk
};

// The agent with its surroundings: threads, sockets, time. Make it, Run it on one thread, destroy
// it.
class Daemon {
 public:
  // Errors are the journal's. `files` and `clock` outlive it.
  static absl::StatusOr<std::unique_ptr<Daemon>> Make(DaemonOptions options, base::Files& files,
                                                      const base::Clock& clock);

  // Until `stop_fd` becomes readable.
  absl::Status Run(int stop_fd);

 private:
  Daemon(DaemonOptions options, base::Files& files, const base::Clock& clock,
         std::unique_ptr<lifecycle::Journal> journal);

  void TakeMail(Nanos now);
  void TakeReports(Nanos now);
  void FindControl(Nanos now);
  void WatchLink(Nanos now);
  void MoveTasks(Nanos now);
  // Logged when it is not what was said last.
  void SayLink(const std::string& text);
  absl::Status Wait(int stop_fd, Nanos until, bool& stop);

  const DaemonOptions options_;
  const base::Clock& clock_;
  std::unique_ptr<lifecycle::Journal> journal_;
  lifecycle::UnitStore store_;
  CredentialStore credentials_;
  ControlSocket control_;
  Mailbox mailbox_;
  BulkLink bulk_;
  OrdersLink orders_;
  GrpcGatekeeperLink gatekeeper_;
  lifecycle::Porter porter_;
  PorterThread porter_thread_;
  std::unique_ptr<lifecycle::Agent> agent_;

  std::string link_said_;
  bool control_there_ = false;
  Nanos control_try_at_{};
  bool link_open_ = false;
  Nanos heard_at_{};  // the gatekeeper's last word, or when the link was opened
  std::optional<lifecycle::Task> under_way_;
};

}  // namespace agent::daemon
