#include "agent/recording/foxglove_codec.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/jpeg.h"
#include "agent/recording/scan_wire.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int64_t kSecond = 1'000'000'000;
constexpr char kBodyFrame[] = "body";
constexpr char kSiteFrame[] = "site";
constexpr char kCameraFrame[] = "camera";

// Rounds towards minus infinity, because a Timestamp's nanos count forwards.
void SetStamp(int64_t stamp_ns, google::protobuf::Timestamp& out) {
  int64_t seconds = stamp_ns / kSecond;
  if (stamp_ns % kSecond < 0) --seconds;
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>(stamp_ns - seconds * kSecond));
}

int64_t Stamp(const google::protobuf::Timestamp& stamp) {
  return Nanoseconds(stamp.seconds(), stamp.nanos());
}

// Bytes a pixel; 0 for an encoding that we do not read.
uint64_t PixelBytes(const std::string& encoding) {
  if (encoding == "mono8" || encoding == "8UC1") return 1;
  if (encoding == "rgb8") return 3;
  return 0;
}

void AddFile(const google::protobuf::FileDescriptor& file, std::set<std::string>& seen,
             google::protobuf::FileDescriptorSet& set) {
  if (!seen.insert(file.name()).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), seen, set);
  file.CopyTo(set.add_file());
}

}  // namespace

::foxglove::LaserScan ToFoxglove(const v1::LaserScan& scan) {
  ::foxglove::LaserScan out;
  SetStamp(scan.stamp_ns(), *out.mutable_timestamp());
  out.set_frame_id(kBodyFrame);
  out.mutable_pose()->mutable_position();
  out.mutable_pose()->mutable_orientation()->set_w(1);
  out.set_start_angle(scan.angle_min_rad());
  const int steps = scan.ranges_m_size() > 0 ? scan.ranges_m_size() - 1 : 0;
  out.set_end_angle(scan.angle_min_rad() + steps * scan.angle_increment_rad());
  out.mutable_ranges()->Resize(scan.ranges_m_size(), 0);
  std::copy(scan.ranges_m().begin(), scan.ranges_m().end(), out.mutable_ranges()->begin());
  return out;
}

void FromFoxglove(const ::foxglove::LaserScan& scan, v1::LaserScan& out) {
  out.set_stamp_ns(Stamp(scan.timestamp()));
  out.set_angle_min_rad(scan.start_angle());
  out.set_angle_increment_rad(
      StepBetween(scan.start_angle(), scan.end_angle(), scan.ranges_size()));
  out.mutable_ranges_m()->Resize(scan.ranges_size(), 0);
  Narrow(reinterpret_cast<const char*>(scan.ranges().data()),
         static_cast<size_t>(scan.ranges_size()), out.mutable_ranges_m()->mutable_data());
}

::foxglove::PoseInFrame ToFoxglove(const v1::Odometry& odom) {
  ::foxglove::PoseInFrame out;
  SetStamp(odom.stamp_ns(), *out.mutable_timestamp());
  out.set_frame_id(kSiteFrame);
  out.mutable_pose()->mutable_position()->set_x(odom.x_m());
  out.mutable_pose()->mutable_position()->set_y(odom.y_m());
  out.mutable_pose()->mutable_orientation()->set_z(std::sin(odom.yaw_rad() / 2));
  out.mutable_pose()->mutable_orientation()->set_w(std::cos(odom.yaw_rad() / 2));
  return out;
}

::foxglove::FrameTransform BodyTransform(const v1::Odometry& odom) {
  const ::foxglove::PoseInFrame pose = ToFoxglove(odom);
  ::foxglove::FrameTransform out;
  *out.mutable_timestamp() = pose.timestamp();
  out.set_parent_frame_id(kSiteFrame);
  out.set_child_frame_id(kBodyFrame);
  *out.mutable_translation() = pose.pose().position();
  *out.mutable_rotation() = pose.pose().orientation();
  return out;
}

