#pragma once

namespace agent::monitor {

enum class Verdict { kUnknown, kHolds, kViolated };

}  // namespace agent::monitor
