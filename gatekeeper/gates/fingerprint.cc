#include "gatekeeper/gates/fingerprint.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <filesystem>
#include <set>
#include <string_view>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/jpeg.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

constexpr size_t kColumns = 9;
constexpr size_t kRows = 8;
constexpr size_t kLeastDistances = 8;
constexpr uint32_t kLeastContrast = 8;
constexpr size_t kMaxJpeg = 64 << 20;

using Cells = std::array<uint32_t, kColumns * kRows>;  // mean grey, 0 to 255

std::string FourBytes(uint32_t value) {
  std::string bytes(4, '\0');
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>((value >> (8 * i)) & 0xff);
  return bytes;
}

size_t BytesPerPixel(const v1::Image& image) {
  if (image.encoding() == "rgb8") return 3;
  return image.encoding() == "mono8" ? 1 : 0;
}

// The luma of BT.601 in 8-bit fractions.
uint32_t Grey(const v1::Image& image, size_t pixel, size_t bytes) {
  const auto at = [&](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(image.data()[pixel * bytes + i]));
  };
  return bytes == 1 ? at(0) : (77 * at(0) + 150 * at(1) + 29 * at(2)) >> 8;
}

// Means of the cells whose borders are the nearest pixels; a cell has at least one.
Cells Shrink(const v1::Image& image, size_t bytes) {
  const size_t width = image.width();
  const size_t height = image.height();
  Cells cells{};
  for (size_t row = 0; row < kRows; ++row) {
    const size_t top = row * height / kRows;
    const size_t bottom = std::max(top + 1, (row + 1) * height / kRows);
    for (size_t column = 0; column < kColumns; ++column) {
      const size_t left = column * width / kColumns;
      const size_t right = std::max(left + 1, (column + 1) * width / kColumns);
      uint64_t sum = 0;
      for (size_t y = top; y < bottom; ++y) {
        for (size_t x = left; x < right; ++x) sum += Grey(image, y * width + x, bytes);
      }
      cells[row * kColumns + column] =
          static_cast<uint32_t>(sum / ((bottom - top) * (right - left)));
    }
  }
  return cells;
}

uint64_t Darker(const Cells& cells) {
  uint64_t bits = 0;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t column = 0; column + 1 < kColumns; ++column) {
      const size_t at = row * kColumns + column;
      bits = (bits << 1) | (cells[at] < cells[at + 1] ? 1U : 0U);
    }
  }
  return bits;
}

bool IsJpeg(const std::string& file) {
  const std::string extension = std::filesystem::path(file).extension().string();
  return extension == ".jpg" || extension == ".jpeg";
}

// One channel's samples; a packet carries the last ones again until there are new ones.
class Stream {
 public:
  Stream(const char* what, const FingerprintCallback& callback)
      : what_(what), callback_(callback) {}
  absl::Status Take(const std::optional<Fingerprint>& fingerprint, int64_t at_ns) {
    if (!fingerprint || (last_ && *last_ == fingerprint->content)) return absl::OkStatus();
    last_ = fingerprint->content;
    return callback_(*fingerprint, at_ns, what_);
  }

 private:
  const char* what_;
  const FingerprintCallback& callback_;
  std::optional<agent::base::Digest> last_;
};

}  // namespace

std::optional<Fingerprint> FingerprintOf(const v1::LaserScan& scan) {
  std::set<float> distances;
  std::string bytes;
  bytes.reserve(static_cast<size_t>(scan.ranges_m_size()) * 4);
  for (const float range : scan.ranges_m()) {
    if (std::isfinite(range) && distances.size() < kLeastDistances) distances.insert(range);
    bytes += FourBytes(std::bit_cast<uint32_t>(range));
  }
  if (distances.size() < kLeastDistances) return std::nullopt;
  return Fingerprint{.content = agent::trust::Sha256(bytes), .dhash = {}};
}

std::optional<Fingerprint> FingerprintOf(const v1::Image& image) {
  const size_t bytes = BytesPerPixel(image);
  const std::string& data = image.data();
  const uint64_t pixels = uint64_t{image.width()} * image.height();
  if (bytes == 0 || pixels == 0 || data.size() != pixels * bytes) return std::nullopt;
  if (data.find_first_not_of(data.front()) == std::string::npos) return std::nullopt;
  agent::trust::Sha256Stream content;
  content.Update(FourBytes(image.width()) + FourBytes(image.height()));
  content.Update(data);
  Fingerprint fingerprint{.content = content.Finish(), .dhash = {}};
  const Cells cells = Shrink(image, bytes);
  const auto [darkest, brightest] = std::minmax_element(cells.begin(), cells.end());
  if (*brightest - *darkest >= kLeastContrast) fingerprint.dhash = Darker(cells);
  return fingerprint;
}

std::string ToText(const Fingerprint& fingerprint) {
  std::string text = fingerprint.content.hex();
  if (fingerprint.dhash) text += absl::StrFormat(" dhash:%016x", *fingerprint.dhash);
  return text;
}

absl::Status ForEachFingerprint(const std::string& file,
                                const agent::recording::ChannelMap& channels,
                                const FingerprintCallback& callback) {
  if (IsJpeg(file)) {
    ASSIGN_OR_RETURN(const std::string bytes, agent::base::OsFiles().Read(file, kMaxJpeg));
    const auto image = agent::recording::DecodeJpeg(bytes);
    if (!image.ok()) {
      return absl::Status(image.status().code(),
                          absl::StrFormat("%s: %s", file, std::string(image.status().message())));
    }
    return Stream("image", callback).Take(FingerprintOf(*image), 0);
  }
  ASSIGN_OR_RETURN(const auto reader, agent::recording::ObservationReader::Open(file, channels));
  Stream scans("scan", callback);
  Stream images("image", callback);
  return reader.ForEach([&](const agent::recording::RecordedItem& item) -> absl::Status {
    const auto* observation = std::get_if<v1::Observation>(&item.content);
    if (observation == nullptr) return absl::OkStatus();
    if (observation->has_scan()) {
      RETURN_IF_ERROR(scans.Take(FingerprintOf(observation->scan()), item.log_time_ns));
    }
    if (!observation->has_image()) return absl::OkStatus();
    return images.Take(FingerprintOf(observation->image()), item.log_time_ns);
  });
}

}  // namespace gatekeeper::gates
