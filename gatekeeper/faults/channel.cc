#include "gatekeeper/faults/channel.h"

#include <algorithm>

namespace gatekeeper::faults {
namespace {

// Calls `visit` with the channel's message to be changed, if the observation has it.
template <class Visit>
void Change(v1::Observation& observation, const std::string& channel, const Visit& visit) {
  if (channel == "scan") {
    if (observation.has_scan()) visit(*observation.mutable_scan());
  } else if (channel == "odom") {
    if (observation.has_odom()) visit(*observation.mutable_odom());
  } else if (channel == "image") {
    if (observation.has_image()) visit(*observation.mutable_image());
  } else if (channel == "imu") {
    if (observation.has_imu()) visit(*observation.mutable_imu());
  } else if (channel == "joints") {
    if (observation.has_joints()) visit(*observation.mutable_joints());
  } else {
    const auto signal = observation.mutable_signals()->find(channel);
    if (signal != observation.mutable_signals()->end()) visit(signal->second);
  }
}

// The numbers of one message, each given to `take` by reference.
template <class Take>
void Each(v1::LaserScan&, const Take&) {}
template <class Take>
void Each(v1::Image&, const Take&) {}

// A field of a message as something to read and write.
#define GATEKEEPER_FIELD(message, field) \
  do {                                   \
    double number = (message).field();   \
    take(number);                        \
    (message).set_##field(number);       \
  } while (false)

template <class Take>
void Each(v1::Odometry& odom, const Take& take) {
  GATEKEEPER_FIELD(odom, x_m);
  GATEKEEPER_FIELD(odom, y_m);
  GATEKEEPER_FIELD(odom, yaw_rad);
  GATEKEEPER_FIELD(odom, vx_mps);
  GATEKEEPER_FIELD(odom, wz_radps);
}
template <class Take>
void Each(v1::Imu& imu, const Take& take) {
  GATEKEEPER_FIELD(imu, ax_mps2);
  GATEKEEPER_FIELD(imu, ay_mps2);
  GATEKEEPER_FIELD(imu, az_mps2);
  GATEKEEPER_FIELD(imu, gx_radps);
  GATEKEEPER_FIELD(imu, gy_radps);
  GATEKEEPER_FIELD(imu, gz_radps);
}
template <class Take>
void Each(v1::Signal& signal, const Take& take) {
  GATEKEEPER_FIELD(signal, value);
}
#undef GATEKEEPER_FIELD

template <class Take>
void Each(v1::JointState& joints, const Take& take) {
  for (double& angle : *joints.mutable_q_rad()) take(angle);
  for (double& speed : *joints.mutable_qd_radps()) take(speed);
}

}  // namespace

bool Has(const v1::Observation& observation, const std::string& channel) {
  if (channel == "scan") return observation.has_scan();
  if (channel == "odom") return observation.has_odom();
  if (channel == "image") return observation.has_image();
  if (channel == "imu") return observation.has_imu();
  if (channel == "joints") return observation.has_joints();
  return observation.signals().contains(channel);
}

void Remove(const std::string& channel, v1::Observation& observation) {
  if (channel == "scan") observation.clear_scan();
  if (channel == "odom") observation.clear_odom();
  if (channel == "image") observation.clear_image();
  if (channel == "imu") observation.clear_imu();
  if (channel == "joints") observation.clear_joints();
  observation.mutable_signals()->erase(channel);
}

v1::Observation Only(const std::string& channel, const v1::Observation& observation) {
  v1::Observation part;
  part.set_seq(observation.seq());
  part.set_stamp_ns(observation.stamp_ns());
  part.set_want_command(observation.want_command());
  part.set_estop_pressed(observation.estop_pressed());
  part.set_network_up(observation.network_up());
  if (channel == "scan") {
    *part.mutable_scan() = observation.scan();
  } else if (channel == "odom") {
    *part.mutable_odom() = observation.odom();
  } else if (channel == "image") {
    *part.mutable_image() = observation.image();
  } else if (channel == "imu") {
    *part.mutable_imu() = observation.imu();
  } else if (channel == "joints") {
    *part.mutable_joints() = observation.joints();
  } else {
    (*part.mutable_signals())[channel] = observation.signals().at(channel);
  }
  return part;
}

void FillGaps(const v1::Observation& older, v1::Observation& newer) {
  if (!newer.has_scan() && older.has_scan()) *newer.mutable_scan() = older.scan();
  if (!newer.has_odom() && older.has_odom()) *newer.mutable_odom() = older.odom();
  if (!newer.has_image() && older.has_image()) *newer.mutable_image() = older.image();
  if (!newer.has_imu() && older.has_imu()) *newer.mutable_imu() = older.imu();
  if (!newer.has_joints() && older.has_joints()) *newer.mutable_joints() = older.joints();
  for (const auto& [name, signal] : older.signals())
    newer.mutable_signals()->insert({name, signal});
}

int64_t StampOf(const v1::Observation& observation, const std::string& channel) {
  int64_t stamp = 0;
  if (channel == "scan") {
    stamp = observation.scan().stamp_ns();
  } else if (channel == "odom") {
    stamp = observation.odom().stamp_ns();
  } else if (channel == "image") {
    stamp = observation.image().stamp_ns();
  } else if (channel == "imu") {
    stamp = observation.imu().stamp_ns();
  } else if (channel == "joints") {
    stamp = observation.joints().stamp_ns();
  } else if (const auto signal = observation.signals().find(channel);
             signal != observation.signals().end()) {
    stamp = signal->second.stamp_ns();
  }
  return stamp != 0 ? stamp : observation.stamp_ns();
}

void SetStamp(const std::string& channel, int64_t stamp_ns, v1::Observation& observation) {
  Change(observation, channel, [&](auto& message) { message.set_stamp_ns(stamp_ns); });
  observation.set_stamp_ns(stamp_ns);
}

void ShiftStamps(int64_t by_ns, v1::Observation& observation) {
  const auto shift = [&](auto& message) {
    if (message.stamp_ns() != 0) message.set_stamp_ns(Later(message.stamp_ns(), by_ns));
  };
  shift(observation);
  for (const char* channel : {"scan", "odom", "image", "imu", "joints"})
    Change(observation, channel, shift);
  for (auto& [name, signal] : *observation.mutable_signals()) shift(signal);
}

std::vector<double> Numbers(const v1::Observation& observation, const std::string& channel) {
  std::vector<double> numbers;
  if (!Has(observation, channel)) return numbers;
  v1::Observation part = Only(channel, observation);
  Change(part, channel,
         [&](auto& message) { Each(message, [&](double& number) { numbers.push_back(number); }); });
  return numbers;
}

void SetNumbers(const std::string& channel, const std::vector<double>& numbers,
                v1::Observation& observation) {
  size_t next = 0;
  Change(observation, channel, [&](auto& message) {
    Each(message, [&](double& number) {
      if (next < numbers.size()) number = numbers[next++];
    });
  });
}

}  // namespace gatekeeper::faults
