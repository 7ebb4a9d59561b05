#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/field_plan.h"
#include "gatekeeper/ingest/protobuf_schema.h"

namespace gatekeeper::ingest {

// Walks the wire itself; descriptors and reflection are needed to compile only. Parts of a message
// that no path enters are passed over by their length.
absl::StatusOr<std::unique_ptr<FieldPlan>> CompileProtobufPlan(
    const ProtobufSchema& schema, const std::vector<std::string>& paths);

absl::StatusOr<std::string> ProtobufToJson(const ProtobufSchema& schema, std::string_view message);

absl::StatusOr<std::vector<FieldName>> ProtobufFields(const ProtobufSchema& schema);

// google.protobuf.Timestamp or Duration.
bool IsMoment(const google::protobuf::Descriptor& type);

}  // namespace gatekeeper::ingest
