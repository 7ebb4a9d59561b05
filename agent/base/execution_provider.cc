#include "agent/base/execution_provider.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace agent::base {

namespace {
constexpr ExecutionProvider kKnown[] = {ExecutionProvider::kCpu, ExecutionProvider::kCuda};
}

const char* NameOf(ExecutionProvider provider) {
  return provider == ExecutionProvider::kCuda ? "cuda" : "cpu";
}

absl::StatusOr<std::vector<ExecutionProvider>> ParseProviders(
    const std::vector<std::string>& names) {
  std::vector<ExecutionProvider> providers;
  for (const std::string& name : names) {
    const auto* found = std::ranges::find_if(
        kKnown, [&name](ExecutionProvider known) { return NameOf(known) == name; });
    if (found == std::end(kKnown)) {
      return absl::InvalidArgumentError(absl::StrFormat("must be cpu or cuda, is '%s'", name));
    }
    if (std::ranges::count(providers, *found) > 0) {
      return absl::InvalidArgumentError(absl::StrFormat("names '%s' twice", name));
    }
    providers.push_back(*found);
  }
  if (providers.empty()) providers.push_back(ExecutionProvider::kCpu);
  return providers;
}

}  // namespace agent::base
