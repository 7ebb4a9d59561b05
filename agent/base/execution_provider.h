#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace agent::base {

// What a model's arithmetic runs on.
enum class ExecutionProvider { kCpu, kCuda };

const char* NameOf(ExecutionProvider provider);

// A model card's execution_providers, best first; an empty list is the CPU alone. Whatever is not
// listed is never used. kInvalidArgument names the entry that nobody knows or that is repeated.
absl::StatusOr<std::vector<ExecutionProvider>> ParseProviders(
    const std::vector<std::string>& names);

}  // namespace agent::base
