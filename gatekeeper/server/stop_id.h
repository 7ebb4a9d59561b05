#pragma once

#include <string>
#include <string_view>

namespace gatekeeper::server {

// The 32 hex digits that a robot gives an emergency stop and keeps until its re-arm, out of what
// its event says: "estop_button (layer circuit), incident 0123…". Empty where an older robot gives
// none. The same stop may be told more than once, in other words but under the same id.
std::string StopIdOf(std::string_view detail);

}  // namespace gatekeeper::server
