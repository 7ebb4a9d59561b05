#include "agent/client/robot_client.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"

namespace agent::client {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

Nanos Now() { return base::SystemClock().Now(); }

v1::Command StopFor(uint64_t seq, const char* why) {
  v1::Command stop;
  stop.set_seq(seq);
  stop.set_stamp_ns(Now().count());
  stop.set_stop(true);
  stop.set_state(RobotClient::kNoAnswer);
  stop.add_reasons(why);
  return stop;
}

// False when nothing can be read before `deadline`.
bool WaitReadable(int fd, Nanos deadline) {
  const Nanos left = std::max(deadline - Now(), Nanos(0));
  const timespec wait{.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
                      .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ppoll(&one, 1, &wait, nullptr) > 0;
}

// The next command of the socket; kUnavailable when none is there.
absl::StatusOr<v1::Command> ReceiveCommand(int fd, base::PacketBuffer& packet) {
  const base::PacketBuffer::Outcome outcome = packet.Receive(fd);
  if (outcome == base::PacketBuffer::Outcome::kNothingYet) {
    return absl::UnavailableError("no command is there");
  }
  if (outcome != base::PacketBuffer::Outcome::kPacket) {
    return absl::AbortedError("gatekeeper-control closed the socket or sent too much at once");
  }
  v1::Command command;
  if (!command.ParseFromArray(packet.bytes().data(), static_cast<int>(packet.bytes().size()))) {
    return absl::AbortedError("gatekeeper-control sent a packet that is no command");
  }
  return command;
}

}  // namespace

absl::StatusOr<RobotClient> RobotClient::Connect(const std::string& socket_path) {
  ASSIGN_OR_RETURN(base::UniqueFd socket, base::ConnectPackets(socket_path));
  return RobotClient(socket_path, std::move(socket));
}

bool RobotClient::Reconnect() {
  absl::StatusOr<base::UniqueFd> socket = base::ConnectPackets(path_);
  socket_ = socket.ok() ? *std::move(socket) : base::UniqueFd();
  return socket_.valid();
}

absl::Status RobotClient::Send(v1::Observation& observation) {
  base::UniqueFd image;
  if (observation.image().data().size() > kInlineImageBytes) {
    ASSIGN_OR_RETURN(image, base::SealBytes("image", observation.image().data()));
    observation.mutable_image()->clear_data();
  }
  const std::string bytes = observation.SerializeAsString();
  if (socket_.valid()) {
    const absl::Status sent = base::SendPacket(socket_.get(), bytes, image.get());
    if (sent.ok() || absl::IsInvalidArgument(sent)) return sent;
  }
  // The other side is gone, or does not read: a fresh connection has an empty queue.
  if (!Reconnect()) return absl::UnavailableError("gatekeeper-control does not listen at " + path_);
  return base::SendPacket(socket_.get(), bytes, image.get());
}

absl::StatusOr<v1::Command> RobotClient::Exchange(v1::Observation observation, Nanos wait) {
  const Nanos deadline = Now() + wait;
  const uint64_t seq = ++seq_;
  observation.set_seq(seq);
  observation.set_want_command(true);
  if (const absl::Status sent = Send(observation); !sent.ok()) {
    if (absl::IsInvalidArgument(sent)) return sent;
    return StopFor(seq, "gatekeeper-control cannot be reached");
  }
  while (WaitReadable(socket_.get(), deadline)) {
    absl::StatusOr<v1::Command> command = ReceiveCommand(socket_.get(), packet_);
    if (command.ok() && command->seq() == seq) return command;
    if (command.ok() || absl::IsUnavailable(command.status())) continue;
    socket_.reset();
    return StopFor(seq, "gatekeeper-control closed the connection");
  }
  return StopFor(seq, "no answer in time");
}

absl::Status RobotClient::Publish(v1::Observation observation) {
  observation.set_seq(++seq_);
  observation.set_want_command(false);
  return Send(observation);
}

v1::Command RobotClient::Next(Nanos wait) {
  if (!socket_.valid() && !Reconnect()) return StopFor(0, "gatekeeper-control cannot be reached");
  const Nanos deadline = Now() + wait;
  v1::Command newest;
  bool any = false;
  // Once one has come, those queued behind it are newer: take them all without waiting.
  while (WaitReadable(socket_.get(), any ? Now() : deadline)) {
    absl::StatusOr<v1::Command> command = ReceiveCommand(socket_.get(), packet_);
    if (command.ok()) {
      any = any || command->seq() == 0;
      if (command->seq() == 0) newest = *std::move(command);
    } else if (!absl::IsUnavailable(command.status())) {
      socket_.reset();  // what it said last still counts
      return any ? newest : StopFor(0, "gatekeeper-control closed the connection");
    }
  }
  return any ? newest : StopFor(0, "no command in time");
}

}  // namespace agent::client
