#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/support/sealed_unit.h"

namespace tests::journeys {

// The units of a journey, and what makes printed text the same in every run: digests and key ids
// become names.
class UnitBook {
 public:
  UnitBook();

  void Add(SealedUnit unit, Sealing sealing);
  // Null: there is none.
  const SealedUnit* Find(const std::string& title) const;
  // May a robot ever hold or run it?
  bool IsSound(const std::string& digest) const { return sound_.contains(digest); }

  // "nav@1.0.0", or "rules" for an empty digest.
  std::string TitleOf(const std::string& digest) const;
  // `text` with every known hex digest, whole or cut to 12 digits, by its name; other hex of 12 and
  // more digits becomes "#".
  std::string Named(const std::string& text) const;

 private:
  std::map<std::string, SealedUnit> units_;   // by title
  std::set<std::string> sound_;               // digests
  std::map<std::string, std::string> names_;  // hex -> name
};

}  // namespace tests::journeys
