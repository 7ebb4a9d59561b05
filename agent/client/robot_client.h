#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/packet_socket.h"
#include "agent/base/unique_fd.h"
#include "proto/robot.pb.h"

namespace agent::client {

// What a robot's own program links: observations in, commands out, over gatekeeper-control's
// robot.sock. One thread. Whatever happens on the other side, Exchange comes back in time with
// something that is safe to drive.
class RobotClient {
 public:
  // kUnavailable: gatekeeper-control is not there (yet). Later losses are healed by Exchange
  // itself.
  static absl::StatusOr<RobotClient> Connect(const std::string& socket_path);

  // Sends `observation` asking for a command and waits for the answer to just this one, at most
  // `wait`. Without an answer in time, or without a connection: a command with `stop` set, no
  // values and state NO_ANSWER. `seq` of the observation is set here; images of more than
  // kInlineImageBytes travel as a memfd. kInvalidArgument: the observation is too large to send.
  absl::StatusOr<gatekeeper::v1::Command> Exchange(gatekeeper::v1::Observation observation,
                                                   base::Nanos wait);

  // Sends channels that arrived between two exchanges. kUnavailable: not connected or queue full;
  // the observation is lost, as a late one would be.
  absl::Status Publish(gatekeeper::v1::Observation observation);

  // The newest command that nobody asked for (gatekeeper-control ticks by itself when the robot is
  // silent), waiting at most `wait`. Like Exchange, a stop with state NO_ANSWER if there is none.
  gatekeeper::v1::Command Next(base::Nanos wait);

  bool connected() const { return socket_.valid(); }

  static constexpr size_t kInlineImageBytes = 64 * 1024;
  static constexpr char kNoAnswer[] = "NO_ANSWER";

 private:
  RobotClient(std::string path, base::UniqueFd socket)
      : path_(std::move(path)), socket_(std::move(socket)) {}
  bool Reconnect();
  absl::Status Send(gatekeeper::v1::Observation& observation);

  std::string path_;
  base::UniqueFd socket_;
  base::PacketBuffer packet_;  // kept: a fresh one is 192 KiB of new pages
  uint64_t seq_ = 0;
};

}  // namespace agent::client
