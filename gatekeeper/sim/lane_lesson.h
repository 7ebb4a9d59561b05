#pragma once

#include <cstdint>
#include <string>

#include "gatekeeper/sim/robot.h"

namespace gatekeeper::sim {

// What the tug of policies/lane sees through its camera. The paint is 10 cm wide; left is positive.
struct LaneView {
  double offset_m = 0;       // of the paint from the tug's middle, at the tug
  double heading_rad = 0;    // of the paint against the tug
  double curvature_1pm = 0;  // of the paint
  double contrast = 1;       // 0: leaves or snow, no paint to be seen
  uint64_t seed = 1;         // of the camera's noise
};

inline constexpr size_t kLaneWidth = 80;  // pixels, as policies/lane/card.yaml asks for
inline constexpr size_t kLaneHeight = 30;

// kLaneHeight rows of grey bytes, the farthest first.
std::string LanePicture(const LaneView& view);

// What should be done: towards the paint three metres ahead, and no faster than 0.5 m/s2 sideways
// allow. Without paint: straight on at a creep.
Twist FollowLane(const LaneView& view, double speed_mps);

// The ONNX file of a model that has learned FollowLane from LanePicture: five small networks on the
// picture's 16 x 5 block means and the speed. It says their mean command, their mean confidence
// that there is paint, and how far they disagree about the turn (a standard deviation).
std::string TrainLaneModel();

}  // namespace gatekeeper::sim
