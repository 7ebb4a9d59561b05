#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/recording/compression.h"

namespace agent::recording {

// How a file that is zstd as a whole begins (RFC 8878, section 3.1.1).
inline constexpr std::string_view kZstdMagic("\x28\xB5\x2F\xFD", 4);

// Unpacks the file open as `from` into the one open as `to`, both from their beginnings; the number
// of bytes written. kDataLoss: damaged, or cut off. kResourceExhausted: more than `cap` bytes, or a
// window above 128 MiB. Memory: the window.
absl::StatusOr<uint64_t> UnpackZstdFile(int from, int to, uint64_t cap);

// One frame that states its size. kDataLoss, or kResourceExhausted above `cap`.
absl::StatusOr<Buffer> UnpackZstdFrame(std::string_view frame, uint64_t cap);

}  // namespace agent::recording
