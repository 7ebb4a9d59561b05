#pragma once

#include <string_view>

namespace agent::trust {

// Is it a version of https://semver.org (2.0.0): 1.4.0, 1.4.0-rc.1, 1.4.0+build.7? Numbers have no
// leading zeros; at most 64 bytes.
bool IsSemanticVersion(std::string_view version);

}  // namespace agent::trust
