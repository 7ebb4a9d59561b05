#pragma once

#include <cmath>
#include <cstdint>

namespace gatekeeper::gates {

// Times of a recording are whole nanoseconds; people read seconds and write milliseconds.
inline double Seconds(int64_t ns) { return static_cast<double>(ns) * 1e-9; }
inline int64_t Nanoseconds(double ms) { return static_cast<int64_t>(std::llround(ms * 1e6)); }

}  // namespace gatekeeper::gates
