#include "agent/control/observation_packet.h"

#include <string>

#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"

namespace agent::control {

absl::StatusOr<::gatekeeper::v1::Observation> ParseObservation(const base::Packet& packet) {
  constexpr size_t kMaxImageBytes = 64 << 20;
  ::gatekeeper::v1::Observation observation;
  if (!observation.ParseFromString(packet.bytes)) {
    return absl::InvalidArgumentError("the robot sent a packet that is no Observation");
  }
  if (packet.attached.valid()) {
    ASSIGN_OR_RETURN(const base::SealedView image,
                     base::SealedView::Map(packet.attached.get(), kMaxImageBytes));
    if (!observation.has_image() || !observation.image().data().empty()) {
      return absl::InvalidArgumentError("a memfd came beside an observation that needs none");
    }
    observation.mutable_image()->set_data(std::string(image.bytes()));
  }
  return observation;
}

}  // namespace agent::control
