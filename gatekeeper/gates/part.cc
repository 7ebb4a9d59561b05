#include "gatekeeper/gates/part.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace gatekeeper::gates {

absl::StatusOr<Part> Part::Parse(const std::string& text) {
  Part part;
  const size_t slash = text.find('/');
  if (slash == std::string::npos || !absl::SimpleAtoi(text.substr(0, slash), &part.number) ||
      !absl::SimpleAtoi(text.substr(slash + 1), &part.count) || part.number < 1 ||
      part.number > part.count || part.count > kMostParts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("'%s' is no part of a run; wanted is i/n with 1 <= i <= n <= %d, e.g. 2/8",
                        text, kMostParts));
  }
  return part;
}

}  // namespace gatekeeper::gates
