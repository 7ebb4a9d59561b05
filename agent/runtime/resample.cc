#include "agent/runtime/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "agent/runtime/geometry.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

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

// What one reads of an image's pixels.
struct Pixels {
  const unsigned char* bytes = nullptr;
  uint64_t width = 0;
  bool rgb = false;
  int channel = -1;  // of rgb; -1: mono

  double At(uint64_t at) const {
    if (!rgb) return Byte(at);
    if (channel >= 0) return Byte(3 * at + static_cast<uint64_t>(channel));
    return 0.299 * Byte(3 * at) + 0.587 * Byte(3 * at + 1) + 0.114 * Byte(3 * at + 2);
  }
  double Byte(uint64_t at) const { return static_cast<double>(bytes[at]); }

  double Mean(const Box& rows, const Box& columns) const {
    const uint64_t pixels = (rows.end - rows.begin) * (columns.end - columns.begin);
    double sum = 0;
    for (uint64_t row = rows.begin; row < rows.end; ++row) {
      for (uint64_t column = columns.begin; column < columns.end; ++column) {
        sum += At(row * width + column);
      }
    }
    return sum / static_cast<double>(pixels);
  }
};

}  // namespace

float Conversion::In(double raw) const {
  return static_cast<float>(std::clamp(raw, clip_min, clip_max) * scale + offset);
}

double Conversion::Out(double raw) const {
  return std::clamp(raw * scale + offset, clip_min, clip_max);
}

ScanSectors::ScanSectors(const v1::ScanResample& shape)
    : from_rad_(shape.from_rad()),
      width_rad_((shape.to_rad() - shape.from_rad()) / static_cast<double>(shape.sectors())),
      sectors_(shape.sectors()),
      range_max_m_(static_cast<float>(shape.range_max_m())),
      nearest_m_(sectors_) {}

void ScanSectors::Assign(const v1::LaserScan& scan) {
  angle_min_rad_ = scan.angle_min_rad();
  angle_increment_rad_ = scan.angle_increment_rad();
  beams_ = static_cast<size_t>(scan.ranges_m_size());
  runs_.clear();
  for (size_t i = 0; i < beams_; ++i) {
    const double bearing = angle_min_rad_ + angle_increment_rad_ * static_cast<double>(i);
    double from_start = std::fmod(bearing - from_rad_, kTwoPi);
    if (from_start < 0) from_start += kTwoPi;
    const double found = std::floor(from_start / width_rad_);
    if (!(found < static_cast<double>(sectors_))) continue;
    const auto sector = static_cast<size_t>(found);
    const bool goes_on = !runs_.empty() && runs_.back().end == i && runs_.back().sector == sector;
    if (!goes_on) runs_.push_back({.begin = i, .end = i, .sector = sector});
    ++runs_.back().end;
  }
}

void ScanSectors::Fill(const v1::LaserScan& scan, const Conversion& conversion,
                       std::span<float> block) {
  if (static_cast<size_t>(scan.ranges_m_size()) != beams_ ||
      scan.angle_min_rad() != angle_min_rad_ ||
      scan.angle_increment_rad() != angle_increment_rad_) {
    Assign(scan);
  }
  std::fill(nearest_m_.begin(), nearest_m_.end(), range_max_m_);
  const float* ranges = scan.ranges_m().data();
  for (const Run& run : runs_) {
    float nearest = nearest_m_[run.sector];
    for (size_t i = run.begin; i < run.end; ++i) {
      // Infinite and not-a-number ranges are not below; what is not above 0 is no return.
      const float seen = ranges[i] > 0 ? ranges[i] : range_max_m_;
      nearest = seen < nearest ? seen : nearest;
    }
    nearest_m_[run.sector] = nearest;
  }
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] = conversion.In(static_cast<double>(nearest_m_[i]));
  }
}

ImageGrid::ImageGrid(const v1::ImageResample& shape, const Conversion& conversion)
    : width_(shape.width()),
      height_(shape.height()),
      rgb_(shape.color() == "rgb"),
      conversion_(conversion) {
  for (int byte = 0; byte < 256; ++byte) of_byte_.push_back(conversion_.In(byte));
}

void ImageGrid::Fill(const v1::Image& image, std::span<float> block) const {
  Pixels pixels{.bytes = reinterpret_cast<const unsigned char*>(image.data().data()),
                .width = image.width(),
                .rgb = std::string_view(image.encoding()) == "rgb8"};
  const bool as_it_is = !rgb_ && !pixels.rgb && width_ == image.width();
  if (as_it_is && height_ == image.height()) {
    for (size_t i = 0; i < block.size(); ++i) block[i] = of_byte_[pixels.bytes[i]];
    return;
  }
  size_t at = 0;
  for (int channel = 0; channel < (rgb_ ? 3 : 1); ++channel) {
    pixels.channel = rgb_ ? channel : -1;
    for (uint32_t row = 0; row < height_; ++row) {
      const Box rows = Under(row, height_, image.height());
      for (uint32_t column = 0; column < width_; ++column) {
        const Box columns = Under(column, width_, image.width());
        block[at++] = conversion_.In(pixels.Mean(rows, columns));
      }
    }
  }
}

}  // namespace agent::runtime
