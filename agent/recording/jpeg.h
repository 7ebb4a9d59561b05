#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proto/robot.pb.h"

namespace agent::recording {

// A baseline or progressive JPEG as rgb8 (grey is expanded), by the integer transform, whose result
// is the same on every CPU. The stamp stays 0. kDataLoss when any part of the picture is damaged,
// kResourceExhausted above 64 MiB of pixels.
absl::StatusOr<::gatekeeper::v1::Image> DecodeJpeg(std::string_view bytes);

}  // namespace agent::recording
