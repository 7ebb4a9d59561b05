#include "agent/trust/identity.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::trust {
namespace {

constexpr std::string_view kRobot = "spiffe://gatekeeper/robot/";
constexpr std::string_view kOperator = "spiffe://gatekeeper/operator/";
constexpr std::string_view kServer = "spiffe://gatekeeper/server";
constexpr size_t kMaxName = 64;

bool IsPartyName(std::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), allowed) &&
         absl::ascii_isalnum(static_cast<unsigned char>(name.front()));
}

std::string Printable(std::string_view text) {
  return absl::CHexEscape(std::string(text.substr(0, 128)));
}

}  // namespace

absl::StatusOr<std::string> SpiffeUri(const Identity& identity) {
  if (identity.party == Party::kServer) {
    if (identity.name.empty()) return std::string(kServer);
    return absl::InvalidArgumentError("the server's identity carries no name");
  }
  if (!IsPartyName(identity.name)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("'%s' cannot name a robot or operator: wanted 1 to 64 of letters, digits, "
                        "'.', '_' and '-', "
                        "beginning with a letter or digit",
                        Printable(identity.name)));
  }
  return std::string(identity.party == Party::kRobot ? kRobot : kOperator) + identity.name;
}

absl::StatusOr<Identity> ParseSpiffe(std::string_view uri) {
  if (uri == kServer) return Identity{Party::kServer, ""};
  for (const auto& [prefix, party] :
       {std::pair{kRobot, Party::kRobot}, std::pair{kOperator, Party::kOperator}}) {
    if (!uri.starts_with(prefix)) continue;
    const std::string_view name = uri.substr(prefix.size());
    if (IsPartyName(name)) return Identity{party, std::string(name)};
  }
  return absl::PermissionDeniedError(
      absl::StrFormat("'%s' is no identity here; wanted spiffe://gatekeeper/robot/ID, "
                      "spiffe://gatekeeper/operator/NAME or spiffe://gatekeeper/server",
                      Printable(uri)));
}

}  // namespace agent::trust
