#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/recording_file.h"

namespace gatekeeper::cli {

// Which part of a recording is wanted, in seconds since its first message, and in how long pieces.
struct Cut {
  std::optional<double> from_s;
  std::optional<double> until_s;  // not included
  std::optional<double> every_s;
};

// The stretches, in order; without a wish the whole recording. What is left behind the last whole
// piece is one of its own, or part of the last one when it is shorter than half. kInvalidArgument:
// nothing of the recording is in there, or it would be more than 10,000 pieces.
absl::StatusOr<std::vector<ingest::TimeRange>> StretchesOf(const ingest::Span& span,
                                                           const Cut& cut);

// What a recording is called without its folder and what its format adds: run7 of bags/run7/,
// bags/run7.mcap and run7.db3.zstd.
std::string RecordingName(const std::string& path);

}  // namespace gatekeeper::cli
