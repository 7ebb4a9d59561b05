#include "gatekeeper/faults/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "gatekeeper/faults/severity.h"

namespace gatekeeper::faults {
namespace {

// A picture as numbers from 0 to 255.
class Pixels {
 public:
  explicit Pixels(v1::Image& image)
      : data_(*image.mutable_data()),
        width_(image.width()),
        height_(image.height()),
        planes_(image.encoding() == "rgb8" ? 3 : 1) {
    usable_ = width_ > 0 && height_ > 0 && data_.size() == uint64_t{width_} * height_ * planes_;
  }
  bool usable() const { return usable_; }
  int width() const { return static_cast<int>(width_); }
  int height() const { return static_cast<int>(height_); }
  int planes() const { return static_cast<int>(planes_); }

  double Get(int x, int y, int plane) const {
    return static_cast<double>(static_cast<uint8_t>(data_[Index(x, y, plane)]));
  }
  void Set(int x, int y, int plane, double value) {
    data_[Index(x, y, plane)] =
        static_cast<char>(static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L)));
  }
  // Every value becomes change(value, x, y).
  template <class Fn>
  void Map(const Fn& change) {
    if (!usable_) return;
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) {
        for (int plane = 0; plane < planes(); ++plane)
          Set(x, y, plane, change(Get(x, y, plane), x, y));
      }
    }
  }

 private:
  size_t Index(int x, int y, int plane) const {
    return (static_cast<size_t>(y) * width_ + static_cast<size_t>(x)) * planes_ +
           static_cast<size_t>(plane);
  }
  std::string& data_;
  uint32_t width_;
  uint32_t height_;
  uint32_t planes_;
  bool usable_ = false;
};

// The mean over 2 * reach + 1 values of a line, which goes on beyond its ends as it ends.
void Smear(std::vector<double>& line, int reach) {
  const std::vector<double> before = line;
  const int last = static_cast<int>(line.size()) - 1;
  for (int i = 0; i <= last; ++i) {
    double sum = 0;
    for (int d = -reach; d <= reach; ++d)
      sum += before[static_cast<size_t>(std::clamp(i + d, 0, last))];
    line[static_cast<size_t>(i)] = sum / (2 * reach + 1);
  }
}

// cos(k pi / 16) for k = 0 to 8.
constexpr double kCos[] = {1,
                           0.98078528040323044913,
                           0.92387953251128675613,
                           0.83146961230254523708,
                           0.70710678118654752440,
                           0.55557023301960222474,
                           0.38268343236508977173,
                           0.19509032201612826785,
                           0};

double CosOfSixteenths(int k) {
  k %= 32;
  if (k > 16) k = 32 - k;
  return k <= 8 ? kCos[k] : -kCos[16 - k];
}

// The orthonormal discrete cosine transform of 8 numbers, or back.
std::array<double, 8> Cosines(const std::array<double, 8>& in, bool back) {
  std::array<double, 8> out{};
  for (int a = 0; a < 8; ++a) {
    for (int b = 0; b < 8; ++b) {
      const int frequency = back ? b : a;
      const int place = back ? a : b;
      const double scale = frequency == 0 ? kCos[4] / 2 : 0.5;
      out[static_cast<size_t>(a)] +=
          in[static_cast<size_t>(b)] * scale * CosOfSixteenths((2 * place + 1) * frequency);
    }
  }
  return out;
}

// Table K.1 of ITU-T T.81, by row.
constexpr int kQuantisation[] = {16,  11,  10,  16,  24, 40, 51,  61,  12,  12,  14,  19,  26,
                                 58,  60,  55,  14,  13, 16, 24,  40,  57,  69,  56,  14,  17,
                                 22,  29,  51,  87,  80, 62, 18,  22,  37,  56,  68,  109, 103,
                                 77,  24,  35,  55,  64, 81, 104, 113, 92,  49,  64,  78,  87,
                                 103, 121, 120, 101, 72, 92, 95,  98,  112, 100, 103, 99};

using Block = std::array<std::array<double, 8>, 8>;

