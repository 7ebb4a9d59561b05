#include <algorithm>
#include <bit>
#include <random>
#include <set>

#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/fallback_machine.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/rules_world.h"
#include "tests/support/cases.h"

// Every set of triggers, from every state, in every order of clearing, with the network off: for
// the demo robot's rules and for the rich ones.

namespace agent::runtime {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::tests::kPeriod;
using ::tests::kStartOfTime;
namespace v1 = ::gatekeeper::v1;

// What the machine is told of besides triggers.
struct Surroundings {
  bool previous = false;
  bool inputs = false;  // what states need is fresh
  bool brakes = false;  // the robot stands within the time that its stop is declared to take

  bool operator<(const Surroundings& other) const {
    return std::tie(previous, inputs, brakes) <
           std::tie(other.previous, other.inputs, other.brakes);
  }
};

std::vector<Surroundings> AllSurroundings() {
  std::vector<Surroundings> all;
  for (int bits = 0; bits < 8; ++bits) {
    all.push_back({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0});
  }
  return all;
}

class Walk {
 public:
  Walk(const Fallback& rules, const Surroundings& surroundings)
      : rules_(rules), surroundings_(surroundings) {}

  void Step(TriggerMask raised, Nanos time) {
    now_ += time;
    const StateRule& before = rules_.states()[status.state];
    const bool stopping = before.driver == Driver::kStop;
    Advance(rules_,
            {.raised = raised,
             .previous_runs = surroundings_.previous,
             .standing = before.driver == Driver::kHold || (stopping && surroundings_.brakes),
             .now = now_,
             .fresh = surroundings_.inputs ? ~InputMask{0} : 0,
             .driven = time},
            status);
  }
  const StateRule& state() const { return rules_.states()[status.state]; }
  Nanos now() const { return now_; }

  FallbackStatus status;

 private:
  const Fallback& rules_;
  Surroundings surroundings_;
  Nanos now_ = kStartOfTime;
};

class ExploreTest : public testing::TestWithParam<bool> {
 protected:
  TriggerMask sets() const { return MaskOf(rules_.latched()); }  // the machine's own come last
  TriggerMask Loss() const {
    TriggerMask loss = MaskOf(rules_.model_failed());
    for (TriggerIndex i = 0; i < rules_.latched(); ++i) {
      const std::string& id = rules_.triggers()[i].id;
      if (id == "input_stale" || id == "deadline_miss" || id == "nonfinite") loss |= MaskOf(i);
    }
    return loss;
  }
  // The longest that a place can take from this state to a minimal risk condition while its trigger
  // lasts; nothing where it need not end.
  std::optional<Nanos> LongestWay(StateIndex state) const {
    const StateRule& rule = rules_.states()[state];
    if (rule.driver == Driver::kStop || rule.minimal_risk) {
      return LongestStop(rules_, state, kPeriod);
    }
    if (!rule.otherwise) return std::nullopt;
    const std::optional<Nanos> rest = LongestWay(*rule.otherwise);
    return rest ? std::optional(rule.max_dwell + *rest) : std::nullopt;
  }

