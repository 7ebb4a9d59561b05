#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "gatekeeper/ingest/transform.h"
#include "proto/robot.pb.h"

namespace gatekeeper::ingest {

inline constexpr uint32_t kMostBeams = 4096;  // of a scan that is made here

// Brings a scan from its sensor's frame into the body frame, where scan zones, the follow-the-gap
// controller and rebuilt worlds take it to be. A robot's own program must do the same before it
// sends a scan to Gatekeeper: what a model sees here is then what it sees there.
//   Nearer to the body's origin than a millimetre: every range stays as it is. angle_min is shifted
//     by the sensor's heading, by full turns so that the middle beam looks into (-pi, pi].
//   Upside down: the beams change their order first, and then run counter-clockwise again.
//   Elsewhere: a new scan of the same increment all around, with a beam straight ahead, beam by
//     beam the nearest return. Every return stands in the beam nearest to its bearing from the
//     body, and between the returns of two neighbouring beams every beam has the nearer one: what
//     lies between them is not known, and the nearer one is the safe guess. A beam that saw nothing
//     leaves nothing; what the sensor could not see is no return (0). A return closer to the body's
//     origin than a millimetre is a millimetre away.
// The sensor's height is not asked, nor how far the robot drove while the sensor turned.
// kInvalidArgument: the sensor is tilted by more than kLeastUpright allows. kDataLoss: moved scans
// of more than kMostBeams beams, before or after, or without an increment.
absl::Status MountScan(const FlatTransform& sensor, v1::LaserScan& scan);

}  // namespace gatekeeper::ingest
