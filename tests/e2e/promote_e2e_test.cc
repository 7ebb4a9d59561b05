#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"

// The main story with the real programs: enrol, promote wave by wave, roll back with receipts.

namespace tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

nlohmann::json Json(const Finished& finished) {
  return nlohmann::json::parse(finished.out, nullptr, false);
}

class PromoteTest : public testing::Test {
 protected:
  PromoteTest() {
    stage_.Serve();
    EXPECT_EQ(stage_.Cli({"fleet", "create", "north"}).code, 0);
    first_ = std::make_unique<RobotSite>(stage_, "north", "r1");
    second_ = std::make_unique<RobotSite>(stage_, "north", "r2");
  }

  Finished Promote(const std::string& version, const std::string& plan) {
    digest_ = stage_.PushedUnit(version);
    return stage_.Cli({"rollout", "start", Title(version), "--fleet", "north", "--plan", plan,
                       "--watch", "--timeout", "300"});
  }

  // What `fleet show` says runs on each robot, in the order of their names.
  std::vector<std::string> Running() {
    std::vector<std::string> digests;
    const nlohmann::json fleet = Json(stage_.Cli({"fleet", "show", "north", "-o", "json"}));
    for (const auto& robot : fleet["robots"]) {
      digests.push_back(robot["observed"]["control"]["running_digest"]);
    }
    return digests;
  }

  void ExpectEverybodyRuns(const std::string& digest) {
    EXPECT_THAT(Running(), testing::ElementsAre(digest, digest));
    for (RobotSite* robot : {first_.get(), second_.get()}) {
      EXPECT_TRUE(robot->SettlesOn(digest)) << robot->Describe();
      EXPECT_GT(robot->program().Lived().fastest_mps, 0) << "it stands";
      EXPECT_THAT(robot->program().Lived().nonsense, IsEmpty());
      EXPECT_THAT(robot->pointer().complaint(), IsEmpty());
    }
  }
  void ExpectOneIncidentThatSays(const testing::Matcher<std::string>& what) {
    const auto incidents = Json(stage_.Cli({"incident", "list", "-o", "json"}))["incidents"];
    ASSERT_EQ(incidents.size(), 1U) << incidents;
    EXPECT_EQ(incidents[0]["kind"], "rollback");
    const Finished report = stage_.Cli({"incident", "show", incidents[0]["id"]});
    EXPECT_EQ(report.code, 0);
    EXPECT_THAT(report.out, what);
  }
  // Asked to, every process ends by itself.
  void ExpectACleanEnd() {
    for (RobotSite* robot : {first_.get(), second_.get()}) {
      EXPECT_EQ(robot->agent().Terminate(), 0) << robot->agent().Log();
      EXPECT_EQ(robot->control().Terminate(), 0) << robot->control().Log();
    }
    EXPECT_EQ(stage_.server().Terminate(), 0);
  }
  std::string Describe() { return first_->Describe() + second_->Describe(); }

  Stage stage_;
  std::unique_ptr<RobotSite> first_;
  std::unique_ptr<RobotSite> second_;
  std::string digest_;
};

TEST_F(PromoteTest, AUnitReachesEveryRobotAndAPersonTakesItBack) {
  const Finished commissioned = Promote("1.0.0", stage_.at_once());
  ASSERT_EQ(commissioned.code, 0) << commissioned.out << commissioned.err << Describe();
  const std::string old_unit = digest_;
  ExpectEverybodyRuns(old_unit);

  const Finished promoted = Promote("1.0.1", stage_.in_two_waves());
  ASSERT_EQ(promoted.code, 0) << promoted.out << promoted.err << Describe();
  EXPECT_THAT(promoted.out, AllOf(HasSubstr("wave 1 of 2 (canary)  shadow"),
                                  HasSubstr("wave 2 of 2 (all)  trial"), HasSubstr("done")));
  EXPECT_NE(digest_, old_unit);
  ExpectEverybodyRuns(digest_);
  EXPECT_EQ(second_->pointer().Now().last_good_digest(), old_unit);

  const Finished back = stage_.Cli({"rollback", "north", "--reason", "wheel slip"});
  EXPECT_EQ(back.code, 0) << back.out << back.err << Describe();
  EXPECT_THAT(back.out, AllOf(HasSubstr("r1"), HasSubstr("r2"), HasSubstr("nav@1.0.0"),
                              HasSubstr(old_unit.substr(0, 12)), HasSubstr("incident ")));
  ExpectEverybodyRuns(old_unit);

  ExpectOneIncidentThatSays(
      AllOf(HasSubstr("wheel slip"), HasSubstr("nav@1.0.1"), HasSubstr("r2")));
  EXPECT_THAT(stage_.Cli({"audit", "list"}).out,
              AllOf(HasSubstr("operator/admin"), HasSubstr("robot.enrol"), HasSubstr("unit.push"),
                    HasSubstr("rollout.start"), HasSubstr("wheel slip")));
  ExpectACleanEnd();
}

}  // namespace
}  // namespace tests
