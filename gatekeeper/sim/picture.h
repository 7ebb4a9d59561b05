#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gatekeeper::sim {

// How much of the pixel from `at` to `at` + `size` the stretch from `from` to `to` covers: 0 to 1.
double Covered(double at, double size, double from, double to);

// A grey byte of `grey` (0 to 1, clamped).
char GreyByte(double grey);

struct PictureBlock {
  size_t rows = 0;
  size_t columns = 0;
};

// The mean of each block of a picture of grey bytes, 0 to 1, row by row: what ONNX AveragePool
// makes of it. Width and height are whole blocks.
std::vector<float> BlockMeans(const std::string& picture, size_t width, const PictureBlock& block);

}  // namespace gatekeeper::sim
