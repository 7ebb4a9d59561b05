#pragma once

#include <string>

#include "absl/status/status.h"

namespace tests {

// The drive of a CARMEN text log (gzip) from one second of it to another, as a ROS 2 robot would
// have recorded it: a rosbag2 folder with one MCAP file, called after the folder.
//   /scan      sensor_msgs/LaserScan in `laser`, which stands in base_link's origin
//   /odom      nav_msgs/Odometry, base_link in odom: the wheels' own poses
//   /tf        odom -> base_link with each of them; map -> odom with each scan, so that base_link
//              stands where the log's correction has it (as a localisation tells)
//   /cmd_vel   geometry_msgs/Twist at the time of each odometry
// Logs that tell no speeds get them from the poses half a second before and behind: their stamps
// come in bursts, so that shorter differences show the bursts.
absl::Status WriteCarmenBag(const std::string& log_gz, double from_s, double to_s,
                            const std::string& folder);

}  // namespace tests
