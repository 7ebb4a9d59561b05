#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The two ways a Status travels upwards. `ASSIGN_OR_RETURN(auto x, F());` unwraps or returns.

// NOLINTBEGIN(bugprone-macro-parentheses)
#define RETURN_IF_ERROR(expression)        \
  do {                                     \
    absl::Status gk_status = (expression); \
    if (!gk_status.ok()) return gk_status; \
  } while (false)

#define GK_CONCAT_(a, b) a##b
#define GK_CONCAT(a, b) GK_CONCAT_(a, b)
#define GK_ASSIGN_OR_RETURN_(temporary, target, expression) \
  auto temporary = (expression);                            \
  if (!temporary.ok()) return temporary.status();           \
  target = *std::move(temporary)
#define ASSIGN_OR_RETURN(target, expression) \
  GK_ASSIGN_OR_RETURN_(GK_CONCAT(gk_result_, __LINE__), target, expression)
// NOLINTEND(bugprone-macro-parentheses)
