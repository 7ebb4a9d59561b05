#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mutation {

enum class Kind { kName, kNumber, kText, kSign };

struct Token {
  Kind kind = Kind::kSign;
  std::string_view text;
  size_t begin = 0;  // offset in the source
  size_t end = 0;
  int line = 0;         // from 1
  size_t partner = 0;   // of a bracket: the index of its other half
  bool spaced = false;  // blank on both sides: how clang-format writes binary operators
};

// The tokens of a C++ source file without comments and preprocessor lines. Brackets are matched;
// angle brackets are not brackets.
std::vector<Token> Tokens(std::string_view source);

}  // namespace mutation
