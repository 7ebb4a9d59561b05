#pragma once

#include <soci/soci.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::store {

// SOCI's session; only this folder's sources see it.
struct Store::Connection {
  soci::session sql;
  int depth = 0;  // of Atomically
};

// Messages as columns of plain text (Base64 of their bytes), which every database keeps unchanged.
std::string ToColumn(const google::protobuf::Message& message);
// kDataLoss names `what`.
absl::Status FromColumn(const std::string& column, const std::string& what,
                        google::protobuf::Message& message);

}  // namespace gatekeeper::store