Block Transposed(const Block& block) {
  Block out{};
  for (size_t i = 0; i < 8; ++i) {
    for (size_t j = 0; j < 8; ++j) out[j][i] = block[i][j];
  }
  return out;
}

Block Transformed(Block block, bool back) {
  for (auto& row : block) row = Cosines(row, back);
  block = Transposed(block);
  for (auto& row : block) row = Cosines(row, back);
  return Transposed(block);
}

// What a JPEG of this quality keeps of a block.
Block Quantised(const Block& block, int quality) {
  const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  Block waves = Transformed(block, false);
  for (size_t i = 0; i < 64; ++i) {
    const double step = std::clamp((kQuantisation[i] * scale + 50) / 100, 1, 255);
    double& wave = waves[i / 8][i % 8];
    wave = static_cast<double>(std::lround(wave / step)) * step;
  }
  return Transformed(waves, true);
}

}  // namespace

void PixelNoise(int severity, Draws& draws, v1::Image& image) {
  const double sigma = 255 * At({0.08, 0.12, 0.18, 0.26, 0.38}, severity);
  Pixels(image).Map([&](double value, int, int) { return value + sigma * draws.Normal(); });
}

// Three means over a window come near to a Gaussian of the sigma that the window is made for
// (Kovesi, DICTA 2010).
void Blur(int severity, Draws&, v1::Image& image) {
  Pixels pixels(image);
  if (!pixels.usable()) return;
  const int reach = static_cast<int>(At({1, 2, 3, 4, 6}, severity));
  for (int plane = 0; plane < pixels.planes(); ++plane) {
    for (int y = 0; y < pixels.height(); ++y) {
      std::vector<double> line;
      for (int x = 0; x < pixels.width(); ++x) line.push_back(pixels.Get(x, y, plane));
      for (int i = 0; i < 3; ++i) Smear(line, reach);
      for (int x = 0; x < pixels.width(); ++x)
        pixels.Set(x, y, plane, line[static_cast<size_t>(x)]);
    }
    for (int x = 0; x < pixels.width(); ++x) {
      std::vector<double> line;
      for (int y = 0; y < pixels.height(); ++y) line.push_back(pixels.Get(x, y, plane));
      for (int i = 0; i < 3; ++i) Smear(line, reach);
      for (int y = 0; y < pixels.height(); ++y)
        pixels.Set(x, y, plane, line[static_cast<size_t>(y)]);
    }
  }
}

void Brighten(int severity, Draws&, v1::Image& image) {
  const double more = 255 * At({0.1, 0.2, 0.3, 0.4, 0.5}, severity);
  Pixels(image).Map([&](double value, int, int) { return value + more; });
}

void Flatten(int severity, Draws&, v1::Image& image) {
  const double left = At({0.4, 0.3, 0.2, 0.1, 0.05}, severity);
  double sum = 0;
  double count = 0;
  Pixels(image).Map([&](double value, int, int) {
    sum += value;
    ++count;
    return value;
  });
  const double mean = count > 0 ? sum / count : 0;
  Pixels(image).Map([&](double value, int, int) { return mean + left * (value - mean); });
}

// The loss of a JPEG: blocks of 8 x 8, quantised. What it does to colours apart is left out.
void Compress(int severity, Draws&, v1::Image& image) {
  Pixels pixels(image);
  if (!pixels.usable()) return;
  const int quality = static_cast<int>(At({25, 18, 15, 10, 7}, severity));
  const int right = pixels.width() - 1;
  const int bottom = pixels.height() - 1;
  for (int plane = 0; plane < pixels.planes(); ++plane) {
    for (int y0 = 0; y0 <= bottom; y0 += 8) {
      for (int x0 = 0; x0 <= right; x0 += 8) {
        Block block{};
        for (int i = 0; i < 64; ++i) {
          block[static_cast<size_t>(i / 8)][static_cast<size_t>(i % 8)] =
              pixels.Get(std::min(x0 + i % 8, right), std::min(y0 + i / 8, bottom), plane) - 128;
        }
        block = Quantised(block, quality);
        for (int i = 0; i < 64; ++i) {
          if (x0 + i % 8 > right || y0 + i / 8 > bottom) continue;
          pixels.Set(x0 + i % 8, y0 + i / 8, plane,
                     block[static_cast<size_t>(i / 8)][static_cast<size_t>(i % 8)] + 128);
        }
      }
    }
  }
}

