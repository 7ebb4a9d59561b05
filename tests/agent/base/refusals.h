#pragma once

#include "gmock/gmock.h"
#include "tests/support/status_matchers.h"

namespace tests {

// Refused as malformed, in words that hold `text`.
MATCHER_P(RefusedWith, text, "") {
  return testing::ExplainMatchResult(
      StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr(text)), arg, result_listener);
}

}  // namespace tests
