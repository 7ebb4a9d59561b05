#include "gatekeeper/ingest/field_path.h"

#include <charconv>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/nearest_name.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMostNames = 20;  // in one error
constexpr size_t kMostParts = 64;

absl::Status Malformed(std::string_view path, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "field path '%s': %s; write it as in twist.linear.x or ranges[3]", path, why));
}

}  // namespace

absl::StatusOr<std::vector<PathPart>> ParsePath(std::string_view path) {
  std::vector<PathPart> parts;
  std::string_view rest = path;
  while (true) {
    const size_t end = rest.find('.');
    std::string_view part = rest.substr(0, end);
    PathPart& added = parts.emplace_back();
    if (const size_t open = part.find('['); open != std::string_view::npos) {
      const std::string_view digits = part.substr(open + 1);
      uint32_t index = 0;
      const auto [stop, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), index);
      if (error != std::errc() || stop + 1 != digits.data() + digits.size() || *stop != ']') {
        return Malformed(path, "an index is a number in brackets");
      }
      added.index = index;
      part = part.substr(0, open);
    }
    if (part.empty()) return Malformed(path, "a name is missing");
    added.name = part;
    if (parts.size() > kMostParts) return Malformed(path, "too deep");
    if (end == std::string_view::npos) return parts;
    rest.remove_prefix(end + 1);
  }
}

absl::Status NoSuchField(std::string_view path, std::string_view name, std::string_view type,
                         const std::vector<std::string>& known) {
  std::string advice;
  const std::string nearest = agent::base::NearestName(name, known);
  if (!nearest.empty()) {
    advice = absl::StrFormat("did you mean '%s'?", nearest);
  } else if (known.empty()) {
    advice = "it has no fields";
  } else {
    const size_t shown = std::min(known.size(), kMostNames);
    advice =
        "it has " + absl::StrJoin(known.begin(), known.begin() + static_cast<long>(shown), ", ");
    if (shown < known.size()) advice += ", ...";
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("field path '%s': %s has no field '%s'; %s", path, type, name, advice));
}

}  // namespace gatekeeper::ingest
