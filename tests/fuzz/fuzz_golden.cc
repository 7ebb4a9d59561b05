#include "agent/inference/golden.h"
#include "tests/fuzz/target.h"

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 8'192, .per_input_byte = 64};

std::vector<std::string> fuzz::Seeds() {
  agent::inference::Golden golden;
  golden.numerics_key = "onnxruntime 1.27.0; cpu; x86-64";
  golden.abs_tolerance = 1e-4;
  golden.rel_tolerance = 1e-3;
  golden.inputs = {"scan", "odom"};
  golden.outputs = {"command"};
  golden.cases = {{{{0, 1, -1e-30F}, {3}}, {{0.5F, 2}}}, {{{1, 2, 3}, {4}}, {{0, -1}}}};
  return {agent::inference::WriteGolden(golden)};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto golden = agent::inference::ParseGolden(fuzz::Text(data, size));
  if (!golden.ok()) return 0;
  const auto again = agent::inference::ParseGolden(agent::inference::WriteGolden(*golden));
  fuzz::Check(again.ok(), "what was read cannot be written");
  fuzz::Check(again->cases.size() == golden->cases.size(), "written golden answers are others");
  return 0;
}
