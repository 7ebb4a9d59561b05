#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gatekeeper/bundle/static_checks.h"
#include "gtest/gtest.h"
#include "tests/support/nav_release.h"

namespace tests {

inline constexpr char kPolicy[] = "control_policy.yaml";
inline constexpr char kFallback[] = "fallback_rules.yaml";
inline constexpr char kCard[] = "card.yaml";
inline constexpr char kSite[] = "../site/hall.yaml";

// In `file`, the first `from` after `after` becomes `to`.
struct Change {
  std::string file;
  std::string after;
  std::string from;
  std::string to;
};

inline size_t Place(const std::string& text, const std::string& after, const std::string& what) {
  const size_t from = text.find(after);
  const size_t at = from == std::string::npos ? from : text.find(what, from);
  if (at == std::string::npos) ADD_FAILURE() << "no '" << what << "' after '" << after << "'";
  return at;
}

inline int LineAt(const std::string& text, size_t at) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n'));
}

// The demonstration's documents, for a test to change.
class Documents {
 public:
  Documents() {
    for (const char* file : {kPolicy, kFallback, kCard, kSite}) text_[file] = NavFile(file);
  }

  // The line of the edit's first character that is not a space.
  int Apply(const Change& change) {
    std::string& text = text_[change.file];
    const size_t at = Place(text, change.after, change.from);
    if (at == std::string::npos) return 0;
    text.replace(at, change.from.size(), change.to);
    return LineAt(text, text.find_first_not_of(" \n", at));
  }

  int Line(const std::string& file, const std::string& what) const {
    const std::string& text = text_.at(file);
    const size_t at = text.find(what);
    return at == std::string::npos ? 0 : LineAt(text, at);
  }

  gatekeeper::bundle::RuleSet Rules() const {
    const auto document = [&](const char* file) {
      return gatekeeper::bundle::Document{file, text_.at(file)};
    };
    return {.card = document(kCard),
            .policy = document(kPolicy),
            .fallback = document(kFallback),
            .site = document(kSite),
            .hardware = {"diff-drive-2"},
            .previous = {}};
  }

 private:
  std::map<std::string, std::string> text_;
};

inline std::vector<std::string> Texts(const std::vector<gatekeeper::bundle::Diagnostic>& found) {
  std::vector<std::string> texts;
  for (const gatekeeper::bundle::Diagnostic& diagnostic : found)
    texts.push_back(gatekeeper::bundle::ToString(diagnostic));
  return texts;
}

}  // namespace tests
