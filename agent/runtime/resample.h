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
  // Beams [begin, end) that follow each other in one sector.
  struct Run {
    size_t begin = 0;
    size_t end = 0;
    size_t sector = 0;
  };
  void Assign(const gatekeeper::v1::LaserScan& scan);

  double from_rad_ = 0;
  double width_rad_ = 0;
  size_t sectors_ = 0;
  float range_max_m_ = 0;
  double angle_min_rad_ = 0;  // of the scans that runs_ are for
  double angle_increment_rad_ = 0;
  size_t beams_ = 0;
  std::vector<Run> runs_;         // of those scans, in the order of their beams
  std::vector<float> nearest_m_;  // by sector
};

// Averages the pixels under every target pixel (0..255); layout channel, row, column. mono of rgb8
// is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
class ImageGrid {
 public:
  ImageGrid(const gatekeeper::v1::ImageResample& shape, const Conversion& conversion);

  // `block` has one element a target pixel and channel.
  void Fill(const gatekeeper::v1::Image& image, std::span<float> block) const;

 private:
  uint32_t width_ = 0;
  uint32_t height_ = 0;
  bool rgb_ = false;
  Conversion conversion_;
  std::vector<float> of_byte_;  // what a pixel that is not averaged becomes
};

}  // namespace agent::runtime
