#include "gatekeeper/ingest/common_types.h"

namespace gatekeeper::ingest {
namespace {

// Names, order and kinds of the fields as the interface packages of ROS 2 publish them; only types
// that are the same in every distribution (sensor_msgs/Range is not).
constexpr std::string_view kDefinitions = R"(===
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
===
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
===
MSG: rosgraph_msgs/Clock
builtin_interfaces/Time clock
===
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
===
MSG: std_msgs/Empty
===
MSG: std_msgs/Bool
bool data
===
MSG: std_msgs/String
string data
===
MSG: std_msgs/Int32
int32 data
===
MSG: std_msgs/UInt32
uint32 data
===
MSG: std_msgs/Int64
int64 data
===
MSG: std_msgs/Float32
float32 data
===
MSG: std_msgs/Float64
float64 data
===
MSG: std_msgs/MultiArrayDimension
string label
uint32 size
uint32 stride
===
MSG: std_msgs/MultiArrayLayout
MultiArrayDimension[] dim
uint32 data_offset
===
MSG: std_msgs/Float32MultiArray
MultiArrayLayout layout
float32[] data
===
MSG: std_msgs/Float64MultiArray
MultiArrayLayout layout
float64[] data
===
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
===
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
===
MSG: geometry_msgs/Point32
float32 x
float32 y
float32 z
===
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w
===
MSG: geometry_msgs/Pose
Point position
Quaternion orientation
===
MSG: geometry_msgs/PoseStamped
std_msgs/Header header
Pose pose
===
MSG: geometry_msgs/PoseWithCovariance
Pose pose
float64[36] covariance
===
MSG: geometry_msgs/PoseWithCovarianceStamped
std_msgs/Header header
PoseWithCovariance pose
===
MSG: geometry_msgs/Twist
Vector3 linear
Vector3 angular
===
MSG: geometry_msgs/TwistStamped
std_msgs/Header header
Twist twist
===
MSG: geometry_msgs/TwistWithCovariance
Twist twist
float64[36] covariance
===
MSG: geometry_msgs/Transform
Vector3 translation
Quaternion rotation
===
MSG: geometry_msgs/TransformStamped
std_msgs/Header header
string child_frame_id
Transform transform
===
MSG: geometry_msgs/Wrench
Vector3 force
Vector3 torque
===
MSG: geometry_msgs/WrenchStamped
std_msgs/Header header
Wrench wrench
===
MSG: tf2_msgs/TFMessage
geometry_msgs/TransformStamped[] transforms
===
MSG: sensor_msgs/LaserScan
std_msgs/Header header
float32 angle_min
float32 angle_max
float32 angle_increment
float32 time_increment
float32 scan_time
float32 range_min
float32 range_max
float32[] ranges
float32[] intensities
===
MSG: sensor_msgs/Imu
std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance
===
MSG: sensor_msgs/JointState
std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
===
MSG: sensor_msgs/Image
std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
===
MSG: sensor_msgs/CompressedImage
std_msgs/Header header
string format
uint8[] data
===
MSG: sensor_msgs/BatteryState
std_msgs/Header header
float32 voltage
float32 temperature
float32 current
float32 charge
float32 capacity
float32 design_capacity
float32 percentage
uint8 power_supply_status
uint8 power_supply_health
uint8 power_supply_technology
bool present
float32[] cell_voltage
float32[] cell_temperature
string location
string serial_number
===
MSG: sensor_msgs/Temperature
std_msgs/Header header
float64 temperature
float64 variance
===
MSG: nav_msgs/MapMetaData
builtin_interfaces/Time map_load_time
float32 resolution
uint32 width
uint32 height
geometry_msgs/Pose origin
===
MSG: nav_msgs/OccupancyGrid
std_msgs/Header header
MapMetaData info
int8[] data
===
MSG: nav_msgs/Path
std_msgs/Header header
geometry_msgs/PoseStamped[] poses
===
MSG: nav_msgs/Odometry
std_msgs/Header header
string child_frame_id
geometry_msgs/PoseWithCovariance pose
geometry_msgs/TwistWithCovariance twist
)";

}  // namespace

std::string_view CommonRosTypes() { return kDefinitions; }

}  // namespace gatekeeper::ingest
