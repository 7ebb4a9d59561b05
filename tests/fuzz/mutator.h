#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace fuzz {

inline constexpr size_t kMaxInputBytes = size_t{1} << 16;

// Bends well-formed inputs: bits, bytes, lengths and counts, repeated and missing parts, parts of
// other inputs. The same seed bends the same way.
class Mutator {
 public:
  Mutator(std::vector<std::string> corpus, uint64_t seed)
      : corpus_(std::move(corpus)), random_(seed) {}

  // One of the corpus, bent one to eight times. At most kMaxInputBytes.
  std::string Next();

 private:
  size_t Below(size_t n) { return n == 0 ? 0 : random_() % n; }
  void Bend(std::string& input);
  void PutNumber(std::string& input);
  void Splice(std::string& input);

  std::vector<std::string> corpus_;
  std::mt19937_64 random_;
};

}  // namespace fuzz
