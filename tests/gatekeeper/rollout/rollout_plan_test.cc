#include <fstream>
#include <sstream>

#include "gatekeeper/rollout/plan.h"
#include "tests/gatekeeper/rollout/rollout_world.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::v1::RolloutPlan;
using testing::HasSubstr;
using tests::ShortPlan;
using tests::StatusIs;

std::string FileText(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(RolloutPlanTest, TheCommittedPlansHold) {
  for (const char* name : {"policies/plans/nav.yaml", "policies/plans/demo.yaml"}) {
    EXPECT_THAT(gatekeeper::rollout::ReadPlan(FileText(name), name), tests::IsOk()) << name;
  }
}

TEST(RolloutPlanTest, NamesLineAndKeyOfANumberThatCannotBe) {
  std::string text = FileText("policies/plans/demo.yaml");
  text.replace(text.find("trial_s: 4 "), 11, "trial_s: 0 ");

  EXPECT_THAT(
      gatekeeper::rollout::ReadPlan(text, "plan.yaml"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               testing::MatchesRegex("plan.yaml:8:[0-9]+: waves\\[0\\].trial_s: .*above 0.*")));
}

TEST(RolloutPlanTest, NoNumberSwitchesACheckOff) {
  struct Row {
    const char* path;
    void (*spoil)(RolloutPlan&);
  };
  const Row rows[] = {
      {"[schema]", [](RolloutPlan& p) { p.set_schema("rollout_plan/2"); }},
      {"[id]", [](RolloutPlan& p) { p.clear_id(); }},
      {"[waves]", [](RolloutPlan& p) { p.clear_waves(); }},
      {"[waves[0].name]", [](RolloutPlan& p) { p.mutable_waves(0)->clear_name(); }},
      {"[waves[0]]", [](RolloutPlan& p) { p.mutable_waves(0)->clear_count(); }},
      {"[waves[0]]", [](RolloutPlan& p) { p.mutable_waves(0)->set_percent(10); }},
      {"[waves[1].percent]", [](RolloutPlan& p) { p.mutable_waves(1)->set_percent(-1); }},
      {"[waves[1].percent]", [](RolloutPlan& p) { p.mutable_waves(1)->set_percent(99); }},
      {"[waves[0].shadow_s]", [](RolloutPlan& p) { p.mutable_waves(0)->set_shadow_s(0); }},
      {"[waves[1].soak_s]", [](RolloutPlan& p) { p.mutable_waves(1)->set_soak_s(-1); }},
      {"[waves[1].trial_s]", [](RolloutPlan& p) { p.mutable_waves(1)->set_trial_s(1e9); }},
      {"[health]", [](RolloutPlan& p) { p.clear_health(); }},
      {"[health.min_ticks]", [](RolloutPlan& p) { p.mutable_health()->set_min_ticks(0); }},
      {"[health.max_clamp_fraction]",
       [](RolloutPlan& p) { p.mutable_health()->set_max_clamp_fraction(1); }},
      {"[health.max_deadline_miss_fraction]",
       [](RolloutPlan& p) { p.mutable_health()->set_max_deadline_miss_fraction(-0.1); }},
      {"[health.silent_after_s]",
       [](RolloutPlan& p) { p.mutable_health()->clear_silent_after_s(); }},
      {"[health.step_deadline_s]",
       [](RolloutPlan& p) { p.mutable_health()->set_step_deadline_s(NAN); }},
      {"[health.lease_s]", [](RolloutPlan& p) { p.mutable_health()->clear_lease_s(); }},
  };
  ASSERT_OK(gatekeeper::rollout::CheckPlan(ShortPlan()));
  for (const Row& row : rows) {
    RolloutPlan plan = ShortPlan();
    row.spoil(plan);
    EXPECT_THAT(gatekeeper::rollout::CheckPlan(plan),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::StartsWith(row.path)));
  }
}

gatekeeper::rollout::NewRollout OfRobots(int n, double percent) {
  gatekeeper::rollout::NewRollout wanted{.id = "rollout-1",
                                         .fleet = "north",
                                         .unit_digest = tests::kNew,
                                         .unit_name = "nav",
                                         .unit_version = "1.0.0",
                                         .actor = "a",
                                         .plan = ShortPlan(),
                                         .robots = {}};
  wanted.plan.mutable_waves(0)->clear_count();
  wanted.plan.mutable_waves(0)->set_percent(percent);
  for (int i = 0; i < n; ++i) wanted.robots.push_back("r" + std::to_string(i));
  return wanted;
}

int InFirstWave(const gatekeeper::v1::RolloutState& state) {
  int count = 0;
  for (const auto& robot : state.robots()) count += robot.wave() == 0;
  return count;
}

TEST(RolloutPlanTest, AShareIsRoundedUpAndNeverNobody) {
  EXPECT_EQ(InFirstWave(*gatekeeper::rollout::Begin(OfRobots(6, 50), 1, 1)), 3);
  EXPECT_EQ(InFirstWave(*gatekeeper::rollout::Begin(OfRobots(5, 50), 1, 1)), 3);
  EXPECT_EQ(InFirstWave(*gatekeeper::rollout::Begin(OfRobots(10, 30), 1, 1)), 3);
  EXPECT_EQ(InFirstWave(*gatekeeper::rollout::Begin(OfRobots(3, 1), 1, 1)), 1);
  EXPECT_EQ(InFirstWave(*gatekeeper::rollout::Begin(OfRobots(1, 50), 1, 1)), 1);
}

TEST(RolloutPlanTest, AnEmptyFleetCannotBegin) {
  EXPECT_THAT(gatekeeper::rollout::Begin(OfRobots(0, 50), 1, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has no robots")));
}

}  // namespace
