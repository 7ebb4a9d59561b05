#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/runtime/policy.h"

namespace gatekeeper::sim {

// What the camera above the table of policies/cell sees: 0.43 m of it, a pixel for 2/3 cm.
struct TableView {
  bool part = true;   // one of 2 cm lies there
  double x_m = 0.45;  // in base_link
  double y_m = 0;
  uint64_t seed = 1;  // of the camera's noise
};

inline constexpr size_t kTableSide = 64;  // pixels, as policies/cell/card.yaml asks for

// kTableSide rows of grey bytes: along x, the nearest first; columns along y, from the right.
std::string TablePicture(const TableView& view);

// The joints that hold the fingers 0.25 m above a place on the table, pointing down. `policy` is
// that of policies/cell.
std::vector<double> JointsAbove(const agent::runtime::Policy& policy, double x_m, double y_m);

// The ONNX file of a model that looks for the part in the picture's 8 x 8 block means and says
// where the joints shall go within this period, so that the fingers come to hang above it; and how
// sure it is that there is one.
std::string TrainCellModel(const agent::runtime::Policy& policy);

}  // namespace gatekeeper::sim
