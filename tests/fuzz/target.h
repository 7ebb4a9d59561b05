#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What each fuzz program states about one parser of outside bytes.
namespace fuzz {

// The most memory that one input may take, at its peak: whatever a length in the bytes claims.
struct Allowance {
  size_t base_bytes = 0;
  size_t per_input_byte = 0;
};
extern const Allowance kAllowance;

// Well-formed inputs to start from.
std::vector<std::string> Seeds();

// Ends the program: the input breaks what the parser promises.
[[noreturn]] void Fail(std::string_view what);
inline void Check(bool holds, std::string_view what) {
  if (!holds) Fail(what);
}

// While one lives, memory is not counted: for the other side of a comparison.
class Unmeasured {
 public:
  Unmeasured();
  ~Unmeasured();
  Unmeasured(const Unmeasured&) = delete;
  Unmeasured& operator=(const Unmeasured&) = delete;
};

inline std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A file of the checkout; ends the program when it is not there (run from the checkout's root).
std::string FileText(const std::string& path);
// The first `most` bytes of a shared recording; empty when the recordings are not at hand.
std::string RecordingBytes(const std::string& name, size_t most);

}  // namespace fuzz

// The parser under test, as libFuzzer calls it. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
