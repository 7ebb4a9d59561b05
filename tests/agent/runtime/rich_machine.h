#pragma once

#include <string>
#include <utility>

#include "agent/runtime/fallback_machine.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/rules_world.h"

// The fallback machine of the rich rules, driven tick by tick.

namespace agent::runtime {

class RichMachineTest : public testing::Test {
 protected:
  RichMachineTest() : RichMachineTest(tests::RichRules()) {}
  explicit RichMachineTest(Fallback rules) : rules_(std::move(rules)) {}
  TriggerMask Mask(const std::string& id) const {
    for (size_t i = 0; i < rules_.triggers().size(); ++i) {
      if (rules_.triggers()[i].id == id) return MaskOf(i);
    }
    ADD_FAILURE() << id;
    return 0;
  }
  void Live(TriggerMask raised, Nanos time) {
    const Nanos end = now_ + time;
    while (now_ < end) {
      now_ += tests::kPeriod;
      Advance(rules_,
              {.raised = raised,
               .previous_runs = true,
               .standing = standing_,
               .now = now_,
               .fresh = ~InputMask{0},
               .zones = zones_,
               .driven = driven_},
              status_);
    }
  }
  void Once(TriggerMask raised) { Live(raised, tests::kPeriod); }
  // Nothing happens for a long time, which a machine that is asked seldom sees as well.
  void Rest(Nanos time) {
    now_ += time - tests::kPeriod;
    Once(0);
  }
  const std::string& state() const { return rules_.states()[status_.state].name; }

  const Fallback rules_;
  FallbackStatus status_;
  Nanos now_ = tests::kStartOfTime;
  bool standing_ = false;
  ZoneMask zones_ = 0;
  Nanos driven_ = tests::kPeriod;
};

// The rich rules after a change.
inline Fallback RulesWith(void (*change)(tests::Rules&)) {
  tests::Rules document = tests::RichFallbackDocument();
  change(document);
  auto rules = Fallback::Compile(document, tests::Compiled(tests::RichPolicyDocument()));
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

}  // namespace agent::runtime
