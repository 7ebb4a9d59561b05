#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/channel_reader.h"

namespace gatekeeper::ingest {

// Not a robot's channel: where its localisation says that it was, see resim::kCorrectedTopic.
inline constexpr std::string_view kCorrectedChannel = "odom_corrected";

// How a robot channel is made of a type.
struct ChannelKind {
  std::vector<std::string> paths;
  ChannelReader::Convert convert = nullptr;
};

// kInvalidArgument names the types that the channel can be made of, or what the source lacks.
absl::StatusOr<ChannelKind> KindOf(std::string_view channel, const v1::ChannelSource& source,
                                   const Topic& topic);

}  // namespace gatekeeper::ingest
