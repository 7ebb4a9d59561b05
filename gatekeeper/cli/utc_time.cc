#include "gatekeeper/cli/utc_time.h"

#include <ctime>

namespace gatekeeper::cli {

std::string UtcTime(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

}  // namespace gatekeeper::cli
