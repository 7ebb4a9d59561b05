#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tests {

// A part of a drive, from one second of its log to (not with) another, and the rosbag2 folder to
// write: one MCAP file, called after the folder.
struct CarmenStretch {
  double from_s = 0;
  double to_s = 0;
  std::string folder;
};

// A CARMEN text log (gzip) as a ROS 2 robot would have recorded it.
//   /scan      sensor_msgs/LaserScan in `laser`, which stands in base_link's origin
//   /odom      nav_msgs/Odometry, base_link in odom: the wheels' own poses
//   /tf        odom -> base_link with each of them; map -> odom with each scan, so that base_link
//              stands where the log's correction has it (as a localisation tells)
//   /cmd_vel   geometry_msgs/Twist at the time of each odometry
// Logs that tell no speeds get them from the poses half a second before and behind: their stamps
// come in bursts, so that shorter differences show the bursts.
absl::Status WriteCarmenBags(const std::string& log_gz,
                             const std::vector<CarmenStretch>& stretches);

}  // namespace tests
