#pragma once

#include <cstdint>
#include <string_view>

#include "proto/ingest.pb.h"
#include "proto/robot.pb.h"

namespace gatekeeper::ingest {

// A grid of costs, row by row from its origin.
struct CostGrid {
  uint32_t width = 0;
  uint32_t height = 0;
  double resolution_m = 0;
  double yaw_rad = 0;         // of the grid's first axis, in the frame that the robot's yaw is in
  std::string_view cells;     // width x height, one byte each
  uint32_t unknown_cost = 0;  // a cell that nobody has seen; it is no obstacle and hides none
};

// What a laser with `wanted.beams` beams all around would see from the middle of the grid, where a
// rolling costmap keeps its robot, at this yaw. A beam ends where it enters the first cell of
// `wanted.min_cost` or more; infinite when there is none within `wanted.range_m` and the grid.
v1::LaserScan ScanOfGrid(const CostGrid& grid, double yaw_rad, const v1::GridScan& wanted);

}  // namespace gatekeeper::ingest
