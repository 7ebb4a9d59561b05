#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gatekeeper/faults/stream.h"

// Ten seconds of a robot's packets at 20 Hz, made up, with every channel there is.

namespace gatekeeper::faults {

inline constexpr int64_t kStart_ns = 100'000'000'000;
inline constexpr int64_t kPeriod_ns = 50'000'000;
inline constexpr int64_t kStampsBehind_ns = 7'000'000;  // the sender's clock
inline constexpr int64_t kOnset_ns = kStart_ns + 2'000'000'000;
inline constexpr int64_t kEnd_ns = kStart_ns + 4'000'000'000;
inline const std::vector<std::string> kChannels = {"scan", "odom",   "image",
                                                   "imu",  "joints", "goal_bearing_rad"};

inline v1::Observation PacketOf(int number) {
  const int64_t stamp = kStart_ns + number * kPeriod_ns - kStampsBehind_ns;
  v1::Observation packet;
  packet.set_seq(static_cast<uint64_t>(number));
  packet.set_stamp_ns(stamp);
  packet.set_network_up(true);
  v1::LaserScan& scan = *packet.mutable_scan();
  scan.set_stamp_ns(stamp);
  scan.set_angle_min_rad(-1);
  scan.set_angle_increment_rad(0.05);
  for (int beam = 0; beam < 41; ++beam)
    scan.add_ranges_m(2 + 0.1F * static_cast<float>((beam + number) % 10));
  v1::Odometry& odom = *packet.mutable_odom();
  odom.set_stamp_ns(stamp);
  odom.set_x_m(0.02 * number);
  odom.set_yaw_rad(0.001 * number);
  odom.set_vx_mps(0.4);
  odom.set_wz_radps(0.02);
  v1::Image& image = *packet.mutable_image();
  image.set_stamp_ns(stamp);
  image.set_width(24);
  image.set_height(17);  // no multiple of 8
  image.set_encoding("mono8");
  for (int i = 0; i < 24 * 17; ++i)
    image.mutable_data()->push_back(static_cast<char>((i * 7 + number) % 200 + 20));
  packet.mutable_imu()->set_stamp_ns(stamp);
  packet.mutable_imu()->set_az_mps2(9.81);
  packet.mutable_joints()->set_stamp_ns(stamp);
  for (double angle : {0.1, 0.2, 0.3}) packet.mutable_joints()->add_q_rad(angle + 0.001 * number);
  v1::Signal& bearing = (*packet.mutable_signals())["goal_bearing_rad"];
  bearing.set_stamp_ns(stamp);
  bearing.set_value(0.3);
  return packet;
}

// What comes out when the packets go through the transforms, one behind the other.
inline std::vector<Message> Through(std::vector<std::unique_ptr<Transform>> stages) {
  Stream stream(std::move(stages));
  std::vector<Message> out;
  for (int number = 0; number < 200; ++number) {
    const int64_t at = kStart_ns + number * kPeriod_ns;
    stream.Take({at, at, PacketOf(number)});
    for (Message& message : stream.Due(at)) out.push_back(std::move(message));
  }
  for (Message& message : stream.Due(INT64_MAX)) out.push_back(std::move(message));
  return out;
}
inline std::vector<Message> Through(std::unique_ptr<Transform> stage) {
  std::vector<std::unique_ptr<Transform>> stages;
  stages.push_back(std::move(stage));
  return Through(std::move(stages));
}

inline std::string Bytes(const std::vector<Message>& messages) {
  std::string bytes;
  for (const Message& message : messages) {
    bytes += std::to_string(message.at_ns) + "/" + std::to_string(message.recorded_ns) + ":";
    // One signal at most: its map has one order only.
    bytes += message.observation.SerializeAsString();
  }
  return bytes;
}

}  // namespace gatekeeper::faults
