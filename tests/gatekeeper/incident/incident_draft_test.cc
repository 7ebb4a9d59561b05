#include "gatekeeper/incident/draft.h"
#include "gmock/gmock.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::incident::Draft;
using gatekeeper::incident::Facts;
using gatekeeper::incident::FromJson;
using gatekeeper::incident::ToJson;
using testing::HasSubstr;

constexpr int64_t kOpened = 1'767'225'607'250;  // 2026-01-01 00:00:07.250 UTC

Facts CanaryAbort() {
  Facts facts;
  facts.id = "incident-3";
  facts.fleet = "north";
  facts.kind = "canary_abort";
  facts.title = "Rollout of nav@1.3.0 to fleet north aborted in wave canary";
  facts.actor = "gatekeeper";
  facts.reason = "r0: the policy clamped 45 of 80 commands in trial (56.2 %, limit 20.0 %)";
  facts.rollout = "rollout-4";
  facts.unit = "nav@1.3.0";
  facts.unit_digest = std::string(64, 'b');
  facts.began_ms = kOpened - 5000;
  facts.opened_ms = kOpened;
  facts.robots = {{.robot = "r0",
                   .before_digest = std::string(64, 'b'),
                   .wanted_digest = std::string(64, 'a'),
                   .wanted_unit = "nav@1.1.0",
                   .generation = 4,
                   .outcome = "running",
                   .seconds = 0.31,
                   .running_digest = std::string(64, 'a'),
                   .detail = ""}};
  facts.metrics = {
      {.robot = "r0", .state = "trial", .ticks = 80, .clamped = 45, .disagreements = 3, .shed = 7}};
  return facts;
}

TEST(IncidentDraftTest, TellsTheFactsAndLeavesTheCauseToPeople) {
  const std::string text =
      Draft(CanaryAbort(), {{kOpened + 310, "robot/r0", "rolled_back"},
                            {kOpened - 4000, "operator/mara", "rollout.start nav@1.3.0"}});

  EXPECT_THAT(text, testing::StartsWith("# Rollout of nav@1.3.0 to fleet north aborted"));
  EXPECT_THAT(text, HasSubstr("clamped 45 of 80 commands"));
  EXPECT_THAT(text, HasSubstr("restored: all 1 robots report the wanted unit running"));
  EXPECT_THAT(text, HasSubstr("| r0 | `bbbbbbbbbbbb` | nav@1.1.0 `aaaaaaaaaaaa` | running | 0.31 s "
                              "| `aaaaaaaaaaaa` | – |"));
  EXPECT_THAT(text, HasSubstr("| r0 | trial | 80 | 0 | 45 | 0 | 0 | 3 | 7 | 0 µs |"));
  EXPECT_LT(text.find("00:00:03.250 — operator/mara"), text.find("00:00:07.560 — robot/r0"));
  EXPECT_THAT(text, HasSubstr("## Cause\n\n_To be written by people"));
  EXPECT_THAT(text, HasSubstr("## Lessons\n\n_To be written by people"));
  EXPECT_THAT(text, HasSubstr("## Actions\n\n_To be written by people"));
}

TEST(IncidentDraftTest, SaysWhoIsStillAwaitedAndWhoDidNotCome) {
  Facts facts = CanaryAbort();
  facts.robots.push_back({.robot = "r1"});
  EXPECT_THAT(Draft(facts, {}), HasSubstr("**open**: 1 of 2 robots have not answered"));
  facts.robots.back().outcome = "refused";
  EXPECT_THAT(Draft(facts, {}), HasSubstr("**incomplete**: 1 of 2 robots"));
}

TEST(IncidentDraftTest, ARobotsWordsCannotBreakTheTable) {
  Facts facts = CanaryAbort();
  facts.robots[0].detail = "a | b\n| forged | row |";

  EXPECT_THAT(Draft(facts, {}), HasSubstr("| a / b / forged / row / |"));
}

TEST(IncidentDraftTest, FactsComeBackFromTheirStoredForm) {
  ASSERT_OK_AND_ASSIGN(const Facts back, FromJson(ToJson(CanaryAbort())));

  EXPECT_EQ(Draft(back, {}), Draft(CanaryAbort(), {}));
  EXPECT_EQ(back.began_ms, kOpened - 5000);
  EXPECT_EQ(back.robots[0].generation, 4u);
}

