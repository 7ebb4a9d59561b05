#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

// Nearest valid return of every sector; a sector without one reads range_max_m. Sectors of equal
// width go from `from_rad` counter-clockwise to `to_rad`. Remembers which beam belongs to which
// sector while the scans' angles stay. One thread.
class ScanSectors {
 public:
  explicit ScanSectors(const gatekeeper::v1::ScanResample& shape);

  // `block` has one element a sector.
  void Fill(const gatekeeper::v1::LaserScan& scan, const Conversion& conversion,
            std::span<float> block);

 private:
  void Assign(const gatekeeper::v1::LaserScan& scan);

  double from_rad_ = 0;
  double width_rad_ = 0;
  size_t sectors_ = 0;
  float range_max_m_ = 0;
  double angle_min_rad_ = 0;  // of the scans that sector_of_ is for
  double angle_increment_rad_ = 0;
  std::vector<uint32_t> sector_of_;  // by beam; sectors_: none
  std::vector<float> nearest_m_;     // by sector, and one for the beams that belong to none
};

// Averages the pixels under every target pixel (0..255); layout channel, row, column. mono of rgb8
// is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
void ResampleImage(const gatekeeper::v1::Image& image, const gatekeeper::v1::ImageResample& shape,
                   const Conversion& conversion, std::span<float> block);

}  // namespace agent::runtime
