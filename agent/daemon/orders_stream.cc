#include "agent/daemon/orders_stream.h"

#include <utility>

namespace agent::daemon {

void OrdersStream::Start(gatekeeper::v1::AgentLink::Stub& stub) {
  {
    const std::lock_guard lock(mutex_);
    open_ = true;
    held_ = true;
  }
  stub.async()->Connect(&context_, this);
  AddHold();
  StartRead(&incoming_);
  StartCall();
}

absl::Status OrdersStream::Send(const gatekeeper::v1::AgentMessage& message) {
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return absl::UnavailableError("the stream to the gatekeeper is closed");
    if (message.has_observed()) {
      observed_ = message;
    } else {
      events_.push_back(message);
    }
    if (writing_ || !NextToWrite()) return absl::OkStatus();
  }
  // Not under the lock: gRPC may call back from inside. writing_ keeps others out.
  StartWrite(&outgoing_);
  return absl::OkStatus();
}

bool OrdersStream::NextToWrite() {
  if (observed_) {
    outgoing_ = *std::exchange(observed_, std::nullopt);
  } else if (!events_.empty()) {
    outgoing_ = std::move(events_.front());
    events_.pop_front();
  } else {
    return false;
  }
  writing_ = true;
  return true;
}

bool OrdersStream::MayLetGo() {
  if (open_ || writing_ || !held_) return false;
  held_ = false;
  return true;
}

void OrdersStream::OnReadDone(bool ok) {
  if (ok) {
    callbacks_.on_message(std::exchange(incoming_, {}));
    StartRead(&incoming_);
    return;
  }
  bool let_go = false;
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
    let_go = MayLetGo();
  }
  if (let_go) RemoveHold();
}

void OrdersStream::OnWriteDone(bool ok) {
  bool more = false;
  bool let_go = false;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) open_ = false;  // the read side learns of it as well
    more = open_ && NextToWrite();
    let_go = MayLetGo();
  }
  if (more) StartWrite(&outgoing_);
  if (let_go) RemoveHold();
}

void OrdersStream::OnDone(const grpc::Status& status) {
  const auto on_done = callbacks_.on_done;  // this may be gone before the call returns
  on_done(status);
}

}  // namespace agent::daemon
