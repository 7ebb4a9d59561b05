#pragma once

#include <string_view>

namespace gatekeeper::ingest {

// The definitions of the ROS 2 types that most robots record, for bags that hold none: std_msgs,
// builtin_interfaces, geometry_msgs, sensor_msgs, nav_msgs, tf2_msgs, rosgraph_msgs. One text in
// the form of ParseRosDefinition.
std::string_view CommonRosTypes();

}  // namespace gatekeeper::ingest
