#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"

// IsOk(), StatusIs(code, message matcher) and ASSERT_OK_AND_ASSIGN for absl::Status and StatusOr.

namespace tests {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P2(StatusIs, code, message, "") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         testing::ExplainMatchResult(message, std::string(status.message()), result_listener);
}

}  // namespace tests

#define TESTS_CONCAT_(a, b) a##b
#define TESTS_CONCAT(a, b) TESTS_CONCAT_(a, b)
#define TESTS_ASSERT_OK_AND_ASSIGN_(temporary, target, expression) \
  auto temporary = (expression);                                   \
  ASSERT_TRUE(temporary.ok()) << temporary.status();               \
  target = *std::move(temporary)
#define ASSERT_OK_AND_ASSIGN(target, expression) \
  TESTS_ASSERT_OK_AND_ASSIGN_(TESTS_CONCAT(tests_result_, __LINE__), target, expression)
#define ASSERT_OK(expression) ASSERT_THAT(expression, ::tests::IsOk())
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::tests::IsOk())
