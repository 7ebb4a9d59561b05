#pragma once

namespace gatekeeper::gates {

// So often a bound is drawn to see how often it is wrong.
inline constexpr int kRuns = 4'000;

}  // namespace gatekeeper::gates
