#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

namespace gatekeeper::ingest {

// The types of a protobuf topic, from the FileDescriptorSet that the recording holds.
struct ProtobufSchema {
  std::unique_ptr<google::protobuf::DescriptorPool> pool;
  const google::protobuf::Descriptor* type = nullptr;  // in the pool
};

// kInvalidArgument: the set contradicts itself or lacks an import or the type.
absl::StatusOr<ProtobufSchema> ParseProtobufSchema(std::string_view type,
                                                   std::string_view descriptor_set);

}  // namespace gatekeeper::ingest
