#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mutation {

// A change of the source: [begin, end) gets a text before and a text behind it, or is replaced by
// `before` when `replaces`. Sites nest or are apart; they never overlap in part.
struct Edit {
  size_t begin = 0;
  size_t end = 0;
  std::string before;
  std::string behind;
  bool replaces = false;
};

struct Mutant {
  int id = 0;
  int line = 0;
  std::string what;  // "'<' becomes '<='"
};

struct Sites {
  std::vector<Edit> edits;
  std::vector<Mutant> mutants;
};

// Every place in the function bodies of a source file, formatted by clang-format, that
// tests/mutation/mutant.h knows another meaning for. Ids count from `first_id`.
Sites FindSites(std::string_view source, int first_id);

// The source with all edits made.
std::string Apply(std::string_view source, std::vector<Edit> edits);

}  // namespace mutation
