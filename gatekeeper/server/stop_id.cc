#include "gatekeeper/server/stop_id.h"

namespace gatekeeper::server {
namespace {

constexpr std::string_view kBefore = ", incident ";
constexpr size_t kIdBytes = 32;

}  // namespace

std::string StopIdOf(std::string_view detail) {
  if (detail.size() < kBefore.size() + kIdBytes) return "";
  const std::string_view id = detail.substr(detail.size() - kIdBytes);
  detail.remove_suffix(kIdBytes);
  const bool named = detail.ends_with(kBefore) &&
                     id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return named ? std::string(id) : "";
}

}  // namespace gatekeeper::server
