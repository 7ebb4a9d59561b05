#include "tests/support/importers/archive.h"

#include <zlib.h>

#include <cstdint>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"

namespace tests {
namespace {

constexpr size_t kMostBytes = 1u << 30;
constexpr size_t kBlock = 512;

using GzipFile = agent::base::Handle<gzFile_s, gzclose>;

// A number of a tar header: octal digits, ended by a space or NUL.
absl::StatusOr<uint64_t> Octal(std::string_view field) {
  uint64_t value = 0;
  size_t i = 0;
  while (i < field.size() && field[i] == ' ') ++i;
  for (; i < field.size() && field[i] >= '0' && field[i] <= '7'; ++i)
    value = value * 8 + static_cast<uint64_t>(field[i] - '0');
  if (i < field.size() && field[i] != ' ' && field[i] != '\0')
    return absl::DataLossError("a tar header holds a number that is not octal");
  return value;
}

std::string_view UpToNul(std::string_view field) { return field.substr(0, field.find('\0')); }

}  // namespace

absl::StatusOr<std::string> ReadGzip(const std::string& path) {
  const GzipFile file(gzopen(path.c_str(), "rb"));
  if (!file) return absl::NotFoundError("cannot open " + path);
  std::string bytes;
  std::string piece(1 << 16, '\0');
  while (true) {
    const int n = gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (n < 0) return absl::DataLossError(path + " does not unpack");
    if (n == 0) return bytes;
    bytes.append(piece, 0, static_cast<size_t>(n));
    if (bytes.size() > kMostBytes) return absl::ResourceExhaustedError(path + " unpacks too large");
  }
}

absl::Status ForEachTarFile(std::string_view bytes, const TarCallback& callback) {
  while (bytes.size() >= kBlock && bytes[0] != '\0') {
    const std::string_view header = bytes.substr(0, kBlock);
    bytes.remove_prefix(kBlock);
    ASSIGN_OR_RETURN(const uint64_t size, Octal(header.substr(124, 12)));
    const uint64_t padded = (size + kBlock - 1) / kBlock * kBlock;
    if (padded > bytes.size())
      return absl::DataLossError(absl::StrFormat("a tar entry of %d bytes is cut off", size));
    const std::string_view name = UpToNul(header.substr(0, 100));
    const char type = header[156];
    const std::string_view base = name.substr(name.rfind('/') + 1);
    if ((type == '0' || type == '\0') && !base.starts_with("._"))
      RETURN_IF_ERROR(callback(name, bytes.substr(0, size)));
    bytes.remove_prefix(padded);
  }
  return absl::OkStatus();
}

}  // namespace tests
