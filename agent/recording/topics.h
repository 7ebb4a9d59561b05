#pragma once

#include <string_view>

// The topics of this project's recordings; ObservationWriter says what each carries.
namespace agent::recording {

inline constexpr char kProtobuf[] = "protobuf";  // message and schema encoding

namespace topics {
inline constexpr char kPacket[] = "/packet";
inline constexpr char kScan[] = "/scan";
inline constexpr char kOdom[] = "/odom";
inline constexpr char kPose[] = "/pose";
inline constexpr char kTransform[] = "/tf";
inline constexpr char kScene[] = "/scene";
inline constexpr char kImage[] = "/image";
inline constexpr char kImu[] = "/imu";
inline constexpr char kJoints[] = "/joints";
inline constexpr char kCommand[] = "/command";
inline constexpr char kVerdict[] = "/verdict";
inline constexpr char kHealth[] = "/health";
inline constexpr char kEvent[] = "/event";
inline constexpr std::string_view kSignals = "/signal/";  // + the signal's name
}  // namespace topics

}  // namespace agent::recording
