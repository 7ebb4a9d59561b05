#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gatekeeper::resim {

// A grey picture: rows from the top, `most` is white.
struct PgmImage {
  uint32_t columns = 0;
  uint32_t rows = 0;
  uint32_t most = 255;
  std::string_view pixels;  // one byte each; into the text that was read
};

// Binary PGM ("P5", https://netpbm.sourceforge.net/doc/pgm.html) of one byte a pixel, as ROS's
// map_saver writes it. kInvalidArgument names the file and what is wrong, kResourceExhausted more
// than `most_pixels`.
absl::StatusOr<PgmImage> ReadPgm(std::string_view bytes, const std::string& file,
                                 uint64_t most_pixels);

std::string WritePgm(const PgmImage& image);

}  // namespace gatekeeper::resim
