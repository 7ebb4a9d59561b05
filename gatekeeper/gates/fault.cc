#include "gatekeeper/gates/fault.h"

#include "absl/strings/str_format.h"

namespace gatekeeper::gates {
namespace {

void Drop(const std::string& channel, v1::Observation& observation) {
  if (channel == "scan") observation.clear_scan();
  if (channel == "odom") observation.clear_odom();
  if (channel == "image") observation.clear_image();
  if (channel == "imu") observation.clear_imu();
  if (channel == "joints") observation.clear_joints();
  observation.mutable_signals()->erase(channel);
}

}  // namespace

std::string Text(const Fault& fault) {
  switch (fault.kind) {
    case Fault::Kind::kNone:
      return "as recorded";
    case Fault::Kind::kDropChannel:
      return absl::StrFormat("drop:%s from %d to %d", fault.channel, fault.onset_ns,
                             fault.until_ns);
    case Fault::Kind::kLinkDown:
      return absl::StrFormat("link_down from %d to %d", fault.onset_ns, fault.until_ns);
  }
  return "";
}

void Apply(const Fault& fault, int64_t now_ns, v1::Observation& observation) {
  if (!fault.Hurts(now_ns)) return;
  if (fault.kind == Fault::Kind::kDropChannel) Drop(fault.channel, observation);
  if (fault.kind == Fault::Kind::kLinkDown) observation.set_network_up(false);
}

}  // namespace gatekeeper::gates
