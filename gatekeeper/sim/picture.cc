#include "gatekeeper/sim/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace gatekeeper::sim {

double Covered(double at, double size, double from, double to) {
  return std::clamp((std::min(at + size, to) - std::max(at, from)) / size, 0.0, 1.0);
}

char GreyByte(double grey) {
  return static_cast<char>(std::lround(255 * std::clamp(grey, 0.0, 1.0)));
}

std::vector<float> BlockMeans(const std::string& picture, size_t width, const PictureBlock& block) {
  const size_t across = width / block.columns;
  const float share = 1.0F / static_cast<float>(255 * block.rows * block.columns);
  std::vector<float> means(picture.size() / (block.rows * block.columns), 0.0F);
  for (size_t i = 0; i < picture.size(); ++i) {
    const size_t at = i / width / block.rows * across + i % width / block.columns;
    means[at] += static_cast<float>(static_cast<uint8_t>(picture[i])) * share;
  }
  return means;
}

}  // namespace gatekeeper::sim
