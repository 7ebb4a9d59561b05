#include <gmock/gmock.h>

#include "agent/trust/rearm_approval.h"
#include "tests/gatekeeper/server/core_world.h"

namespace tests {
namespace {

using absl::StatusCode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FleetRearmTest : public testing::Test {
 protected:
  FleetRearmTest() {
    world_.AddFleet("north", 2);
    world_.Tick();
  }
  // north-1 stands in an emergency stop and asks for approvals.
  void Latch(const std::string& nonce = std::string(32, '2')) {
    world_.robots["north-1"].spoil = [nonce](v1::ObservedState& seen) {
      v1::ControlReport& control = *seen.mutable_control();
      control.set_latched(true);
      control.set_uptime_ms(100'000);
      v1::RearmChallenge& challenge = *control.mutable_rearm();
      challenge.Clear();
      challenge.set_robot("north-1");
      challenge.set_incident(std::string(32, '1'));
      challenge.set_unit(std::string(64, 'a'));
      challenge.set_nonce(nonce);
      challenge.add_roles("local_operator");
      challenge.add_roles("safety_officer");
      challenge.set_ttl_ms(600'000);
      challenge.set_since_uptime_ms(40'000);
    };
    world_.Tick();
  }
  v1::RearmChallenge Challenge() { return Must(world_.core->ViewRearm("north-1")).challenge(); }
  std::string ByAda(const v1::RearmChallenge& challenge) const {
    return Must(
        agent::trust::SignRearmApproval(challenge, {"local_operator", "ada"}, signers_.ada));
  }
  std::string ByBo(const v1::RearmChallenge& challenge) const {
    return Must(agent::trust::SignRearmApproval(challenge, {"safety_officer", "bo"}, signers_.bo));
  }
  absl::StatusOr<v1::RearmView> Approve(const std::string& approval,
                                        const std::string& robot = "north-1") {
    v1::ApproveRearmRequest request;
    request.set_robot(robot);
    request.set_reason("looked at it");
    request.set_approval(approval);
    auto view = world_.core->ApproveRearm(request, signers_.trust, CoreWorld::kMara, world_.now);
    world_.HandOut();
    return view;
  }
  const std::vector<v1::Rearm>& Sent() { return world_.robots["north-1"].rearms; }
  std::vector<std::string> Missing() {
    const v1::RearmView view = Must(world_.core->ViewRearm("north-1"));
    return {view.missing().begin(), view.missing().end()};
  }

  CoreWorld world_;
  const Signers signers_;
};

TEST_F(FleetRearmTest, SendsApprovalsDownWhenTheyAreComplete) {
  Latch();
  const std::string ada = ByAda(Challenge());
  const std::string bo = ByBo(Challenge());

  ASSERT_OK_AND_ASSIGN(const v1::RearmView half, Approve(ada));
  EXPECT_THAT(half.missing(), ElementsAre("safety_officer"));
  EXPECT_EQ(half.approved(0).name(), "ada");
  EXPECT_EQ(half.left_ms(), 540'000);
  EXPECT_THAT(Sent(), IsEmpty());

  ASSERT_OK_AND_ASSIGN(const v1::RearmView whole, Approve(bo));
  EXPECT_THAT(whole.missing(), IsEmpty());
  ASSERT_THAT(Sent(), SizeIs(1));
  EXPECT_THAT(Sent()[0].approvals(), ElementsAre(ada, bo));
  EXPECT_THAT(world_.AuditActions(), Contains("operator/mara robot.rearm"));

  ASSERT_OK(Approve(bo));  // the robot refused, its cause is gone now: once more
  EXPECT_THAT(Sent(), SizeIs(2));
}

TEST_F(FleetRearmTest, OnePersonStandsInOneRole) {
  Latch();
  ASSERT_OK(Approve(ByAda(Challenge())));
  ASSERT_OK(Approve(ByAda(Challenge())));
  EXPECT_THAT(Missing(), ElementsAre("safety_officer"));

  auto keys = signers_.trust.keys();
  const auto second = Must(agent::trust::PrivateKey::Generate());
  keys.push_back({agent::trust::KeyClass::kApprover, "ADA", second.public_key(), "safety_officer"});
  const auto trust = Must(agent::trust::TrustPolicy::Make(keys, "v", "l"));
  v1::ApproveRearmRequest request;
  request.set_robot("north-1");
  request.set_reason("me again");
  request.set_approval(
      Must(agent::trust::SignRearmApproval(Challenge(), {"safety_officer", "ADA"}, second)));
  EXPECT_THAT(world_.core->ApproveRearm(request, trust, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("has approved already")));
  EXPECT_THAT(Missing(), ElementsAre("safety_officer"));
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(FleetRearmTest, AnotherPersonInTheSameRoleTakesThePlace) {
  Latch();
  ASSERT_OK(Approve(ByBo(Challenge())));
  ASSERT_OK(Approve(ByBo(Challenge())));
  ASSERT_OK(Approve(ByAda(Challenge())));
  ASSERT_THAT(Sent(), SizeIs(1));
  EXPECT_EQ(Sent()[0].approvals_size(), 2);
}

TEST_F(FleetRearmTest, WhatAnsweredAnOlderChallengeCountsNoMore) {
  Latch();
  const v1::RearmChallenge before = Challenge();
  ASSERT_OK(Approve(ByAda(before)));
  Latch(std::string(32, '3'));

  EXPECT_THAT(Missing(), ElementsAre("local_operator", "safety_officer"));
  EXPECT_THAT(Approve(ByBo(before)),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("used up or has expired")));
  ASSERT_OK(Approve(ByBo(Challenge())));
  EXPECT_THAT(Missing(), ElementsAre("local_operator"));
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(FleetRearmTest, OnlyARobotThatIsThereAndAsksIsApproved) {
  EXPECT_THAT(Approve("x", "nobody"), StatusIs(StatusCode::kNotFound, HasSubstr("nobody")));
  EXPECT_THAT(Approve("x"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no latched stop")));
  EXPECT_FALSE(Must(world_.core->ViewRearm("north-1")).has_challenge());
  world_.robots["north-1"].spoil = [](v1::ObservedState& seen) {
    seen.mutable_control()->set_latched(true);
  };
  world_.Tick();
  EXPECT_THAT(Approve("x"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no approvals yet")));
  Latch();
  EXPECT_THAT(Approve("x"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("the approval")));
  v1::ApproveRearmRequest silent;
  silent.set_robot("north-1");
  EXPECT_THAT(world_.core->ApproveRearm(silent, signers_.trust, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("reason")));
  const std::string ada = ByAda(Challenge());
  world_.Disconnect("north-1");
  EXPECT_THAT(Approve(ada), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("not connected")));
}

TEST_F(FleetRearmTest, ARobotThatAsksInAnothersNameGetsNothing) {
  Latch();
  const auto honest = world_.robots["north-1"].spoil;
  world_.robots["north-1"].spoil = [honest](v1::ObservedState& seen) {
    honest(seen);
    seen.mutable_control()->mutable_rearm()->set_robot("north-0");
  };
  world_.Tick();
  EXPECT_THAT(Approve(ByAda(Challenge())),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in the name of 'north-0'")));
}

TEST_F(FleetRearmTest, AcknowledgesOnlyARobotThatHasSomethingToClear) {
  v1::AcknowledgeRobotRequest request;
  request.set_robot("north-1");
  const auto acknowledge = [&] {
    const absl::Status status =
        world_.core->AcknowledgeRobot(request, CoreWorld::kMara, world_.now);
    world_.HandOut();
    return status;
  };
  EXPECT_THAT(acknowledge(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("reason")));
  request.set_reason("looked at it");
  EXPECT_THAT(acknowledge(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no trigger")));
  Latch();
  EXPECT_THAT(acknowledge(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("re-armed")));

  world_.robots["north-1"].spoil = [](v1::ObservedState& seen) {
    seen.mutable_control()->set_latched(false);
    seen.mutable_control()->clear_triggers();
    seen.mutable_control()->add_triggers("flapping");
  };
  world_.Tick();
  EXPECT_OK(acknowledge());
  EXPECT_EQ(world_.robots["north-1"].acknowledgements, 1);

  world_.Disconnect("north-1");
  EXPECT_THAT(acknowledge(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("not connected")));
  world_.Connect("north-1");
  world_.HandOut();
  EXPECT_EQ(world_.robots["north-1"].acknowledgements, 1) << "it is never kept";
}

}  // namespace
}  // namespace tests
