#include "agent/daemon/control_socket.h"

#include "agent/base/packet_socket.h"
#include "agent/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace agent::daemon {
namespace {

namespace v1 = ::gatekeeper::v1;

}  // namespace

absl::Status ControlSocket::Connect() {
  ASSIGN_OR_RETURN(fd_, base::ConnectPackets(path_));
  return absl::OkStatus();
}

absl::Status ControlSocket::Send(const v1::ControlOrder& order) {
  if (!fd_.valid()) return absl::UnavailableError("gatekeeper-control is not there");
  return base::SendPacket(fd_.get(), order.SerializeAsString());
}

absl::StatusOr<std::vector<v1::ControlReport>> ControlSocket::Receive() {
  std::vector<v1::ControlReport> reports;
  while (fd_.valid()) {
    const absl::StatusOr<base::Packet> packet = base::ReceivePacket(fd_.get());
    if (absl::IsUnavailable(packet.status())) break;
    if (absl::IsInvalidArgument(packet.status())) continue;  // longer than any packet of ours
    if (!packet.ok()) {
      fd_.reset();
      // What came before the end still counts; the next call tells of the end.
      if (reports.empty()) return absl::AbortedError(std::string(packet.status().message()));
      break;
    }
    v1::ControlReport report;
    if (report.ParseFromString(packet->bytes)) {
      reports.push_back(std::move(report));
    } else {
      spdlog::warn("a report of gatekeeper-control does not parse: is it another version?");
    }
  }
  if (!fd_.valid() && reports.empty()) return absl::AbortedError("gatekeeper-control is gone");
  return reports;
}

}  // namespace agent::daemon
