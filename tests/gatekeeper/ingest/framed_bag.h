#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/recording/mcap_writer.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/ingest/cdr_bytes.h"
#include "tests/support/status_matchers.h"

namespace tests {

// A recording as a ROS robot makes it: laser, odometry and the transform tree. Times are seconds.

struct FrameAt {
  double stamp_s = 0;
  std::string parent;
  std::string child;
  double x_m = 0;
  double y_m = 0;
  double yaw_rad = 0;
  double roll_rad = 0;
  double z_m = 0;
};

inline CdrBytes& Stamped(CdrBytes& bytes, double stamp_s, const std::string& frame) {
  const auto ns = static_cast<int64_t>(std::llround(stamp_s * 1e9));
  return bytes.Header(static_cast<int32_t>(ns / 1'000'000'000),
                      static_cast<uint32_t>(ns % 1'000'000'000), frame);
}

inline std::string TransformBytes(const std::vector<FrameAt>& frames) {
  CdrBytes bytes;
  bytes.Put(static_cast<uint32_t>(frames.size()));
  for (const FrameAt& at : frames) {
    const double sy = std::sin(at.yaw_rad / 2);
    const double cy = std::cos(at.yaw_rad / 2);
    const double sr = std::sin(at.roll_rad / 2);
    const double cr = std::cos(at.roll_rad / 2);
    Stamped(bytes, at.stamp_s, at.parent).Text(at.child);
    bytes.All<double>({at.x_m, at.y_m, at.z_m, cy * sr, sy * sr, sy * cr, cy * cr});
  }
  return bytes.bytes();
}

struct ScanAt {
  double stamp_s = 0;
  std::string frame = "base_scan";
  float angle_min_rad = 0;
  float increment_rad = 0;
  std::vector<float> ranges_m = {};
};

inline std::string ScanBytes(const ScanAt& scan) {
  CdrBytes bytes;
  Stamped(bytes, scan.stamp_s, scan.frame);
  const float last_rad =
      scan.angle_min_rad + scan.increment_rad * static_cast<float>(scan.ranges_m.size() - 1);
  bytes.All<float>({scan.angle_min_rad, last_rad, scan.increment_rad, 0, 0.1f, 0.05f, 30.0f});
  bytes.Sequence<float>(scan.ranges_m).Sequence<float>({});
  return bytes.bytes();
}

struct OdomAt {
  double stamp_s = 0;
  std::string frame = "odom";
  std::string child = "base_link";
  double x_m = 0;
  double y_m = 0;
  double yaw_rad = 0;
  double vx_mps = 0;
  double vy_mps = 0;
  double wz_radps = 0;
};

inline std::string OdomBytes(const OdomAt& odom) {
  CdrBytes bytes;
  Stamped(bytes, odom.stamp_s, odom.frame).Text(odom.child);
  bytes.All<double>(
      {odom.x_m, odom.y_m, 0, 0, 0, std::sin(odom.yaw_rad / 2), std::cos(odom.yaw_rad / 2)});
  bytes.All(std::vector<double>(36, 0));
  bytes.All<double>({odom.vx_mps, odom.vy_mps, 0, 0, 0, odom.wz_radps});
  bytes.All(std::vector<double>(36, 0));
  return bytes.bytes();
}

// Messages of any topics, received at their times.
class FramedBag {
 public:
  void Scan(const ScanAt& scan) {
    Add(scan.stamp_s, "/scan", "sensor_msgs/msg/LaserScan", ScanBytes(scan));
  }
  void Odom(const OdomAt& odom) {
    Add(odom.stamp_s, "/odom", "nav_msgs/msg/Odometry", OdomBytes(odom));
  }
  void Moving(const FrameAt& frame) {
    Add(frame.stamp_s, "/tf", "tf2_msgs/msg/TFMessage", TransformBytes({frame}));
  }
  void Fixed(double received_s, const std::vector<FrameAt>& frames) {
    Add(received_s, "/tf_static", "tf2_msgs/msg/TFMessage", TransformBytes(frames));
  }
  void Add(double received_s, const std::string& topic, const std::string& type,
           const std::string& bytes) {
    messages_.push_back(
        {static_cast<uint64_t>(std::llround(received_s * 1e9)), topic, type, bytes});
  }

  void Write(const std::string& path) {
    std::stable_sort(messages_.begin(), messages_.end(),
                     [](const auto& a, const auto& b) { return a.received_ns < b.received_ns; });
    auto writer = agent::recording::McapWriter::Create(path, {.profile = "ros2"});
    ASSERT_OK(writer.status());
    std::map<std::pair<std::string, std::string>, uint16_t> channels;
    for (const Message& message : messages_) {
      const std::pair key(message.topic, message.type);
      if (!channels.contains(key)) {
        const auto schema = writer->AddSchema(message.type, "", "");
        ASSERT_OK(schema.status());
        const auto channel = writer->AddChannel(*schema, message.topic, "cdr", {});
        ASSERT_OK(channel.status());
        channels[key] = *channel;
      }
      ASSERT_OK(writer->Write(agent::recording::Message{.channel_id = channels[key],
                                                        .sequence = 0,
                                                        .log_time_ns = message.received_ns,
                                                        .publish_time_ns = message.received_ns,
                                                        .data = message.bytes}));
    }
    ASSERT_OK(writer->Close());
  }

 private:
  struct Message {
    uint64_t received_ns = 0;
    std::string topic;
    std::string type;
    std::string bytes;
  };
  std::vector<Message> messages_;
};

}  // namespace tests