  const Fallback rules_ = GetParam() ? tests::RichRules() : tests::NavRules();
};

INSTANTIATE_TEST_SUITE_P(Rules, ExploreTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Rich" : "Nav"; });

TEST_P(ExploreTest, EverySetWithAStopReachesAMinimalRiskConditionWithinTheBound) {
  int stops = 0;
  for (const Surroundings& surroundings : AllSurroundings()) {
    for (TriggerMask set = 0; set < sets(); ++set) {
      const TriggerMask raised = set | MaskOf(rules_.network_down());
      Walk walk(rules_, surroundings);
      Nanos longest{0};
      for (TriggerIndex i = 0; i < rules_.latched(); ++i) {
        const TriggerRule& rule = rules_.triggers()[i];
        if ((raised & MaskOf(i)) == 0 || !IsStop(rules_.states()[rule.to])) continue;
        longest = std::max(longest, rules_.mrc_within() - rule.detect);
      }
      if (longest == Nanos{0}) continue;
      ++stops;
      const Nanos fault = walk.now();
      walk.Step(raised, Nanos{0});
      while (!walk.state().minimal_risk) {
        walk.Step(raised, kPeriod);
        ASSERT_LE(walk.now() - fault, longest) << "triggers " << raised;
      }
    }
  }
  EXPECT_GT(stops, 8 * 256);
}

TEST_P(ExploreTest, EveryLossOfTheModelEndsInAMinimalRiskConditionFromEveryState) {
  for (const Surroundings& surroundings : AllSurroundings()) {
    for (TriggerIndex first = 0; first < rules_.latched(); ++first) {
      for (TriggerIndex lost = 0; lost < rules_.latched(); ++lost) {
        if ((Loss() & MaskOf(lost)) == 0) continue;
        Walk walk(rules_, surroundings);
        walk.Step(MaskOf(first), Nanos{0});
        walk.Step(MaskOf(first), kPeriod);
        const TriggerMask raised = MaskOf(first) | MaskOf(lost) | MaskOf(rules_.network_down());
        const std::optional<Nanos> longest = LongestWay(rules_.triggers()[lost].to);
        ASSERT_TRUE(longest.has_value());
        const Nanos begin = walk.now();
        while (!walk.state().minimal_risk) {
          walk.Step(raised, kPeriod);
          ASSERT_LE(walk.now() - begin, *longest + kPeriod)
              << first << " then " << lost << ": the sum of all dwells and the stop";
        }
      }
    }
  }
}

TEST_P(ExploreTest, AnotherTriggerNeverGivesALowerRank) {
  // By set: states every half second.
  std::map<Surroundings, std::vector<std::vector<StateIndex>>> walks;
  for (const Surroundings& surroundings : AllSurroundings()) {
    for (TriggerMask set = 0; set < sets(); ++set) {
      Walk walk(rules_, surroundings);
      std::vector<StateIndex>& states = walks[surroundings].emplace_back();
      for (int tick = 0; tick < 150; ++tick) {
        walk.Step(set, milliseconds(500));
        states.push_back(walk.status.state);
      }
    }
  }
  for (const auto& [surroundings, by_set] : walks) {
    for (TriggerMask set = 0; set < sets(); ++set) {
      for (TriggerMask less = set; less != 0; less &= less - 1) {
        const TriggerMask part = set & ~(less & ~(less - 1));  // without one of them
        for (size_t tick = 0; tick < by_set[set].size(); ++tick) {
          ASSERT_GE(by_set[set][tick], by_set[part][tick]) << set << " against " << part;
        }
      }
    }
  }
}

TEST_P(ExploreTest, ASetDemandsWhatTheMostRestrictiveOfItsTriggersDoes) {
  for (const Surroundings& surroundings : AllSurroundings()) {
    const FallbackInput input{.previous_runs = surroundings.previous,
                              .fresh = surroundings.inputs ? ~InputMask{0} : 0};
    for (TriggerMask set = 0; set < sets(); ++set) {
      StateIndex most = 0;
      for (TriggerMask left = set; left != 0; left &= left - 1) {
        most = std::max(most, Demanded(rules_, left & ~(left - 1), input));
      }
      ASSERT_EQ(Demanded(rules_, set, input), most) << set;
    }
  }
}

// Clears one trigger by what its rule wants.
void Clear(const Fallback& rules, TriggerIndex trigger, TriggerMask others, Walk& walk) {
  const TriggerRule& rule = rules.triggers()[trigger];
  walk.Step(others, kPeriod);
  if (rule.clear == ClearBy::kQuiet) {
    walk.Step(others, rule.quiet);
    return;
  }
  // A person clears all or nothing, and only what is no longer raised.
  if (auto next = Rearmed(rules, walk.status, hours(1)); next.ok()) {
    walk.status = *next;
    walk.status.probation = Nanos{0};
  }
  walk.Step(others, kPeriod);
}

TEST_P(ExploreTest, ClearingInAnyOrderNeverLoosensWhatTheRestDemands) {
  int orders = 0;
  for (TriggerMask set = 0; set < sets(); ++set) {
    std::vector<TriggerIndex> order;
    for (TriggerIndex i = 0; i < rules_.latched(); ++i) {
      if ((set & MaskOf(i)) != 0) order.push_back(i);
    }
    std::mt19937_64 random(set);
    const bool all = order.size() <= 4;
    for (int shuffled = 0; all || shuffled < 8; ++shuffled) {
      if (!all) std::shuffle(order.begin(), order.end(), random);
      ++orders;
      Walk walk(rules_, {.previous = true, .inputs = true, .brakes = true});
      walk.Step(set, Nanos{0});
      walk.Step(set, seconds(10));
      TriggerMask left = set;
      for (TriggerIndex cleared : order) {
        const FallbackStatus before = walk.status;
        left &= ~MaskOf(cleared);
        Clear(rules_, cleared, left, walk);
        for (TriggerIndex i = 0; i < rules_.latched(); ++i) {
          if ((left & MaskOf(i)) == 0) continue;
          ASSERT_TRUE(walk.status.IsActive(i));
          ASSERT_GE(walk.status.state, walk.status.triggers[i].place);
          if (before.IsActive(i)) {
            ASSERT_GE(walk.status.triggers[i].place, before.triggers[i].place);
          }
        }
      }
      if (all && !std::next_permutation(order.begin(), order.end())) break;
    }
  }
  EXPECT_GT(orders, 4000);
}

TEST_P(ExploreTest, WhateverFlapsEndsInTheFlapStateAndStaysThere) {
  int flapped = 0;
  for (TriggerMask set = 1; set < sets(); ++set) {
    Walk walk(rules_, {.previous = true, .inputs = true, .brakes = true});
    Nanos quiet{0};
    bool by_itself = true;
    for (TriggerIndex i = 0; i < rules_.latched(); ++i) {
      const TriggerRule& rule = rules_.triggers()[i];
      if ((set & MaskOf(i)) == 0) continue;
      by_itself = by_itself && rule.clear == ClearBy::kQuiet && rule.after == Nanos{0} &&
                  rule.max_per_hour == 0;
      quiet = std::max(quiet, rule.quiet);
    }
    const int64_t rises = rules_.flap().max_transitions + 1;
    if (!by_itself || (quiet + kPeriod) * rises >= rules_.flap().window) continue;
    ++flapped;
    for (int64_t i = 0; i < rises; ++i) {
      ASSERT_FALSE(walk.status.IsActive(rules_.flapping())) << set;
      walk.Step(set, kPeriod);
      if (i + 1 < rises) walk.Step(0, quiet);
    }
    ASSERT_GE(walk.status.state, rules_.flap().to) << set;
    for (int i = 0; i < 5; ++i) walk.Step(0, hours(1));
    ASSERT_EQ(walk.status.state, rules_.flap().to) << set;
  }
  EXPECT_GE(flapped, 7) << "input_stale, deadline_miss and model_failed, in all their sets";
}

// --- random walks under random rules

// A document of random states and ways, most of which compile.
tests::Rules RandomRules(std::mt19937_64& random) {
  const auto below = [&](uint64_t n) { return random() % n; };
  tests::Rules rules = tests::RichFallbackDocument();
  rules.set_mrc_within_ms(20'000);
  const std::vector<std::string> driving{"DEGRADED", "PREVIOUS_MODEL", "SIMPLE_CONTROLLER"};
  const std::vector<std::string> stops{"CONTROLLED_STOP", "SAFE_STOPPED"};
  for (const std::string& name : driving) {
    tests::State(rules, name).set_max_dwell_s(1 + static_cast<double>(below(20)));
    if (below(2) == 0) tests::State(rules, name).set_else_(stops[below(2)]);
  }
  for (const char* name : {"CONTROLLED_STOP", "EMERGENCY_STOP"}) {
    tests::State(rules, name).set_complete_within_ms(1300 + static_cast<double>(below(3000)));
  }
  if (below(2) == 0) tests::State(rules, "CONTROLLED_STOP").clear_else_();
  for (v1::Trigger& trigger : *rules.mutable_triggers()) {
    if (trigger.clear().rearm()) continue;
    std::vector<std::string> to = stops;
    to.insert(to.end(), driving.begin(), driving.end());
    trigger.set_to(to[below(to.size())]);
    trigger.set_detect_ms(5050);
    trigger.mutable_clear()->Clear();
    if (below(4) == 0) {
      trigger.mutable_clear()->set_operator_(true);
    } else {
      trigger.mutable_clear()->set_quiet_ms(50 + static_cast<double>(below(5000)));
      if (below(2) == 0 && trigger.to() != "SAFE_STOPPED") {
        trigger.mutable_clear()->set_max_per_hour(static_cast<uint32_t>(1 + below(8)));
        trigger.mutable_clear()->set_else_("SAFE_STOPPED");
      }
    }
  }
  rules.mutable_flap()->set_max_transitions(static_cast<uint32_t>(1 + below(31)));
  rules.mutable_rearm()->mutable_probation()->set_for_s(1 + static_cast<double>(below(30)));
  rules.mutable_rearm()->mutable_probation()->set_to(stops[below(2)]);
  return rules;
}

void CheckStep(const Fallback& rules, const FallbackStatus& before, const FallbackStatus& after,
               TriggerMask raised) {
  StateIndex most = 0;
  for (TriggerIndex i = 0; i < rules.triggers().size(); ++i) {
    if (!after.IsActive(i)) continue;
    most = std::max(most, after.triggers[i].place);
    ASSERT_GE(after.triggers[i].place, rules.triggers()[i].to);
    if (!before.IsActive(i)) continue;
    ASSERT_GE(after.triggers[i].place, before.triggers[i].place);
  }
  ASSERT_EQ(after.state, most);
  ASSERT_EQ(before.active & raised & ~after.active, 0U) << "raised and yet no longer active";
  ASSERT_EQ(after.held & ~after.active, 0U);
  ASSERT_EQ(before.held & ~after.held, 0U) << "only a person lets go of what is held";
  ASSERT_LE(after.probation, rules.probation().duration);
}

TEST(RandomRulesTest, NoPlaceEverDropsWhileItsTriggerIsActiveUnderAnyRules) {
  std::mt19937_64 random(1);
  const Policy policy = tests::Compiled(tests::RichPolicyDocument());
  std::set<std::string> visited;
  int compiled = 0;
  for (int round = 0; round < std::max(15, tests::Cases(300)); ++round) {
    const auto rules = Fallback::Compile(RandomRules(random), policy);
    if (!rules.ok()) continue;
    ++compiled;
    FallbackStatus status;
    Nanos now = kStartOfTime;
    TriggerMask raised = 0;
    for (int step = 0; step < 2000; ++step) {
      // Conditions come in stretches; steps have uneven lengths; sometimes a person re-arms.
      if (random() % 8 == 0) raised = random() & random() & random() & (MaskOf(10) - 1);
      now += milliseconds(random() % 400);
      const FallbackStatus before = status;
      status = Next(*rules, status,
                    {.raised = raised,
                     .previous_runs = random() % 4 != 0,
                     .standing = random() % 3 == 0,
                     .now = now,
                     .fresh = random() % 4 != 0 ? ~InputMask{0} : random(),
                     .zones = random(),
                     .driven = milliseconds(random() % 400)});
      visited.insert(rules->states()[status.state].name);
      ASSERT_NO_FATAL_FAILURE(CheckStep(*rules, before, status, raised));
      if (random() % 64 == 0) {
        if (auto next = Rearmed(*rules, status, seconds(60)); next.ok()) status = *next;
      }
    }
  }
  EXPECT_GE(compiled, tests::Cases(100));
  EXPECT_EQ(visited.size(), 8U) << "the walks met every state";
}

TEST(RandomRulesTest, EverySetWithAStopIsInTimeUnderAnyRulesThatCompile) {
  std::mt19937_64 random(2);
  const Policy policy = tests::Compiled(tests::RichPolicyDocument());
  for (int round = 0; round < tests::Cases(100); ++round) {
    const auto rules = Fallback::Compile(RandomRules(random), policy);
    if (!rules.ok()) continue;
    for (TriggerIndex i = 0; i < rules->latched(); ++i) {
      const TriggerRule& rule = rules->triggers()[i];
      if (!IsStop(rules->states()[rule.to])) continue;
      for (const bool brakes : {false, true}) {
        Walk walk(*rules, {.brakes = brakes});
        const Nanos begin = walk.now();
        walk.Step(MaskOf(i), Nanos{0});
        while (!walk.state().minimal_risk) {
          walk.Step(MaskOf(i), kPeriod);
          ASSERT_LE(rule.detect + walk.now() - begin, rules->mrc_within());
        }
      }
    }
  }
}

}  // namespace
}  // namespace agent::runtime