TEST(IncidentDraftTest, FactsOfAnEarlierVersionHaveNoNumbersOfTheShadow) {
  std::string older = ToJson(CanaryAbort());
  for (const std::string field : {"\"disagreements\":3,", "\"shed\":7,"}) {
    const size_t at = older.find(field);
    ASSERT_NE(at, std::string::npos) << older;
    older.erase(at, field.size());
  }
  ASSERT_OK_AND_ASSIGN(const Facts back, FromJson(older));
  EXPECT_THAT(Draft(back, {}), HasSubstr("| r0 | trial | 80 | 0 | 45 | 0 | 0 | 0 | 0 | 0 µs |"));
}

TEST(IncidentDraftTest, AStopIsRecordedAndAwaitsNobody) {
  Facts facts = CanaryAbort();
  facts.robots[0].outcome = "stopped";
  for (const char* kind : {"stop", "estop"}) {
    facts.kind = kind;
    EXPECT_THAT(Draft(facts, {}), HasSubstr("| Status | recorded |")) << kind;
  }
}

TEST(IncidentDraftTest, AStopOfAnEarlierVersionHappenedOnceWhenItWasTold) {
  Facts facts = CanaryAbort();
  facts.kind = "stop";
  facts.stops = {.times = 7, .first_ms = 1, .last_ms = 2, .told_ms = 3};
  ASSERT_OK_AND_ASSIGN(const Facts now, FromJson(ToJson(facts)));
  EXPECT_EQ(now.stops.times, 7u);
  EXPECT_THAT(Draft(now, {}), HasSubstr("00.002 by the robot's clock; last told"));
  std::string without = ToJson(facts);  // of a version that knew no other clock
  const size_t clock = without.find("\"by_robot\":true,");
  ASSERT_NE(clock, std::string::npos) << without;
  without.erase(clock, std::string_view("\"by_robot\":true,").size());
  ASSERT_OK_AND_ASSIGN(const Facts known, FromJson(without));
  EXPECT_TRUE(known.stops.by_robot);
  std::string older = ToJson(facts);
  const size_t at = older.find(",\"stops\":{");
  ASSERT_NE(at, std::string::npos) << older;
  older.erase(at, older.find('}', at) + 1 - at);
  ASSERT_OK_AND_ASSIGN(const Facts back, FromJson(older));

  EXPECT_EQ(back.stops.times, 1u);
  EXPECT_EQ(back.stops.last_ms, kOpened);
  EXPECT_THAT(Draft(back, {}), HasSubstr("| Stopped | 2026-01-01 00:00:07.250 |"))
      << "by whose clock it happened is not known";
  ASSERT_OK_AND_ASSIGN(Facts counted, FromJson(ToJson(back)));
  counted.stops.times = 2;
  EXPECT_THAT(Draft(counted, {}), HasSubstr("to 2026-01-01 00:00:07.250; last told"));
}

TEST(IncidentDraftTest, WhatIsNoStopSaysNothingOfStops) {
  ASSERT_OK_AND_ASSIGN(const Facts back, FromJson(ToJson(CanaryAbort())));
  EXPECT_EQ(back.stops.times, 0u);
  EXPECT_THAT(Draft(back, {}), testing::Not(HasSubstr("| Stopped |")));
}

TEST(IncidentDraftTest, BytesThatAreNotTextDoNotLoseTheRecord) {
  Facts facts = CanaryAbort();
  facts.reason = "motor said \xff\xfe";

  EXPECT_OK(FromJson(ToJson(facts)));
}

TEST(IncidentDraftTest, DamagedFactsAreAnErrorNotACrash) {
  const std::string whole = ToJson(CanaryAbort());
  for (size_t length = 0; length < whole.size(); length += 7) {
    EXPECT_FALSE(FromJson(whole.substr(0, length)).ok()) << length;
  }
  for (size_t at = 0; at < whole.size(); at += 3) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    (void)FromJson(flipped);
  }
}

}  // namespace
