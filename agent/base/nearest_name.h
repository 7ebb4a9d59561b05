#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agent::base {

// Which of the known names somebody who wrote `name` most likely meant; empty when none is near.
std::string NearestName(std::string_view name, const std::vector<std::string>& known);

}  // namespace agent::base
