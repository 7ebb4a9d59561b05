#include "tests/fuzz/mutator.h"

#include <algorithm>

namespace fuzz {
namespace {

// Where lengths, counts and signs turn over.
constexpr uint64_t kTurns[] = {
    0,          1,          0x7f,       0x80,    0xff,    0x7fff,    0xffff,
    0x7fffffff, 0x80000000, 0xffffffff, 1 << 20, 1 << 30, INT64_MAX, uint64_t{1} << 63,
    UINT64_MAX};

}  // namespace

std::string Mutator::Next() {
  std::string input = corpus_[Below(corpus_.size())];
  const size_t times = 1 + Below(8);
  for (size_t i = 0; i < times; ++i) Bend(input);
  if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
  return input;
}

void Mutator::Bend(std::string& input) {
  const size_t at = Below(input.size());
  const size_t length = 1 + Below(std::min<size_t>(input.size() - at, size_t{1} << Below(12)));
  switch (Below(10)) {
    case 0:
    case 1:
      if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
      return;
    case 2:
      if (!input.empty()) input[at] = static_cast<char>(random_());
      return;
    case 3:
      input.insert(at, 1 + Below(16), static_cast<char>(random_()));
      return;
    case 4:
      input.erase(at, length);
      return;
    case 5:
      input.insert(at, input.substr(at, length));
      return;
    case 6:
      if (Below(4) == 0) input.resize(at);
      return;
    case 7:
      PutNumber(input);
      return;
    default:
      Splice(input);
      return;
  }
}

void Mutator::PutNumber(std::string& input) {
  uint64_t value = kTurns[Below(std::size(kTurns))];
  if (Below(2) == 0) value = input.size() + Below(5) - 2;
  const size_t width = size_t{1} << Below(4);
  if (input.size() < width) return;
  const size_t at = Below(input.size() - width + 1);
  const bool big_endian = Below(4) == 0;
  for (size_t i = 0; i < width; ++i) {
    const size_t byte = big_endian ? width - 1 - i : i;
    input[at + i] = static_cast<char>(value >> (8 * byte) & 0xff);
  }
}

// A part of any input of the corpus, over or between what stands there.
void Mutator::Splice(std::string& input) {
  const std::string& other = corpus_[Below(corpus_.size())];
  if (other.empty()) return;
  const size_t from = Below(other.size());
  const std::string part = other.substr(from, 1 + Below(size_t{1} << Below(10)));
  const size_t at = Below(input.size() + 1);
  input.replace(at, Below(2) == 0 ? part.size() : 0, part);
}

}  // namespace fuzz
