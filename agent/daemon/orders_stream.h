#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "proto/fleet.grpc.pb.h"

namespace agent::daemon {

// One AgentLink.Connect call. Its callbacks come on gRPC's threads. Destroy it only after
// `on_done`.
class OrdersStream final
    : public grpc::ClientBidiReactor<gatekeeper::v1::AgentMessage, gatekeeper::v1::ServerMessage> {
 public:
  struct Callbacks {
    std::function<void(gatekeeper::v1::ServerMessage)> on_message;
    std::function<void(const grpc::Status&)> on_done;  // the last thing this object does
  };
  explicit OrdersStream(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void Start(gatekeeper::v1::AgentLink::Stub& stub);
  // Any thread; never blocks. Of observed states that wait, only the newest is sent. kUnavailable:
  // the stream has ended.
  absl::Status Send(const gatekeeper::v1::AgentMessage& message);
  // Any thread; on_done follows soon.
  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  // With mutex_ held: moves the next message to outgoing_; the caller then starts the write.
  bool NextToWrite();
  // Writes begin on other threads, so gRPC is asked to wait for us; once nobody can write any more,
  // it need not. With mutex_ held: true once, for the one who then calls RemoveHold.
  bool MayLetGo();

  const Callbacks callbacks_;
  grpc::ClientContext context_;
  gatekeeper::v1::ServerMessage incoming_;
  gatekeeper::v1::AgentMessage outgoing_;  // gRPC's while writing_

  std::mutex mutex_;
  bool open_ = false;
  bool writing_ = false;
  bool held_ = false;
  std::optional<gatekeeper::v1::AgentMessage> observed_;
  std::deque<gatekeeper::v1::AgentMessage> events_;
};

}  // namespace agent::daemon
