#pragma once

#include <string>

#include "agent/runtime/rule_id.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/rules_world.h"

// Seeded defects of the rich rules, each refused by the document path of the defect and by the rule
// that it breaks.

namespace tests {

using R = v1::FallbackRules;

struct Defect {
  const char* rule;
  const char* path;
  const char* text;  // a part of the refusal
  void (*seed)(R&);
};

inline void PrintTo(const Defect& defect, std::ostream* out) {
  *out << defect.rule << ' ' << defect.path << ": " << defect.text;
}

// Fails the test unless the rules with this defect are refused by its path, text and rule.
inline void ExpectRefused(const Defect& defect) {
  R rules = RichFallbackDocument();
  defect.seed(rules);
  const auto compiled = agent::runtime::Fallback::Compile(rules, Compiled(RichPolicyDocument()));
  EXPECT_THAT(compiled,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(testing::StartsWith(std::string("[") + defect.path + "] "),
                                      testing::HasSubstr(defect.text))));
  EXPECT_EQ(agent::runtime::RuleOf(compiled.status()), defect.rule);
}

}  // namespace tests
