#include "gatekeeper/resim/pgm_image.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::resim {
namespace {

constexpr uint32_t kMostDigits = 9;  // of a number; fits into 32 bits

absl::Status Wrong(const std::string& file, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", file, what));
}

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Header {
 public:
  Header(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  // Blanks and comments, which run to the end of their line, and then a number.
  absl::StatusOr<uint32_t> Number(const char* what) {
    while (at_ < bytes_.size() && (IsBlank(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#') {
        at_ = bytes_.find('\n', at_);
        if (at_ == std::string_view::npos) at_ = bytes_.size();
      } else {
        ++at_;
      }
    }
    uint32_t value = 0;
    uint32_t digits = 0;
    for (; at_ < bytes_.size() && IsDigit(bytes_[at_]); ++at_) {
      if (++digits > kMostDigits) return Wrong(file_, absl::StrFormat("its %s is too large", what));
      value = value * 10 + static_cast<uint32_t>(bytes_[at_] - '0');
    }
    if (digits == 0)
      return Wrong(file_, absl::StrFormat("it ends or breaks off where its %s should stand", what));
    return value;
  }

  // What stands behind the one blank after the last number.
  absl::StatusOr<std::string_view> Rest() const {
    if (at_ >= bytes_.size() || !IsBlank(bytes_[at_]))
      return Wrong(file_, "a blank must follow the header");
    return bytes_.substr(at_ + 1);
  }

 private:
  std::string_view bytes_;
  const std::string& file_;
  size_t at_ = 2;  // behind the magic
};

}  // namespace

absl::StatusOr<PgmImage> ReadPgm(std::string_view bytes, const std::string& file,
                                 uint64_t most_pixels) {
  if (bytes.substr(0, 2) != "P5") {
    return Wrong(file,
                 "it is no binary PGM image (P5); `convert map.png map.pgm` makes one of a PNG");
  }
  Header header(bytes, file);
  PgmImage image;
  ASSIGN_OR_RETURN(image.columns, header.Number("width"));
  ASSIGN_OR_RETURN(image.rows, header.Number("height"));
  ASSIGN_OR_RETURN(image.most, header.Number("largest value"));
  ASSIGN_OR_RETURN(image.pixels, header.Rest());
  const uint64_t pixels = uint64_t{image.columns} * image.rows;
  if (pixels == 0) return Wrong(file, "it has no pixels");
  if (image.most < 1 || image.most > 255) {
    return Wrong(file,
                 absl::StrFormat("its largest value is %d; one byte a pixel, 1 to 255, is read",
                                 image.most));
  }
  if (pixels > most_pixels) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%s: %d x %d pixels; at most %d are read", file, image.columns, image.rows, most_pixels));
  }
  if (image.pixels.size() != pixels) {
    return Wrong(file, absl::StrFormat("%d x %d pixels are announced and %d bytes follow",
                                       image.columns, image.rows, image.pixels.size()));
  }
  return image;
}

std::string WritePgm(const PgmImage& image) {
  return absl::StrFormat("P5\n%d %d\n%d\n", image.columns, image.rows, image.most) +
         std::string(image.pixels);
}

}  // namespace gatekeeper::resim
