#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace agent::runtime {

// Which of the rules S1 to S16 (policies/README.md) a refused document breaks. It travels with the
// status, not in its text: the text says what is wrong, the rule says which proof failed.

// Marks a refusal that bears no rule yet; the innermost mark stays. OK stays OK.
absl::Status Under(std::string_view rule, absl::Status status);

// The rule that a refusal was marked with; "S1", a document that cannot be understood, when none.
std::string RuleOf(const absl::Status& status);

}  // namespace agent::runtime
