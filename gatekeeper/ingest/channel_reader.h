#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/ingest/field_plan.h"
#include "gatekeeper/ingest/recording_file.h"
#include "proto/ingest.pb.h"
#include "proto/robot.pb.h"

namespace gatekeeper::ingest {

// What a message says of itself.
struct Sender {
  int64_t stamp_ns = 0;
  std::string_view frame;  // header.frame_id and child_frame_id, as far as the type has them;
  std::string_view child;  // into the message
};

// What one message becomes: a packet with one channel, or a command. A packet without a channel:
// the message has no value there, or none that is a number.
struct ChannelMessage {
  Sender sender;
  v1::Observation packet;
  std::optional<v1::Command> command;
  std::string_view jpeg;   // an image that stays compressed; into the message
  double vy_mps = 0;       // of odom: what its packet has no place for
  bool from_grid = false;  // of scan: made of a grid
};

// What a message is read with, beside its own bytes.
struct ChannelContext {
  const v1::ChannelSource& source;
  std::string_view channel;
  double yaw_rad = 0;  // of the robot; turns grids into the body frame
};

// One robot channel made of one topic. Types that are understood, of ROS 1 and 2:
//   scan     sensor_msgs/LaserScan; with `grid` nav_msgs/OccupancyGrid and nav2_msgs/Costmap
//   odom     nav_msgs/Odometry (yaw of the quaternion; sigma from the larger variance of x and y)
//   odom_corrected  geometry_msgs/PoseWithCovarianceStamped (AMCL's), geometry_msgs/PoseStamped,
//            nav_msgs/Odometry: where the robot was by its localisation; of no unit's channels, but
//            the frame of closed-loop drives
//   image    sensor_msgs/Image (mono8, rgb8, bgr8), sensor_msgs/CompressedImage (jpeg)
//   imu      sensor_msgs/Imu
//   joints   sensor_msgs/JointState, or with `fields` positions of any type
//   command  `fields` of any type; every other channel: the number at `field` of any type
class ChannelReader {
 public:
  // kInvalidArgument says what the source lacks, or which type the channel cannot be made of.
  static absl::StatusOr<ChannelReader> For(const std::string& channel,
                                           const v1::ChannelSource& source, const Topic& topic);

  // The robot's yaw in the frame of a grid; asked for grids only.
  using Heading = std::function<absl::StatusOr<double>(const Sender& sender)>;

  // The message must live as long as what it becomes, and no longer than the next one is read.
  absl::StatusOr<ChannelMessage> Read(const RawMessage& message, const Heading& heading);

  // The status with topic, type and time in front.
  absl::Status About(const RawMessage& message, const absl::Status& status) const;

  // Writes what was read into `out`; values stand in the order of the kind's paths.
  using Convert = absl::Status (*)(const ChannelContext& context,
                                   const std::vector<FieldValue>& values, ChannelMessage& out);

 private:
  ChannelReader() = default;

  std::string channel_;
  v1::ChannelSource source_;
  std::string about_;  // topic and type, for errors
  std::unique_ptr<FieldPlan> plan_;
  Convert convert_ = nullptr;
  // Which of the paths are the sender's; 0: the type has none of that, and the log time is its.
  size_t stamp_at_ = 0;
  size_t frame_at_ = 0;
  size_t child_at_ = 0;
  std::vector<FieldValue> values_;
};

}  // namespace gatekeeper::ingest
