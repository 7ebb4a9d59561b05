#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace agent::inference {

inline constexpr size_t kMaxModelBytes = size_t{512} << 20;
// A chain of 100 000 nodes takes ONNX Runtime 5-10 s to load; real robot models stay below 2 000.
inline constexpr size_t kMaxNodes = 20'000;
// Each level of nested If doubles the load time of some releases; real models use 4.
inline constexpr size_t kMaxNesting = 8;

// Looks through the protobuf wire bytes of an ONNX file before any runtime sees them, in one pass
// without building a message. kInvalidArgument names what was found: not a protobuf or no graph, an
// ORT-format file, external data, an operator domain other than "" and ai.onnx, local functions,
// training graphs, Loop or Scan, more than kMaxNodes nodes or kMaxNesting nested graphs, a tensor
// that claims more elements than its bytes can hold, more than kMaxModelBytes. It proves nothing
// about what the model computes.
absl::Status ScanOnnx(std::string_view bytes);

}  // namespace agent::inference
