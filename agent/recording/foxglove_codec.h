#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "proto/foxglove.pb.h"
#include "proto/robot.pb.h"

namespace agent::recording {

// Our channels as the messages that Foxglove draws, and back. Stamps may be negative.
::foxglove::LaserScan ToFoxglove(const ::gatekeeper::v1::LaserScan& scan);
::foxglove::PoseInFrame ToFoxglove(const ::gatekeeper::v1::Odometry& odom);
// kInvalidArgument when the data do not fill width x height of the encoding (mono8, rgb8).
absl::StatusOr<::foxglove::RawImage> ToFoxglove(const ::gatekeeper::v1::Image& image);
// Where the body frame stands in the site frame, so that scans are drawn where they were taken.
::foxglove::FrameTransform BodyTransform(const ::gatekeeper::v1::Odometry& odom);
// A thing to draw in the site frame, or in the body frame and moving with it.
enum class DrawnIn { kSite, kBody };
::foxglove::SceneEntity Drawn(const std::string& id, DrawnIn frame, int64_t stamp_ns);
// Something that happened, for Foxglove's log panel.
::foxglove::Log LogEntry(int64_t stamp_ns, ::foxglove::Log::Level level, std::string_view message);
::foxglove::CompressedImage JpegImage(int64_t stamp_ns, std::string_view jpeg);

// The increment comes back from the end angle, up to rounding. Every field of `out` is set; its
// memory is used again.
void FromFoxglove(const ::foxglove::LaserScan& scan, ::gatekeeper::v1::LaserScan& out);
// kDataLoss when sizes contradict each other, kInvalidArgument for an encoding or format that we do
// not read.
absl::StatusOr<::gatekeeper::v1::Image> FromFoxglove(const ::foxglove::RawImage& image);
absl::StatusOr<::gatekeeper::v1::Image> FromFoxglove(const ::foxglove::CompressedImage& image);

// The FileDescriptorSet (serialised) of a message's file and all that it imports, imports first.
std::string SchemaOf(const google::protobuf::Descriptor& type);

}  // namespace agent::recording
