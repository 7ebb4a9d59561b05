#include "gatekeeper/gates/fault.h"

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

void Apply(const Fault& fault, int64_t now_ns, v1::Observation& observation) {
  if (!fault.Hurts(now_ns)) return;
  if (fault.kind == Fault::Kind::kDropChannel) Drop(fault.channel, observation);
  if (fault.kind == Fault::Kind::kLinkDown) observation.set_network_up(false);
}

}  // namespace gatekeeper::gates
