#pragma once

#include <string>
#include <vector>

#include "tests/support/onnx_models.h"

namespace tests {

// A file somebody might hand to a robot, and what must come of it.
struct HostileModel {
  std::string name;
  TestModel model;
  std::string says;  // part of the named reason for the refusal
};

// Found by the scan, before ONNX Runtime sees a byte.
std::vector<HostileModel> ModelsTheScanRefuses();
// Refused while it loads or warms up, or by ONNX Runtime itself.
std::vector<HostileModel> ModelsThatDoNotLoad();

// A model that loads, and turns on whoever asks it the question `provoking`.
struct TreacherousModel {
  std::string name;
  TestModel model;  // one input of one element, one output of one
  float harmless = 0;
  float provoking = 0;
};
std::vector<TreacherousModel> ModelsThatTurnWhileServing();

}  // namespace tests
