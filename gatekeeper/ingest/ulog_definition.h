#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/message_type.h"

namespace gatekeeper::ingest {

// The types of one ULog topic: a line a type, "name:type field;type[n] field;", as the F records
// hold them. Fields named _padding... are hidden. kInvalidArgument names line and field.
absl::StatusOr<TypeTree> ParseUlogDefinition(std::string_view type, std::string_view text);

}  // namespace gatekeeper::ingest
