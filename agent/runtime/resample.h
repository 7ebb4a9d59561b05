#pragma once

#include <span>

#include "proto/robot.pb.h"
#include "proto/unit.pb.h"

namespace agent::runtime {

// value = clip(raw, clip_min, clip_max) * scale + offset for inputs,
// value = clip(raw * scale + offset, clip_min, clip_max) for outputs.
struct Conversion {
  double clip_min = 0;
  double clip_max = 0;
  double scale = 1;
  double offset = 0;

  float In(double raw) const;
  double Out(double raw) const;
};

// Nearest valid return of every sector; a sector without one reads range_max_m. `block` has
// `shape.sectors()` elements, from `from_rad` counter-clockwise to `to_rad`.
void ResampleScan(const gatekeeper::v1::LaserScan& scan, const gatekeeper::v1::ScanResample& shape,
                  const Conversion& conversion, std::span<float> block);

// Averages the pixels under every target pixel (0..255); layout channel, row, column. mono of rgb8
// is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
void ResampleImage(const gatekeeper::v1::Image& image, const gatekeeper::v1::ImageResample& shape,
                   const Conversion& conversion, std::span<float> block);

}  // namespace agent::runtime
