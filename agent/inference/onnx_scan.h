#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace agent::inference {

inline constexpr size_t kMaxModelBytes = size_t{512} << 20;
// A chain of 100 000 nodes takes ONNX Runtime 5-10 s to load; real robot models stay below 2 000.
inline constexpr size_t kMaxNodes = 20'000;
// Each level of nested If doubles the load time of some releases; real models use 4.
inline constexpr size_t kMaxNesting = 8;
// A node has some thirty fields, a tensor ten: more than this is made to keep a reader busy.
inline constexpr size_t kMaxFields = 2'000'000;
inline constexpr size_t kMaxRank = 16;
// What the pinned release (1.27) knows; an older one says itself what it lacks.
inline constexpr uint64_t kMinIrVersion = 3;  // the first that names its operator sets
inline constexpr uint64_t kMaxIrVersion = 13;
inline constexpr uint64_t kMaxOpset = 26;

// Looks through the protobuf wire bytes of an ONNX file before any runtime sees them, in one pass
// without building a message. kInvalidArgument names what was found: not a protobuf, no graph or
// two, an ORT-format file, an IR version or operator set nobody here knows, external data, an
// operator domain other than "" and ai.onnx, local functions, training graphs, Loop or Scan, more
// than kMaxNodes nodes, kMaxNesting nested graphs, kMaxFields fields or kMaxRank dimensions, a
// tensor whose dimensions do not go with its bytes, more than kMaxModelBytes. It proves nothing
// about what the model computes. At most 1 ms per 10 MB of weights.
absl::Status ScanOnnx(std::string_view bytes);

}  // namespace agent::inference
