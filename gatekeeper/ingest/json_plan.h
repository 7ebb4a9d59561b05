#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/field_plan.h"

namespace gatekeeper::ingest {

// Messages that are JSON. The schema (JSON Schema, may be empty) says which paths there are: its
// `properties`, where an object lists them; anything else is taken as it comes.
absl::StatusOr<std::unique_ptr<FieldPlan>> CompileJsonPlan(std::string_view type,
                                                           std::string_view schema,
                                                           const std::vector<std::string>& paths);
absl::StatusOr<std::vector<FieldName>> JsonFields(std::string_view type, std::string_view schema);
absl::StatusOr<std::string> JsonToJson(std::string_view message);  // on one line

}  // namespace gatekeeper::ingest
