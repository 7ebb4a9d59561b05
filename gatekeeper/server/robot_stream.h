#pragma once

#include <deque>
#include <optional>
#include <string>

#include "gatekeeper/server/hub.h"
#include "grpcpp/support/server_callback.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::server {

// One robot's AgentLink.Connect. Deletes itself when gRPC is done with it. All state is under the
// hub's lock. What waits to be written is bounded: one desired state (the newest), one heartbeat,
// one acknowledgement, one re-arm, and the acknowledgements of events the robot sent.
class RobotStream final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::ServerMessage> {
 public:
  // Ends at once when the core does not know the robot.
  RobotStream(Hub& hub, std::string robot);

  // Hold the lock.
  void Send(const v1::ServerMessage& message);
  void End(const grpc::Status& status);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  bool NextMessage();
  void Write();

  Hub& hub_;
  const std::string robot_;
  uint64_t connection_ = 0;
  bool ended_ = false;
  bool writing_ = false;
  v1::AgentMessage incoming_;
  v1::ServerMessage writing_message_;
  std::optional<v1::Recall> recall_;
  std::optional<v1::DesiredState> desired_;
  std::optional<v1::Acknowledge> acknowledge_;
  std::optional<v1::Rearm> rearm_;
  std::deque<uint64_t> acks_;
  bool heartbeat_ = false;
};

}  // namespace gatekeeper::server