// Round dark spots until their share of the picture is reached.
void Soil(int severity, Draws& draws, v1::Image& image) {
  Pixels pixels(image);
  if (!pixels.usable()) return;
  const double share = At({0.04, 0.08, 0.15, 0.25, 0.40}, severity);
  const int size = std::max(2, std::min(pixels.width(), pixels.height()) / 12);
  std::vector<char> soiled(static_cast<size_t>(pixels.width()) *
                           static_cast<size_t>(pixels.height()));
  size_t dark = 0;
  while (static_cast<double>(dark) < share * static_cast<double>(soiled.size())) {
    const int cx = static_cast<int>(draws.Below(static_cast<uint64_t>(pixels.width())));
    const int cy = static_cast<int>(draws.Below(static_cast<uint64_t>(pixels.height())));
    for (int y = std::max(0, cy - size); y < std::min(pixels.height(), cy + size); ++y) {
      for (int x = std::max(0, cx - size); x < std::min(pixels.width(), cx + size); ++x) {
        if ((x - cx) * (x - cx) + (y - cy) * (y - cy) >= size * size) continue;
        char& place = soiled[static_cast<size_t>(y) * static_cast<size_t>(pixels.width()) +
                             static_cast<size_t>(x)];
        dark += place == 0 ? 1 : 0;
        place = 1;
      }
    }
  }
  pixels.Map([&](double value, int x, int y) {
    const bool dirty = soiled[static_cast<size_t>(y) * static_cast<size_t>(pixels.width()) +
                              static_cast<size_t>(x)] != 0;
    return dirty ? 20 + value / 8 : value;
  });
}

// A light in the upper half that outshines all around it.
void Flare(int severity, Draws& draws, v1::Image& image) {
  Pixels pixels(image);
  if (!pixels.usable()) return;
  const double reach = At({0.15, 0.25, 0.35, 0.50, 0.70}, severity) * pixels.width();
  const double cx = draws.Unit() * pixels.width();
  const double cy = draws.Unit() * pixels.height() / 2;
  pixels.Map([&](double value, int x, int y) {
    const double far = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (reach * reach);
    return far >= 1 ? value : value + 400 * (1 - far);
  });
}

void Shake(int severity, Draws& draws, v1::Image& image) {
  Pixels pixels(image);
  if (!pixels.usable()) return;
  const double most = At({1, 2, 4, 6, 10}, severity);
  for (int y = 0; y < pixels.height(); ++y) {
    const auto shift = static_cast<int>(std::lround((2 * draws.Unit() - 1) * most));
    for (int plane = 0; plane < pixels.planes(); ++plane) {
      std::vector<double> line;
      for (int x = 0; x < pixels.width(); ++x)
        line.push_back(pixels.Get(std::clamp(x + shift, 0, pixels.width() - 1), y, plane));
      for (int x = 0; x < pixels.width(); ++x)
        pixels.Set(x, y, plane, line[static_cast<size_t>(x)]);
    }
  }
}

void Scale(double factor, v1::Image& image) {
  Pixels(image).Map([&](double value, int, int) { return value * factor; });
}

void MirrorImage(v1::Image& image) {
  Pixels pixels(image);
  if (!pixels.usable()) return;
  for (int y = 0; y < pixels.height(); ++y) {
    for (int x = 0; x < pixels.width() / 2; ++x) {
      for (int plane = 0; plane < pixels.planes(); ++plane) {
        const double left = pixels.Get(x, y, plane);
        pixels.Set(x, y, plane, pixels.Get(pixels.width() - 1 - x, y, plane));
        pixels.Set(pixels.width() - 1 - x, y, plane, left);
      }
    }
  }
}

}  // namespace gatekeeper::faults
