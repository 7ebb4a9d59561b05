#include "gatekeeper/gates/leakage.h"
#include "tests/fuzz/target.h"

// The list of what a model was trained on: whoever trains it hands it in.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 65'536, .per_input_byte = 64};

std::vector<std::string> fuzz::Seeds() {
  const std::string digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  return {
      digest + "\n", "# a remark\n\n" + digest + " dhash:0123456789abcdef # another\r\n" + digest,
      digest + " dhash:ffffffffffffffff\n" + std::string(64, 'f') + " dhash:0000000000000000\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gatekeeper::gates::TrainingSet;
  const auto set =
      TrainingSet::Parse({.file = "train.txt", .text = std::string(fuzz::Text(data, size))});
  if (!set.ok()) {
    fuzz::Check(set.status().code() == absl::StatusCode::kInvalidArgument,
                "not the writer's fault");
    fuzz::Check(set.status().message().substr(0, 10) == "train.txt:", "an error without its place");
    return 0;
  }
  fuzz::Check(set->size() <= size / 64, "more samples than digests");
  fuzz::Check(set->Nearest(0) <= gatekeeper::gates::kNearBits, "too far to be near");
  return 0;
}
