#pragma once

#include "agent/monitor/formula.h"

namespace agent::monitor {

// Every formula of these tests is sampled so.
inline constexpr Sampling kSampling{.min_gap = std::chrono::milliseconds(10),
                                    .max_gap = std::chrono::milliseconds(100)};

}  // namespace agent::monitor