::foxglove::SceneEntity Drawn(const std::string& id, DrawnIn frame, int64_t stamp_ns) {
  ::foxglove::SceneEntity out;
  SetStamp(stamp_ns, *out.mutable_timestamp());
  out.set_frame_id(frame == DrawnIn::kSite ? kSiteFrame : kBodyFrame);
  out.set_id(id);
  out.set_frame_locked(frame == DrawnIn::kBody);
  return out;
}

absl::StatusOr<::foxglove::RawImage> ToFoxglove(const v1::Image& image) {
  const uint64_t row = PixelBytes(image.encoding()) * image.width();
  if (row == 0 || image.data().size() != row * image.height())
    return absl::InvalidArgumentError(
        absl::StrFormat("an image of %d x %d \"%s\" has %d bytes; mono8 and rgb8 can be recorded, "
                        "whole images only",
                        image.width(), image.height(), image.encoding(), image.data().size()));
  ::foxglove::RawImage out;
  SetStamp(image.stamp_ns(), *out.mutable_timestamp());
  out.set_frame_id(kCameraFrame);
  out.set_width(image.width());
  out.set_height(image.height());
  out.set_encoding(image.encoding());
  out.set_step(static_cast<uint32_t>(row));
  out.set_data(image.data());
  return out;
}

::foxglove::Log LogEntry(int64_t stamp_ns, ::foxglove::Log::Level level, std::string_view message) {
  ::foxglove::Log out;
  SetStamp(stamp_ns, *out.mutable_timestamp());
  out.set_level(level);
  out.set_message(message.data(), message.size());
  out.set_name("gatekeeper-control");
  return out;
}

::foxglove::CompressedImage JpegImage(int64_t stamp_ns, std::string_view jpeg) {
  ::foxglove::CompressedImage out;
  SetStamp(stamp_ns, *out.mutable_timestamp());
  out.set_frame_id(kCameraFrame);
  out.set_format("jpeg");
  out.set_data(jpeg.data(), jpeg.size());
  return out;
}

absl::StatusOr<v1::Image> FromFoxglove(const ::foxglove::RawImage& image) {
  const uint64_t pixel = PixelBytes(image.encoding());
  if (pixel == 0)
    return absl::InvalidArgumentError(absl::StrFormat(
        "an image is encoded as \"%.32s\"; we read mono8, 8UC1 and rgb8", image.encoding()));
  const uint64_t row = pixel * image.width();
  const uint64_t step = image.step();
  if (step < row || image.data().size() != step * image.height())
    return absl::DataLossError(absl::StrFormat(
        "an image of %d x %d \"%s\" with rows of %d bytes has %d bytes", image.width(),
        image.height(), image.encoding(), step, image.data().size()));
  v1::Image out;
  out.set_stamp_ns(Stamp(image.timestamp()));
  out.set_width(image.width());
  out.set_height(image.height());
  out.set_encoding(pixel == 1 ? "mono8" : "rgb8");
  for (uint64_t y = 0; y < image.height(); ++y)
    out.mutable_data()->append(image.data(), y * step, row);
  return out;
}

absl::StatusOr<v1::Image> FromFoxglove(const ::foxglove::CompressedImage& image) {
  if (image.format() != "jpeg" && image.format() != "jpg")
    return absl::InvalidArgumentError(
        absl::StrFormat("an image is compressed as \"%.32s\"; we read jpeg", image.format()));
  ASSIGN_OR_RETURN(v1::Image out, DecodeJpeg(image.data()));
  out.set_stamp_ns(Stamp(image.timestamp()));
  return out;
}

std::string SchemaOf(const google::protobuf::Descriptor& type) {
  google::protobuf::FileDescriptorSet set;
  std::set<std::string> seen;
  AddFile(*type.file(), seen, set);
  return set.SerializeAsString();
}

}  // namespace agent::recording
