#pragma once

#include <cstdint>

namespace tests {

inline constexpr int64_t kNowMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

}  // namespace tests
