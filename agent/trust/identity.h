#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace agent::trust {

enum class Party { kRobot, kOperator, kServer };

// Who a certificate speaks for. As a URI: spiffe://gatekeeper/robot/<name>,
// spiffe://gatekeeper/operator/<name>, spiffe://gatekeeper/server.
struct Identity {
  Party party;
  std::string
      name;  // 1..64 of [A-Za-z0-9._-], beginning with a letter or digit; empty for the server

  bool operator==(const Identity&) const = default;
};

// kInvalidArgument when the name breaks the rule above.
absl::StatusOr<std::string> SpiffeUri(const Identity& identity);
// kPermissionDenied when it is not one of the three forms.
absl::StatusOr<Identity> ParseSpiffe(std::string_view uri);

}  // namespace agent::trust
