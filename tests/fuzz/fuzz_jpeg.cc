#include <cstdio>
// libjpeg needs stdio before it.
#include <jpeglib.h>

#include <cstdlib>

#include "agent/recording/jpeg.h"
#include "tests/fuzz/target.h"

// Pictures of a recording, as a camera's driver packed them.

// A header of some bytes may claim 64 MiB of pixels; libjpeg's own tables come on top, which for a
// progressive picture are two bytes a coefficient.
const fuzz::Allowance fuzz::kAllowance{.base_bytes = 128u << 20, .per_input_byte = 1'024};

namespace {

std::string Picture(int side, bool colour, bool progressive) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = info.image_height = static_cast<JDIMENSION>(side);
  info.input_components = colour ? 3 : 1;
  info.in_color_space = colour ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  std::string row(static_cast<size_t>(side) * (colour ? 3 : 1), '\0');
  for (int y = 0; y < side; ++y) {
    for (size_t x = 0; x < row.size(); ++x) row[x] = static_cast<char>(7 * x + 13 * y);
    JSAMPROW line = reinterpret_cast<JSAMPROW>(row.data());
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  std::string picture(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return picture;
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  return {Picture(16, true, false), Picture(9, false, false), Picture(24, true, true)};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto image = agent::recording::DecodeJpeg(fuzz::Text(data, size));
  if (!image.ok()) {
    fuzz::Check(image.status().code() == absl::StatusCode::kDataLoss ||
                    image.status().code() == absl::StatusCode::kResourceExhausted,
                "neither damage nor too much");
    return 0;
  }
  fuzz::Check(image->encoding() == "rgb8", "no rgb8");
  fuzz::Check(image->data().size() == size_t{3} * image->width() * image->height(),
              "pixels that do not add up");
  return 0;
}
