#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace tests {

// A donkeycar tub (tar.gz) as a recording: frame i at i * 50 ms (its stored stamps come from a
// later conversion) on /image as JPEG, and what the driver did as Command values [throttle,
// steering]. Returns the number of frames.
absl::StatusOr<size_t> ImportTub(const std::string& tar_gz, const std::string& mcap);

}  // namespace tests
