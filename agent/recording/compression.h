#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace agent::recording {

enum class Compression { kNone, kLz4, kZstd };

// The names that stand in a chunk: "", "lz4" (frame format), "zstd".
std::string_view CompressionName(Compression compression);
absl::StatusOr<Compression> ParseCompression(std::string_view name);

absl::StatusOr<std::string> Compress(Compression compression, std::string_view bytes);

// A buffer that is not zeroed before it is filled: pages that a hostile size claims are never
// touched.
struct Buffer {
  std::unique_ptr<char[]> bytes;
  size_t size = 0;
  size_t room = 0;  // bytes that are there, if it was Resize that made them
  std::string_view view() const { return {bytes.get(), size}; }
  // `wanted` bytes of unknown content. Memory that is there already is used again.
  void Resize(size_t wanted);
};

// Must yield exactly `size` bytes; kDataLoss otherwise. A size above `cap`, or more than the format
// could ever pack into `bytes`, is kResourceExhausted before anything is allocated.
absl::StatusOr<Buffer> Decompress(Compression compression, std::string_view bytes, uint64_t size,
                                  uint64_t cap);
// The same into a buffer whose memory is used again; what it holds after an error means nothing.
absl::Status DecompressInto(Compression compression, std::string_view bytes, uint64_t size,
                            uint64_t cap, Buffer& out);

uint32_t Crc32(uint32_t crc, std::string_view bytes);  // IEEE 802.3, as in zlib; start with 0

}  // namespace agent::recording
