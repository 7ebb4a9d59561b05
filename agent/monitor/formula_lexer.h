#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

namespace agent::monitor {

// kInvalidArgument "column N: text".
template <class... Args>
absl::Status WrongAt(size_t column, const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::InvalidArgumentError(
      absl::StrFormat("column %d: %s", column, absl::StrFormat(format, args...)));
}

struct Token {
  enum class Kind { kNumber, kName, kSign, kEnd };
  Kind kind = Kind::kEnd;
  std::string_view text;  // of the formula; empty at the end
  double number = 0;
  size_t column = 0;  // from 1
};

// The formula's words, the last of them kEnd. kInvalidArgument "column N: ..." for a character that
// no formula has, and for a number that is not finite.
absl::StatusOr<std::vector<Token>> Tokens(std::string_view text);

}  // namespace agent::monitor
