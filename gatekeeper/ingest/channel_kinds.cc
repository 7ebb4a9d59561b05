#include "gatekeeper/ingest/channel_kinds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/jpeg.h"
#include "gatekeeper/ingest/grid_scan.h"
#include "gatekeeper/ingest/scan_mount.h"
#include "gatekeeper/ingest/transform.h"

namespace gatekeeper::ingest {
namespace {

using Values = std::vector<FieldValue>;

// REP 117: -Inf is an object too near to be measured; +Inf, NaN and what the sensor does not vouch
// for are no return.
float Range(double range_m, double least_m, double most_m) {
  if (range_m == -std::numeric_limits<double>::infinity()) return static_cast<float>(least_m);
  return range_m >= least_m && range_m <= most_m ? static_cast<float>(range_m) : 0;
}

absl::Status Scan(const ChannelContext&, const Values& values, ChannelMessage& out) {
  v1::LaserScan& scan = *out.packet.mutable_scan();
  scan.set_stamp_ns(out.sender.stamp_ns);
  scan.set_angle_min_rad(values[0].number);
  scan.set_angle_increment_rad(values[1].number);
  for (const double range_m : values[4].numbers) {
    scan.add_ranges_m(Range(range_m, values[2].number, values[3].number));
  }
  return absl::OkStatus();
}

// Of the four values from `first` on: x, y, z, w.
absl::StatusOr<double> YawFrom(const Values& values, size_t first) {
  ASSIGN_OR_RETURN(const Turn turn, TurnOf(values[first].number, values[first + 1].number,
                                           values[first + 2].number, values[first + 3].number));
  return YawRad(turn);
}

absl::Status Grid(const ChannelContext& context, const Values& values, ChannelMessage& out) {
  constexpr uint32_t kUnknown = 255;  // -1 of an OccupancyGrid, NO_INFORMATION of a Costmap
  ASSIGN_OR_RETURN(const double yaw_rad, YawFrom(values, 3));
  const CostGrid grid{.width = static_cast<uint32_t>(values[0].integer),
                      .height = static_cast<uint32_t>(values[1].integer),
                      .resolution_m = values[2].number,
                      .yaw_rad = yaw_rad,
                      .cells = values[7].text,
                      .unknown_cost = kUnknown};
  if (uint64_t{grid.width} * grid.height != grid.cells.size() || grid.cells.empty()) {
    return absl::DataLossError(absl::StrFormat("a grid of %d x %d with %d cells", grid.width,
                                               grid.height, grid.cells.size()));
  }
  if (!(grid.resolution_m > 0) || !std::isfinite(grid.resolution_m)) {
    return absl::DataLossError("a grid whose cells have no size");
  }
  *out.packet.mutable_scan() = ScanOfGrid(grid, context.yaw_rad, context.source.grid());
  out.packet.mutable_scan()->set_stamp_ns(out.sender.stamp_ns);
  return absl::OkStatus();
}

absl::Status Odom(const ChannelContext&, const Values& values, ChannelMessage& out) {
  v1::Odometry& odom = *out.packet.mutable_odom();
  odom.set_stamp_ns(out.sender.stamp_ns);
  odom.set_x_m(values[0].number);
  odom.set_y_m(values[1].number);
  ASSIGN_OR_RETURN(const double yaw_rad, YawFrom(values, 2));
  odom.set_yaw_rad(yaw_rad);
  odom.set_vx_mps(values[6].number);
  odom.set_wz_radps(values[7].number);
  out.vy_mps = values[10].number;
  const double variance_m2 = std::max(values[8].number, values[9].number);
  if (variance_m2 > 0 && std::isfinite(variance_m2)) {
    odom.set_pose_sigma_m(std::sqrt(variance_m2));  // IEEE 754: the same bits everywhere
  }
  return absl::OkStatus();
}

absl::Status CorrectedPose(const ChannelContext&, const Values& values, ChannelMessage& out) {
  v1::Odometry& odom = *out.packet.mutable_odom();
  odom.set_stamp_ns(out.sender.stamp_ns);
  odom.set_x_m(values[0].number);
  odom.set_y_m(values[1].number);
  ASSIGN_OR_RETURN(const double yaw_rad, YawFrom(values, 2));
  odom.set_yaw_rad(yaw_rad);
  return absl::OkStatus();
}

absl::Status Image(const ChannelContext&, const Values& values, ChannelMessage& out) {
  const uint64_t height = static_cast<uint32_t>(values[0].integer);
  const uint64_t width = static_cast<uint32_t>(values[1].integer);
  const std::string encoding(values[2].text);
  const uint64_t step = static_cast<uint32_t>(values[3].integer);
  const std::string_view data = values[4].text;
  const bool grey = encoding == "mono8" || encoding == "8UC1";
  if (!grey && encoding != "rgb8" && encoding != "bgr8") {
    return absl::InvalidArgumentError(
        absl::StrFormat("an image encoded as '%s'; read are mono8, 8UC1, rgb8, bgr8", encoding));
  }
  const uint64_t row = width * (grey ? 1 : 3);
  if (row > step || step * height > data.size()) {
    return absl::DataLossError(absl::StrFormat("an image of %d x %d in %d bytes, %d a row", width,
                                               height, data.size(), step));
  }
  v1::Image& image = *out.packet.mutable_image();
  image.set_stamp_ns(out.sender.stamp_ns);
  image.set_width(static_cast<uint32_t>(width));
  image.set_height(static_cast<uint32_t>(height));
  image.set_encoding(grey ? "mono8" : "rgb8");
  std::string& pixels = *image.mutable_data();
  pixels.reserve(static_cast<size_t>(row * height));
  for (uint64_t y = 0; y < height; ++y) {
    pixels += data.substr(static_cast<size_t>(y * step), static_cast<size_t>(row));
  }
  if (encoding == "bgr8") {
    for (size_t at = 0; at + 2 < pixels.size(); at += 3) std::swap(pixels[at], pixels[at + 2]);
  }
  return absl::OkStatus();
}

absl::Status Jpeg(const ChannelContext&, const Values& values, ChannelMessage& out) {
  RETURN_IF_ERROR(agent::recording::DecodeJpeg(values[1].text).status());
  out.jpeg = values[1].text;
  return absl::OkStatus();
}

absl::Status Imu(const ChannelContext&, const Values& values, ChannelMessage& out) {
  v1::Imu& imu = *out.packet.mutable_imu();
  imu.set_stamp_ns(out.sender.stamp_ns);
  imu.set_ax_mps2(values[0].number);
  imu.set_ay_mps2(values[1].number);
  imu.set_az_mps2(values[2].number);
  imu.set_gx_radps(values[3].number);
  imu.set_gy_radps(values[4].number);
  imu.set_gz_radps(values[5].number);
  return absl::OkStatus();
}

absl::Status Joints(const ChannelContext&, const Values& values, ChannelMessage& out) {
  v1::JointState& joints = *out.packet.mutable_joints();
  joints.set_stamp_ns(out.sender.stamp_ns);
  for (const double value : values[0].numbers) joints.add_q_rad(value);
  for (const double value : values[1].numbers) joints.add_qd_radps(value);
  for (const double value : values[2].numbers) joints.add_tau_nm(value);
  return absl::OkStatus();
}

double Scaled(const v1::ChannelSource& source, double value) {
  return value * (source.scale() == 0 ? 1 : source.scale()) + source.offset();
}

// Of the first `count` values; not one when any is missing.
std::optional<std::vector<double>> AllOf(const ChannelContext& context, const Values& values,
                                         int count) {
  std::vector<double> numbers;
  for (int i = 0; i < count; ++i) {
    const FieldValue& value = values[static_cast<size_t>(i)];
    if (!value.present || !std::isfinite(value.number)) return std::nullopt;
    numbers.push_back(Scaled(context.source, value.number));
  }
  return numbers;
}

absl::Status Positions(const ChannelContext& context, const Values& values, ChannelMessage& out) {
  const auto numbers = AllOf(context, values, context.source.fields_size());
  if (!numbers) return absl::OkStatus();
  v1::JointState& joints = *out.packet.mutable_joints();
  joints.set_stamp_ns(out.sender.stamp_ns);
  for (const double value : *numbers) joints.add_q_rad(value);
  return absl::OkStatus();
}

absl::Status Command(const ChannelContext& context, const Values& values, ChannelMessage& out) {
  const auto numbers = AllOf(context, values, context.source.fields_size());
  if (!numbers) return absl::OkStatus();
  out.command.emplace();
  out.command->set_stamp_ns(out.sender.stamp_ns);
  for (const double value : *numbers) out.command->add_values(value);
  return absl::OkStatus();
}

absl::Status Signal(const ChannelContext& context, const Values& values, ChannelMessage& out) {
  const auto numbers = AllOf(context, values, 1);
  if (!numbers) return absl::OkStatus();
  v1::Signal& signal = (*out.packet.mutable_signals())[std::string(context.channel)];
  signal.set_stamp_ns(out.sender.stamp_ns);
  signal.set_value(numbers->front());
  return absl::OkStatus();
}

struct Row {
  std::string_view channel;
  std::string_view type;
  bool grid;
  ChannelKind kind;
};

std::vector<Row> Rows() {
  return {
      {"scan",
       "sensor_msgs/LaserScan",
       false,
       {{"angle_min", "angle_increment", "range_min", "range_max", "ranges"}, Scan}},
      {"scan",
       "nav_msgs/OccupancyGrid",
       true,
       {{"info.width", "info.height", "info.resolution", "info.origin.orientation.x",
         "info.origin.orientation.y", "info.origin.orientation.z", "info.origin.orientation.w",
         "data"},
        Grid}},
      {"scan",
       "nav2_msgs/Costmap",
       true,
       {{"metadata.size_x", "metadata.size_y", "metadata.resolution",
         "metadata.origin.orientation.x", "metadata.origin.orientation.y",
         "metadata.origin.orientation.z", "metadata.origin.orientation.w", "data"},
        Grid}},
      {"odom",
       "nav_msgs/Odometry",
       false,
       {{"pose.pose.position.x", "pose.pose.position.y", "pose.pose.orientation.x",
         "pose.pose.orientation.y", "pose.pose.orientation.z", "pose.pose.orientation.w",
         "twist.twist.linear.x", "twist.twist.angular.z", "pose.covariance[0]",
         "pose.covariance[7]", "twist.twist.linear.y"},
        Odom}},
      {kCorrectedChannel,
       "geometry_msgs/PoseWithCovarianceStamped",
       false,
       {{"pose.pose.position.x", "pose.pose.position.y", "pose.pose.orientation.x",
         "pose.pose.orientation.y", "pose.pose.orientation.z", "pose.pose.orientation.w"},
        CorrectedPose}},
      {kCorrectedChannel,
       "geometry_msgs/PoseStamped",
       false,
       {{"pose.position.x", "pose.position.y", "pose.orientation.x", "pose.orientation.y",
         "pose.orientation.z", "pose.orientation.w"},
        CorrectedPose}},
      {kCorrectedChannel,
       "nav_msgs/Odometry",
       false,
       {{"pose.pose.position.x", "pose.pose.position.y", "pose.pose.orientation.x",
         "pose.pose.orientation.y", "pose.pose.orientation.z", "pose.pose.orientation.w"},
        CorrectedPose}},
      {"image",
       "sensor_msgs/Image",
       false,
       {{"height", "width", "encoding", "step", "data"}, Image}},
      {"image", "sensor_msgs/CompressedImage", false, {{"format", "data"}, Jpeg}},
      {"imu",
       "sensor_msgs/Imu",
       false,
       {{"linear_acceleration.x", "linear_acceleration.y", "linear_acceleration.z",
         "angular_velocity.x", "angular_velocity.y", "angular_velocity.z"},
        Imu}},
      {"joints", "sensor_msgs/JointState", false, {{"position", "velocity", "effort"}, Joints}},
  };
}

// package/Type of package/msg/Type.
std::string ShortType(std::string type) {
  if (const size_t at = type.find("/msg/"); at != type.npos) type.erase(at, 4);
  return type;
}

absl::Status Lacks(std::string_view channel, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("channel %s: %s", channel, what));
}

absl::Status CheckGrid(std::string_view channel, const v1::ChannelSource& source) {
  const v1::GridScan& grid = source.grid();
  if (grid.beams() < 1 || grid.beams() > kMostBeams) {
    return Lacks(channel, "grid.beams must be 1 to 4096");
  }
  if (!(grid.range_m() > 0)) return Lacks(channel, "grid.range_m must be more than 0");
  if (grid.min_cost() < 1 || grid.min_cost() > 255) {
    return Lacks(channel,
                 "grid.min_cost must be 1 to 255; 65 of an OccupancyGrid and 253 of a "
                 "Costmap are what a robot must not touch");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChannelKind> KindOf(std::string_view channel, const v1::ChannelSource& source,
                                   const Topic& topic) {
  const std::vector<std::string> fields(source.fields().begin(), source.fields().end());
  if (channel == "command") {
    if (fields.empty()) return Lacks(channel, "fields must name the numbers of the command");
    return ChannelKind{fields, Command};
  }
  if (channel == "joints" && !fields.empty()) return ChannelKind{fields, Positions};
  std::string known;
  bool sensor = false;
  for (Row& row : Rows()) {
    if (row.channel != channel) continue;
    sensor = true;
    if (row.grid == source.has_grid() && row.type == ShortType(topic.type)) {
      if (row.grid) RETURN_IF_ERROR(CheckGrid(channel, source));
      return std::move(row.kind);
    }
    known += (known.empty() ? "" : ", ") + std::string(row.type) + (row.grid ? " with grid" : "");
  }
  if (sensor) {
    return Lacks(channel, absl::StrFormat("topic %s is %s; it is made of %s", topic.name,
                                          topic.type, known));
  }
  if (source.field().empty()) return Lacks(channel, "field must name the signal's number");
  return ChannelKind{{source.field()}, Signal};
}

}  // namespace gatekeeper::ingest
