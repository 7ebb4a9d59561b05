#include "agent/runtime/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr double kTwoPi = 6.28318530717958647693;

// Source pixels [begin, end) under target pixel `i`; at least one.
struct Box {
  uint64_t begin = 0;
  uint64_t end = 0;
};
Box Under(uint32_t i, uint32_t target, uint32_t source) {
  const uint64_t begin = uint64_t{i} * source / target;
  const uint64_t end = (uint64_t{i} + 1) * source / target;
  return {begin, std::max(end, begin + 1)};
}

double Pixel(const v1::Image& image, uint64_t at, bool rgb_source, int channel) {
  const auto byte = [&](uint64_t i) {
    return static_cast<double>(static_cast<unsigned char>(image.data()[i]));
  };
  if (!rgb_source) return byte(at);
  if (channel >= 0) return byte(3 * at + static_cast<uint64_t>(channel));
  return 0.299 * byte(3 * at) + 0.587 * byte(3 * at + 1) + 0.114 * byte(3 * at + 2);
}

double BoxMean(const v1::Image& image, Box rows, Box columns, int channel) {
  const bool rgb_source = image.encoding() == "rgb8";
  double sum = 0;
  for (uint64_t row = rows.begin; row < rows.end; ++row) {
    for (uint64_t column = columns.begin; column < columns.end; ++column) {
      sum += Pixel(image, row * image.width() + column, rgb_source, channel);
    }
  }
  return sum / static_cast<double>((rows.end - rows.begin) * (columns.end - columns.begin));
}

}  // namespace

float Conversion::In(double raw) const {
  return static_cast<float>(std::clamp(raw, clip_min, clip_max) * scale + offset);
}

double Conversion::Out(double raw) const {
  return std::clamp(raw * scale + offset, clip_min, clip_max);
}

void ResampleScan(const v1::LaserScan& scan, const v1::ScanResample& shape,
                  const Conversion& conversion, std::span<float> block) {
  const auto range_max = static_cast<float>(shape.range_max_m());
  std::fill(block.begin(), block.end(), range_max);
  const double width = (shape.to_rad() - shape.from_rad()) / static_cast<double>(block.size());
  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const float range = scan.ranges_m(i);
    if (!(std::isfinite(range) && range > 0)) continue;
    const double bearing = scan.angle_min_rad() + scan.angle_increment_rad() * i;
    double from_start = std::fmod(bearing - shape.from_rad(), kTwoPi);
    if (from_start < 0) from_start += kTwoPi;
    const double sector = std::floor(from_start / width);
    if (!(sector < static_cast<double>(block.size()))) continue;
    float& nearest = block[static_cast<size_t>(sector)];
    nearest = std::min(nearest, range);
  }
  for (float& value : block) value = conversion.In(static_cast<double>(value));
}

void ResampleImage(const v1::Image& image, const v1::ImageResample& shape,
                   const Conversion& conversion, std::span<float> block) {
  const bool rgb = shape.color() == "rgb";
  size_t at = 0;
  for (int channel = 0; channel < (rgb ? 3 : 1); ++channel) {
    for (uint32_t row = 0; row < shape.height(); ++row) {
      const Box rows = Under(row, shape.height(), image.height());
      for (uint32_t column = 0; column < shape.width(); ++column) {
        const Box columns = Under(column, shape.width(), image.width());
        block[at++] = conversion.In(BoxMean(image, rows, columns, rgb ? channel : -1));
      }
    }
  }
}

}  // namespace agent::runtime
