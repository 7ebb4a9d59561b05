#include "gatekeeper/cli/scenario_segments.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/gates/scenario_file.h"

namespace gatekeeper::cli {
namespace {

constexpr char kKey[] = "segments:";

bool Overlap(const v1::Segment& segment, const Label& label) {
  return segment.from_s() < label.to_s && label.from_s < segment.to_s();
}

bool Has(const v1::Segment& segment, const std::string& tag) {
  return std::find(segment.tags().begin(), segment.tags().end(), tag) != segment.tags().end();
}

v1::Segment Part(const v1::Segment& segment, double from_s, double to_s) {
  v1::Segment part = segment;
  part.set_from_s(from_s);
  part.set_to_s(to_s);
  return part;
}

v1::Segment Without(v1::Segment segment, const std::vector<std::string>& tags) {
  const v1::Segment before = segment;
  segment.clear_tags();
  for (const std::string& tag : before.tags()) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) segment.add_tags(tag);
  }
  return segment;
}

// Where the list of segments stands among the lines; both 0 where the document has none.
struct Block {
  size_t begin = 0;  // the line with the key
  size_t end = 0;    // behind the last line that is the list's
  size_t keep = 0;   // behind the last line that is no comment and not blank
};

bool IsListLine(const std::string& line) {
  return line.empty() || line[0] == ' ' || line[0] == '-' || line[0] == '\r' || line[0] == ']' ||
         line[0] == '}';
}

Block FindBlock(const std::vector<std::string>& lines) {
  Block block;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].rfind(kKey, 0) != 0) continue;
    block = {.begin = i, .end = i + 1, .keep = i + 1};
    for (size_t at = i + 1; at < lines.size(); ++at) {
      const bool document_mark = lines[at].rfind("---", 0) == 0;
      const bool comment = !lines[at].empty() && lines[at][0] == '#';
      if (document_mark || (!comment && !IsListLine(lines[at]))) break;
      block.end = at + 1;
      const size_t first = lines[at].find_first_not_of(" \t\r");
      if (first != std::string::npos && lines[at][first] != '#') block.keep = at + 1;
    }
    return block;
  }
  return block;
}

// True when the text reads as these segments and otherwise as before.
bool ReadsAs(const std::string& text, const std::string& file, v1::Scenario wanted,
             const std::vector<v1::Segment>& segments) {
  const auto found = gates::ParseScenario(text, file);
  if (!found.ok()) return false;
  wanted.mutable_segments()->Assign(segments.begin(), segments.end());
  return wanted.SerializeAsString() == found->document.SerializeAsString();
}

std::string Joined(const std::vector<std::string>& lines) { return absl::StrJoin(lines, "\n"); }

// More segments behind those that are there. Nothing when they are not simply more.
std::string Appended(std::vector<std::string> lines, const Block& block, const v1::Scenario& before,
                     const std::vector<v1::Segment>& segments) {
  const auto had = static_cast<size_t>(before.segments_size());
  if (had == 0 || segments.size() <= had || block.keep <= block.begin + 1) return "";
  std::string indent;
  for (size_t i = block.begin + 1; i < block.keep; ++i) {
    const size_t dash = lines[i].find_first_not_of(' ');
    if (dash == std::string::npos || lines[i][dash] != '-') continue;
    indent = lines[i].substr(0, dash);
    break;
  }
  std::vector<std::string> more;
  for (size_t i = had; i < segments.size(); ++i) {
    std::string line = gates::SegmentLine(segments[i], indent);
    line.pop_back();
    more.push_back(std::move(line));
  }
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(block.keep), more.begin(), more.end());
  return Joined(lines);
}

std::string Rewritten(std::vector<std::string> lines, const Block& block,
                      const std::vector<v1::Segment>& segments) {
  std::vector<std::string> list;
  if (!segments.empty()) list.emplace_back(kKey);
  for (const v1::Segment& segment : segments) {
    list.push_back(gates::SegmentLine(segment));
    list.back().pop_back();
  }
  if (block.end > block.begin) {
    const auto begin = lines.begin();
    lines.erase(begin + static_cast<std::ptrdiff_t>(block.begin),
                begin + static_cast<std::ptrdiff_t>(block.keep));
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(block.begin), list.begin(),
                 list.end());
    return Joined(lines);
  }
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  lines.insert(lines.end(), list.begin(), list.end());
  return Joined(lines) + "\n";
}

}  // namespace

absl::StatusOr<std::vector<v1::Segment>> WithLabel(const v1::Scenario& scenario,
                                                   const Label& label) {
  std::vector<v1::Segment> segments(scenario.segments().begin(), scenario.segments().end());
  for (const v1::Segment& segment : segments) {
    for (const std::string& tag : label.tags) {
      if (!Overlap(segment, label) || !Has(segment, tag)) continue;
      return absl::AlreadyExistsError(absl::StrFormat(
          "%s is tagged %s from %s to %s s already; take that away first with --remove, or give "
          "the rest of the range",
          scenario.id(), tag, gates::SecondsText(segment.from_s()),
          gates::SecondsText(segment.to_s())));
    }
  }
  v1::Segment& added = segments.emplace_back();
  added.set_from_s(label.from_s);
  added.set_to_s(label.to_s);
  for (const std::string& tag : label.tags) {
    if (!Has(added, tag)) added.add_tags(tag);
  }
  return segments;
}

absl::StatusOr<std::vector<v1::Segment>> WithoutLabel(const v1::Scenario& scenario,
                                                      const Label& label) {
  for (const std::string& tag : label.tags) {
    const bool there = std::any_of(
        scenario.segments().begin(), scenario.segments().end(),
        [&](const v1::Segment& segment) { return Overlap(segment, label) && Has(segment, tag); });
    if (there) continue;
    return absl::NotFoundError(absl::StrFormat("%s is not tagged %s anywhere from %s to %s s",
                                               scenario.id(), tag, gates::SecondsText(label.from_s),
                                               gates::SecondsText(label.to_s)));
  }
  std::vector<v1::Segment> segments;
  for (const v1::Segment& segment : scenario.segments()) {
    const v1::Segment less = Without(segment, label.tags);
    if (!Overlap(segment, label) || less.tags_size() == segment.tags_size()) {
      segments.push_back(segment);
      continue;
    }
    if (segment.from_s() < label.from_s)
      segments.push_back(Part(segment, segment.from_s(), label.from_s));
    if (!less.tags().empty()) {
      segments.push_back(Part(less, std::max(segment.from_s(), label.from_s),
                              std::min(segment.to_s(), label.to_s)));
    }
    if (segment.to_s() > label.to_s) segments.push_back(Part(segment, label.to_s, segment.to_s()));
  }
  return segments;
}

absl::StatusOr<std::string> WithSegments(const std::string& text, const std::string& file,
                                         const std::vector<v1::Segment>& segments) {
  ASSIGN_OR_RETURN(const gates::Scenario before, gates::ParseScenario(text, file));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  const Block block = FindBlock(lines);
  for (const std::string& candidate :
       {Appended(lines, block, before.document, segments), Rewritten(lines, block, segments)}) {
    if (!candidate.empty() && ReadsAs(candidate, file, before.document, segments)) return candidate;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: its list of segments is written in a way that cannot be changed by program; write it as "
      "lines of the form '%s'",
      file,
      segments.empty() ? "- {from_s: 0, to_s: 1, tags: [a]}"
                       : gates::SegmentLine(segments.back())));
}

}  // namespace gatekeeper::cli
