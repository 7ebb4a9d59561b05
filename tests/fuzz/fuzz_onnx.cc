#include <filesystem>

#include "agent/inference/onnx_scan.h"
#include "tests/fuzz/target.h"

// The scan builds no message: it takes next to no memory, whatever the model claims.
const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 2};

std::vector<std::string> fuzz::Seeds() {
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("policies")) {
    if (entry.path().extension() != ".onnx") continue;
    seeds.push_back(FileText(entry.path().string()));
    // The graph without most of its weights, so that bends hit structure.
    seeds.push_back(seeds.back().substr(0, 512));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::Status status = agent::inference::ScanOnnx(fuzz::Text(data, size));
  fuzz::Check(status.ok() || status.code() == absl::StatusCode::kInvalidArgument,
              "not the model's fault");
  return 0;
}
