#pragma once

#include "absl/status/statusor.h"
#include "agent/base/packet_socket.h"
#include "proto/robot.pb.h"

namespace agent::control {

// An Observation as it comes from the robot's socket; an image sent beside the packet as a sealed
// memfd is put into its place. kInvalidArgument: not an observation, or the image's descriptor is
// not a sealed memfd of at most 64 MiB.
absl::StatusOr<::gatekeeper::v1::Observation> ParseObservation(const base::Packet& packet);

}  // namespace agent::control
