#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/daemon/backoff.h"
#include "agent/daemon/credentials.h"
#include "agent/daemon/mailbox.h"
#include "agent/daemon/orders_stream.h"

namespace agent::daemon {

// Keeps the orders stream to the gatekeeper open from a thread of its own: connects, waits longer
// and longer when that fails, renews the certificate when two thirds of its life are over (and
// connects again with the new one). Tells the mailbox what happens.
class OrdersLink {
 public:
  OrdersLink(std::string address, CredentialStore& credentials, const base::Clock& clock,
             Mailbox& mailbox);
  ~OrdersLink();

  // Never blocks. kUnavailable while there is no stream.
  absl::Status Send(const gatekeeper::v1::AgentMessage& message);
  // Gives up the present stream, which carries nothing any more, and connects anew.
  void Reconnect(const std::string& why);

 private:
  void Run();
  // One connection from the first try to its end; the answer says why it ended. True: it was open.
  bool Connect(std::string& why);
  // Waits until the stream is done; meanwhile renews the certificate when it is time.
  grpc::Status AwaitEnd(gatekeeper::v1::AgentLink::Stub& stub);
  absl::Status Renew(gatekeeper::v1::AgentLink::Stub& stub);
  bool WaitForChannel(grpc::Channel& channel);

  const std::string address_;
  CredentialStore& store_;
  const base::Clock& clock_;
  Mailbox& mailbox_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::shared_ptr<OrdersStream> stream_;  // the open one; its functions are called without the
                                          // lock, because gRPC may call back from inside
  std::optional<grpc::Status> ended_;
  std::string given_up_;             // why we ended it ourselves
  int64_t renew_not_before_ms_ = 0;  // wall time; only its thread looks. A clock that is far off
                                     // must not make every connection begin with a renewal
  std::thread thread_;               // last: it uses all of the above
};

}  // namespace agent::daemon
