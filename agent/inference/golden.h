#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/model.h"

namespace agent::inference {

inline constexpr size_t kMaxGoldenBytes = size_t{32} << 20;
inline constexpr size_t kMaxGoldenCases = 256;

// Answers that a model is known to give: proof, before it drives, that this computer and library
// compute what the release's makers saw. `model/golden.json` of a unit:
//   {"schema": "golden/1", "numerics_key": "...", "abs_tolerance": 1e-4, "rel_tolerance": 1e-3,
//    "inputs": ["scan"], "outputs": ["command"],
//    "cases": [{"inputs": [[...]], "outputs": [[...]]}]}
// Each case holds one flat, row-major list of finite float32 a tensor, in the order of the names.
struct Golden {
  struct Case {
    std::vector<std::vector<float>> inputs;
    std::vector<std::vector<float>> outputs;
  };
  std::string numerics_key;  // of the machine that made it
  double abs_tolerance = 0;  // under another key: |found - golden| <= abs + rel * |golden|
  double rel_tolerance = 0;
  std::vector<std::string> inputs;  // tensor names
  std::vector<std::string> outputs;
  std::vector<Case> cases;  // at least one
};

// kInvalidArgument names what is wrong: anything but the form above, a number that is not a finite
// float32, a tolerance below 0 or above 1, more than kMaxGoldenBytes or kMaxGoldenCases.
absl::StatusOr<Golden> ParseGolden(std::string_view json);
std::string WriteGolden(const Golden& golden);

// That the golden tensors are exactly those of `signature`, with as many elements.
absl::Status CheckGoldenFits(const Golden& golden, const base::ModelSignature& signature);

// Runs every case. Under the golden's own key the outputs must be equal bit for bit, under another
// one within its tolerance. kDataLoss names the first output that differs, what was found and
// wanted; kInvalidArgument: CheckGoldenFits' or a run that failed.
absl::Status CheckGolden(const Golden& golden, std::string_view numerics_key, base::Model& model);

// Records `cases` answers of `model`: to zeros, to ones, then to numbers in [-1, 1) from `seed`.
// Fewer cases when a file of them would be too large. kInvalidArgument: a run failed or answered
// with a number that is not finite, which nobody may drive by.
absl::StatusOr<Golden> RecordGolden(base::Model& model, const std::string& numerics_key,
                                    size_t cases, uint64_t seed);

}  // namespace agent::inference
