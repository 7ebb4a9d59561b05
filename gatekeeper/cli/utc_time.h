#pragma once

#include <cstdint>
#include <string>

namespace gatekeeper::cli {

// "2026-01-31 04:05:06", UTC.
std::string UtcTime(int64_t wall_ms);

}  // namespace gatekeeper::cli
