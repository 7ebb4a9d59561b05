#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/message_type.h"

namespace gatekeeper::ingest {

// The types of one ROS message, from its definition and those of the types inside it, each behind
// a line of "=" and "MSG: package/Type" (the form that rosbag2 and MCAP keep). `wire` is kCdr
// (ros2msg) or kRos1 (ros1msg), which differ in time and byte. Of ROS 2, types that the text leaves
// out are taken from the common ones, and so is the message itself when the text is empty.
// kInvalidArgument names type and line; kUnimplemented services.
absl::StatusOr<TypeTree> ParseRosDefinition(std::string_view type, std::string_view text,
                                            Wire wire);

}  // namespace gatekeeper::ingest
