#include "agent/recording/jpeg.h"

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <string>

// libjpeg's header needs stdio before it.
#include <jpeglib.h>

#include "absl/strings/str_format.h"

namespace agent::recording {
namespace {

constexpr uint64_t kMostPixelBytes = 64ull << 20;
constexpr int kRgb = 3;

// libjpeg reports by callback and cannot return from a fatal one.
struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf fatal;
  char text[JMSG_LENGTH_MAX];
};

void OnFatal(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  errors->manager.format_message(info, errors->text);
  std::longjmp(errors->fatal, 1);
}

// Damage that libjpeg would paint over in grey: a sensor frame that is partly invented is no
// evidence.
void OnMessage(j_common_ptr info, int level) {
  if (level < 0) OnFatal(info);
}

enum class Step { kDone, kFailed, kTooLarge };

// Holds no object with a destructor: a longjmp passes through it.
Step Decode(std::string_view bytes, jpeg_decompress_struct& info, Errors& errors,
            std::string& pixels) {
  if (setjmp(errors.fatal) != 0) return Step::kFailed;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  if (uint64_t{info.image_width} * info.image_height * kRgb > kMostPixelBytes)
    return Step::kTooLarge;
  jpeg_start_decompress(&info);
  const size_t row = size_t{info.output_width} * kRgb;
  pixels.resize(row * info.output_height);
  while (info.output_scanline < info.output_height) {
    auto* line = reinterpret_cast<JSAMPROW>(pixels.data() + row * info.output_scanline);
    jpeg_read_scanlines(&info, &line, 1);
  }
  jpeg_finish_decompress(&info);
  return Step::kDone;
}

}  // namespace

absl::StatusOr<::gatekeeper::v1::Image> DecodeJpeg(std::string_view bytes) {
  jpeg_decompress_struct info{};
  Errors errors{};
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = OnFatal;
  errors.manager.emit_message = OnMessage;
  std::string pixels;
  const Step step = Decode(bytes, info, errors, pixels);
  const uint32_t width = info.image_width;
  const uint32_t height = info.image_height;
  jpeg_destroy_decompress(&info);
  if (step == Step::kTooLarge)
    return absl::ResourceExhaustedError(
        absl::StrFormat("a JPEG of %d x %d pixels is larger than the %d bytes allowed", width,
                        height, kMostPixelBytes));
  if (step == Step::kFailed)
    return absl::DataLossError(absl::StrFormat("a JPEG does not decode: %s", errors.text));
  ::gatekeeper::v1::Image image;
  image.set_width(width);
  image.set_height(height);
  image.set_encoding("rgb8");
  image.set_data(std::move(pixels));
  return image;
}

}  // namespace agent::recording
