#include "gatekeeper/server/robot_stream.h"

#include "gatekeeper/server/peer.h"

namespace gatekeeper::server {

RobotStream::RobotStream(Hub& hub, std::string robot) : hub_(hub), robot_(std::move(robot)) {
  const std::lock_guard lock(hub_.mutex);
  const absl::StatusOr<uint64_t> connection = hub_.core.OnConnected(robot_, hub_.Now());
  if (!connection.ok()) {
    End(ToGrpc(connection.status()));
    return;
  }
  connection_ = *connection;
  RobotStream*& place = hub_.robots[robot_];
  // A robot that lost its link comes back before the old connection is known to be dead.
  if (place != nullptr) place->End({grpc::StatusCode::ABORTED, "a newer connection took over"});
  place = this;
  hub_.Deliver();
  StartRead(&incoming_);
}

void RobotStream::Send(const v1::ServerMessage& message) {
  if (message.has_recall()) recall_ = message.recall();
  if (message.has_desired()) desired_ = message.desired();
  if (message.has_acknowledge()) acknowledge_ = message.acknowledge();
  if (message.has_rearm()) rearm_ = message.rearm();
  if (message.has_event_ack()) acks_.push_back(message.event_ack().id());
  if (message.has_heartbeat()) heartbeat_ = true;
  Write();
}

bool RobotStream::NextMessage() {
  writing_message_.Clear();
  if (recall_) {  // first: the unit that a robot leaves must not become what it falls back to
    *writing_message_.mutable_recall() = *std::move(recall_);
    recall_.reset();
  } else if (desired_) {  // a way back must not wait behind acknowledgements
    *writing_message_.mutable_desired() = *std::move(desired_);
    desired_.reset();
  } else if (acknowledge_) {
    *writing_message_.mutable_acknowledge() = *std::move(acknowledge_);
    acknowledge_.reset();
  } else if (rearm_) {
    *writing_message_.mutable_rearm() = *std::move(rearm_);
    rearm_.reset();
  } else if (heartbeat_) {
    writing_message_.mutable_heartbeat();
    heartbeat_ = false;
  } else if (!acks_.empty()) {
    writing_message_.mutable_event_ack()->set_id(acks_.front());
    acks_.pop_front();
  } else {
    return false;
  }
  return true;
}

void RobotStream::Write() {
  if (writing_ || ended_ || !NextMessage()) return;
  writing_ = true;
  StartWrite(&writing_message_);
}

void RobotStream::End(const grpc::Status& status) {
  if (ended_) return;
  ended_ = true;
  Finish(status);
}

void RobotStream::OnReadDone(bool ok) {
  const std::lock_guard lock(hub_.mutex);
  if (!ok) return End(grpc::Status::OK);
  if (ended_) return;
  if (incoming_.has_observed()) hub_.core.OnObserved(robot_, incoming_.observed(), hub_.Now());
  if (incoming_.has_event()) hub_.core.OnEvent(robot_, incoming_.event(), hub_.Now());
  hub_.Deliver();
  if (!ended_) StartRead(&incoming_);
}

void RobotStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(hub_.mutex);
  writing_ = false;
  if (ok) Write();
}

void RobotStream::OnCancel() {
  const std::lock_guard lock(hub_.mutex);
  End(grpc::Status::CANCELLED);
}

void RobotStream::OnDone() {
  {
    const std::lock_guard lock(hub_.mutex);
    const auto place = hub_.robots.find(robot_);
    if (place != hub_.robots.end() && place->second == this) hub_.robots.erase(place);
    if (connection_ != 0) hub_.core.OnDisconnected(robot_, connection_, hub_.Now());
  }
  delete this;
}

}  // namespace gatekeeper::server
