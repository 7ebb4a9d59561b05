#include "gatekeeper/gates/scenario_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/recording/mcap_reader.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxSegmentEnd_s = 1e6;  // a recording is hours long, not weeks
constexpr size_t kMaxName = 120;          // file systems stop at 255, clips add to the name

absl::Status Bad(const agent::base::SourceMap& map, std::string_view path,
                 const std::string& what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", map.Locate(path), what));
}

absl::Status CheckRecordingPath(const std::string& recording, const agent::base::SourceMap& map) {
  const fs::path path(recording);
  if (recording.size() > 1024) {
    return Bad(map, "recording", "recording has more than 1024 characters");
  }
  if (path.is_absolute() || recording.find('\0') != std::string::npos) {
    return Bad(map, "recording", "recording must be relative to this file");
  }
  for (const fs::path& part : path) {
    if (part == "..") return Bad(map, "recording", "recording must not leave this file's folder");
  }
  return absl::OkStatus();
}

absl::Status CheckSegments(const v1::Scenario& scenario, const agent::base::SourceMap& map) {
  for (int i = 0; i < scenario.segments_size(); ++i) {
    const v1::Segment& segment = scenario.segments(i);
    const std::string path = absl::StrFormat("segments[%d]", i);
    const bool sane = std::isfinite(segment.from_s()) && std::isfinite(segment.to_s()) &&
                      segment.from_s() >= 0 && segment.from_s() < segment.to_s() &&
                      segment.to_s() <= kMaxSegmentEnd_s;
    if (!sane) {
      return Bad(map, path,
                 absl::StrFormat("a segment needs 0 <= from_s < to_s <= %g, found %g to %g",
                                 kMaxSegmentEnd_s, segment.from_s(), segment.to_s()));
    }
    if (segment.tags().empty()) return Bad(map, path, "a segment needs at least one tag");
    for (const std::string& tag : segment.tags()) {
      if (!PlainName(tag))
        return Bad(map, path, "a tag is made of letters, digits, '.', '_' and '-'");
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool PlainName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name.front() == '.' || name.front() == '-')
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

absl::StatusOr<Scenario> ParseScenario(const std::string& text, const std::string& file) {
  Scenario scenario;
  scenario.file = file;
  ASSIGN_OR_RETURN(const agent::base::SourceMap map,
                   agent::base::ReadYaml(text, file, "scenario/1", scenario.document));
  if (!PlainName(scenario.document.id())) {
    return Bad(map, "id",
               absl::StrFormat("id must have 1 to %d letters, digits, '.', '_' or '-'", kMaxName));
  }
  RETURN_IF_ERROR(CheckRecordingPath(scenario.document.recording(), map));
  if (!agent::base::Digest::Parse(scenario.document.sha256()).ok()) {
    return Bad(map, "sha256", "sha256 must be the recording's 64 hex digits");
  }
  RETURN_IF_ERROR(CheckSegments(scenario.document, map));
  if (!scenario.document.recording().empty()) {
    scenario.recording = (fs::path(file).parent_path() / scenario.document.recording()).string();
  }
  scenario.sha256 = agent::trust::Sha256(text);
  return scenario;
}

absl::StatusOr<double> LengthOf(const Scenario& scenario) {
  ASSIGN_OR_RETURN(const agent::base::Digest found, agent::trust::Sha256File(scenario.recording));
  ASSIGN_OR_RETURN(const agent::base::Digest wanted,
                   agent::base::Digest::Parse(scenario.document.sha256()));
  if (found != wanted) {
    return absl::DataLossError(
        absl::StrFormat("%s has SHA-256 %s, and %s names %s: seconds of another recording would be "
                        "labelled; find the right file, or import anew",
                        scenario.recording, found.hex(), scenario.file, wanted.hex()));
  }
  ASSIGN_OR_RETURN(const auto mcap, agent::recording::McapReader::Open(scenario.recording));
  const auto span_ns = static_cast<double>(mcap.end_ns() - mcap.start_ns());
  return (std::floor(span_ns * 1e-6) + 1) * 1e-3;
}

std::string SecondsText(double seconds) {
  char text[400];  // 1e6 s at most, but any double fits
  const auto end = std::to_chars(text, text + sizeof text, seconds, std::chars_format::fixed);
  return std::string(text, end.ptr);
}

std::string SegmentLine(const v1::Segment& segment, const std::string& indent) {
  return absl::StrFormat("%s- {from_s: %s, to_s: %s, tags: [%s]}\n", indent,
                         SecondsText(segment.from_s()), SecondsText(segment.to_s()),
                         absl::StrJoin(segment.tags(), ", "));
}

}  // namespace gatekeeper::gates
