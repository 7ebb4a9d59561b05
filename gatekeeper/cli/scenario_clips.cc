#include "gatekeeper/cli/scenario_clips.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_format.h"

namespace gatekeeper::cli {
namespace {

constexpr int64_t kMostClips = 10'000;

int64_t Nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

}  // namespace

absl::StatusOr<std::vector<ingest::TimeRange>> StretchesOf(const ingest::Span& span,
                                                           const Cut& cut) {
  using ingest::TimeRange;
  if (!cut.from_s && !cut.until_s && !cut.every_s) return std::vector<TimeRange>{TimeRange{}};
  if (span.empty()) return absl::InvalidArgumentError("the recording has no message");
  const int64_t from_ns = span.first_ns + Nanoseconds(cut.from_s.value_or(0));
  int64_t end_ns = span.last_ns + 1;
  if (cut.until_s) end_ns = std::min(end_ns, span.first_ns + Nanoseconds(*cut.until_s));
  if (from_ns >= end_ns) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--from and --until leave nothing of a recording that is %.3f s long",
                        static_cast<double>(span.last_ns - span.first_ns) * 1e-9));
  }
  if (!cut.every_s) return std::vector<TimeRange>{{.from_ns = from_ns, .to_ns = end_ns - 1}};
  const int64_t piece_ns = Nanoseconds(*cut.every_s);
  const int64_t whole = (end_ns - from_ns) / piece_ns;
  const int64_t rest_ns = (end_ns - from_ns) % piece_ns;
  const int64_t pieces = std::max<int64_t>(whole + (2 * rest_ns >= piece_ns ? 1 : 0), 1);
  if (pieces > kMostClips) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--every %g would make %d clips; at most %d are made at once", *cut.every_s,
                        pieces, kMostClips));
  }
  std::vector<TimeRange> stretches;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t begin_ns = from_ns + i * piece_ns;
    const bool last = i + 1 == pieces;
    stretches.push_back({.from_ns = begin_ns, .to_ns = (last ? end_ns : begin_ns + piece_ns) - 1});
  }
  return stretches;
}

std::string RecordingName(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).lexically_normal();
  if (name.filename().empty()) name = name.parent_path();
  name = name.filename();
  for (const char* added : {".zstd", ".zst", ".mcap", ".db3", ".ulg"}) {
    if (name.extension() == added) name = name.stem();
  }
  return name.string();
}

}  // namespace gatekeeper::cli
