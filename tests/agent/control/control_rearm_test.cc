#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "agent/control/two_slot_file.h"
#include "nlohmann/json.hpp"
#include "tests/agent/control/rearm_fixture.h"
#include "tests/support/status_matchers.h"

// An emergency stop holds until two people approve this very robot, stop, unit and time.

namespace tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class LatchTest : public RearmControlTest {
 protected:
  LatchTest() {
    Commit(a_);
    StopAndRelease();
  }
  v1::RearmChallenge Challenge() { return Report().rearm(); }
  void ExpectRefused(const Approvals& approvals, const std::string& why) {
    const v1::ControlReport report = Answer(approvals);
    EXPECT_TRUE(report.latched());
    EXPECT_THAT(report.rearm_refused(), HasSubstr(why));
    EXPECT_TRUE(Steps(5).stop());
  }
};

TEST_F(LatchTest, HoldsAnEmergencyStopOverARestart) {
  ASSERT_TRUE(Report().latched());
  Start();

  EXPECT_TRUE(Steps(20).stop());
  EXPECT_TRUE(Report().latched());
  EXPECT_EQ(Report().fallback_state(), "ESTOP_LATCHED");
}

TEST_F(LatchTest, AsksForApprovalsOfThisRobotStopAndUnit) {
  const v1::RearmChallenge challenge = Challenge();

  EXPECT_EQ(challenge.robot(), "r1");
  EXPECT_THAT(challenge.incident(), SizeIs(32));
  EXPECT_EQ(challenge.unit(), a_);
  EXPECT_THAT(challenge.nonce(), SizeIs(32));
  EXPECT_THAT(challenge.roles(), ElementsAre("local_operator", "safety_officer"));
  EXPECT_EQ(challenge.ttl_ms(), 600'000);
  EXPECT_GT(challenge.since_uptime_ms(), 0);
  EXPECT_LE(challenge.since_uptime_ms(), Report().uptime_ms());
}

TEST_F(LatchTest, IsReleasedByTwoApprovalsAndAStart) {
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched());
  EXPECT_FALSE(Report().has_rearm());
  EXPECT_TRUE(Steps(40).stop()) << "a permission starts nothing";

  PressStart();

  EXPECT_FALSE(Steps(5).stop()) << Report().ShortDebugString();
  EXPECT_THAT(Kinds(), Contains("rearmed"));
}

TEST_F(LatchTest, IsReleasedInTheNamesOfThosePeople) {
  const v1::RearmChallenge challenge = Challenge();
  const v1::ControlReport report = Answer(ByBoth(challenge));
  const auto told = std::ranges::find(report.events(), "rearmed", &v1::ControlEvent::kind);
  ASSERT_NE(told, report.events().end());
  EXPECT_EQ(told->detail(), "incident " + challenge.incident() +
                                ", approved by ada as local_operator, bo as safety_officer");
}

TEST_F(LatchTest, IsAnotherStopWhenTheButtonIsPressedBeforeTheStart) {
  const std::string before = Challenge().incident();
  ASSERT_FALSE(Answer(ByBoth(Challenge())).latched());
  StopAndRelease();
  ASSERT_TRUE(Report().latched());
  EXPECT_NE(Challenge().incident(), before);
}

TEST_F(LatchTest, ANewChallengeIsNewsAndForgetsWhatWasRefused) {
  ExpectRefused({ByAda(Challenge())}, "no approval by a safety_officer");
  Steps(40);
  const uint64_t changes = core_->changes();
  clock_.Advance(std::chrono::seconds(600));
  core_->Poll(clock_.Now());
  EXPECT_GT(core_->changes(), changes);
  EXPECT_EQ(Report().rearm_refused(), "");
}

TEST_F(LatchTest, WaitsForTheStartOverARestartToo) {
  Answer(ByBoth(Challenge()));
  Start();

  EXPECT_TRUE(Steps(10).stop());
  EXPECT_FALSE(Report().latched());
  EXPECT_FALSE(Report().has_rearm());
}

TEST_F(LatchTest, TakesNoApprovalsTwice) {
  const Approvals approvals = ByBoth(Challenge());
  Answer(approvals);
  PressStart();
  StopAndRelease();
  ASSERT_TRUE(Report().latched());

  ExpectRefused(approvals, "incident");
  Start();
  Steps(20);
  ExpectRefused(approvals, "incident");
}

TEST_F(LatchTest, TakesNoApprovalsOfTheLifeBeforeARestart) {
  const v1::RearmChallenge before = Challenge();
  Start();
  Steps(20);
  ASSERT_EQ(Challenge().incident(), before.incident()) << "it is the same stop";

  ExpectRefused(ByBoth(before), "used up or has expired");
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched());
}

TEST_F(LatchTest, TakesNoApprovalsAfterTheirTime) {
  const v1::RearmChallenge before = Challenge();
  clock_.Advance(std::chrono::seconds(590));
  Steps(1);
  EXPECT_EQ(Challenge().nonce(), before.nonce());
  clock_.Advance(std::chrono::seconds(10));
  Steps(1);
  EXPECT_NE(Challenge().nonce(), before.nonce());

  ExpectRefused(ByBoth(before), "used up or has expired");
  Steps(20);
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched());
}

TEST_F(LatchTest, TakesNoApprovalsThatCameLateToAControlThatHung) {
  const Approvals approvals = ByBoth(Challenge());
  clock_.Advance(std::chrono::seconds(600));

  EXPECT_THAT(Answer(approvals).rearm_refused(), HasSubstr("used up or has expired"));
  EXPECT_TRUE(Report().latched());
}

TEST_F(LatchTest, TakesNoApprovalsOfAnotherUnit) {
  const v1::RearmChallenge before = Challenge();
  Order(v1::STAGE_COMMIT, b_);
  Steps(20);
  ASSERT_EQ(Challenge().unit(), b_);

  ExpectRefused(ByBoth(before), "look again, sign again");
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched());
}

TEST_F(LatchTest, TakesNoApprovalsOfAnotherRobot) {
  v1::RearmChallenge other = Challenge();
  other.set_robot("r2");
  ExpectRefused(ByBoth(other), "for robot 'r2'; this is 'r1'");
}

TEST_F(LatchTest, TakesOnePersonForOne) {
  ExpectRefused({ByAda(Challenge())}, "no approval by a safety_officer");
  ExpectRefused({ByAda(Challenge()), ByAda(Challenge())}, "'ada' approves twice");
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched()) << "a refusal uses no nonce up";
}

TEST_F(LatchTest, TellsARefusalOnceHoweverOftenTheOrderIsRepeated) {
  v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
  order.add_rearm_approvals("nonsense");
  Apply(order);
  const size_t told = Kinds().size();
  Apply(order);
  EXPECT_EQ(Kinds().size(), told);
  EXPECT_THAT(Kinds(), Contains("rearm_refused"));
}

TEST_F(LatchTest, KeepsTheApprovalsGoodUntilTheCauseIsGone) {
  const Approvals approvals = ByBoth(Challenge());
  estop_pressed_ = true;
  Step();
  ExpectRefused(approvals, "button");
  estop_pressed_ = false;
  Steps(20);
  EXPECT_FALSE(Answer(approvals).latched());
}

TEST_F(LatchTest, IsNotAcknowledgedAway) {
  EXPECT_TRUE(Acknowledge().latched());
  EXPECT_THAT(Kinds(), Contains("acknowledgement_refused"));
  EXPECT_TRUE(Steps(5).stop());
}

TEST_F(LatchTest, StandsWhenThePermissionCannotBeWrittenDown) {
  files_.FailOverwrites(true);
  const Approvals approvals = ByBoth(Challenge());
  ExpectRefused(approvals, "Input/output error");
  EXPECT_FALSE(Report().has_rearm()) << "what stands on the disk is not known";
  files_.FailOverwrites(false);
  Steps(22);  // it is asked again once a second

  ExpectRefused(approvals, "used up or has expired");
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched());
}

TEST_F(LatchTest, CountsTheLinkAsDownWhenTheAgentIsGone) {
  Apply(OrderFor(v1::STAGE_UNSPECIFIED, ""));
  Answer(ByBoth(Challenge()));
  PressStart();
  Steps(60);
  ASSERT_EQ(Report().fallback_state(), "NOMINAL");

  core_->LoseAgent(clock_.Now());
  Steps(120);

  EXPECT_EQ(Report().fallback_state(), "DEGRADED");
}

class BarredTest : public RearmControlTest {};

TEST_F(BarredTest, NoChallengeStandsWhileTheRobotBrakes) {
  Commit(a_);
  Steps(40);
  estop_pressed_ = true;
  Step();
  ASSERT_TRUE(Report().latched());

  EXPECT_FALSE(Report().has_rearm());
  EXPECT_THAT(Answer({"x"}).rearm_refused(), HasSubstr("no challenge"));
  Steps(40);
  EXPECT_TRUE(Report().has_rearm());
}

// A model that flaps waits for a person as well, who sees to both.
TEST_F(BarredTest, APermissionLeavesNothingOnTheDiskButItselfAndWhatFollowsFromIt) {
  const auto record = [&] {
    v1::LatchRecord latch;
    const auto slot = agent::control::TwoSlotFile(files_, "state/control/latch").Load();
    EXPECT_TRUE(slot.ok() && slot->has_value() && latch.ParseFromString((*slot)->payload));
    return latch;
  };
  Commit(a_);
  for (int i = 0; i < 40 && record().held().empty(); ++i) {
    source_->ScriptOf(a_)->vx_mps = std::nanf("");
    Steps(1);
    source_->ScriptOf(a_)->vx_mps = 0.2F;
    Steps(14);
  }
  ASSERT_THAT(record().held(), ElementsAre("flapping"));
  StopAndRelease();
  ASSERT_TRUE(record().latched());

  ASSERT_FALSE(Answer(ByBoth(Report().rearm())).latched());

  EXPECT_FALSE(record().latched());
  EXPECT_TRUE(record().awaiting_start());
  EXPECT_TRUE(record().probation());
  EXPECT_EQ(record().cause(), "");
  EXPECT_EQ(record().incident(), "");
  EXPECT_THAT(record().held(), IsEmpty());
}

TEST_F(BarredTest, NobodyReArmsARobotThatWasNeverEnrolled) {
  files_.RemoveAll("state/agent").IgnoreError();
  Commit(a_);
  StopAndRelease();
  EXPECT_EQ(Report().rearm().robot(), "");

  EXPECT_THAT(Answer({"x"}).rearm_refused(), HasSubstr("enrol it"));
  Enrol();
  Steps(30);
  EXPECT_EQ(Report().rearm().robot(), "r1");
  EXPECT_FALSE(Answer(ByBoth(Report().rearm())).latched());
}

TEST_F(BarredTest, NobodyIsBelievedWithoutReadableTrust) {
  Commit(a_);
  StopAndRelease();
  files_.RemoveAll("state/trust.json").IgnoreError();
  EXPECT_THAT(Answer(ByBoth(Report().rearm())).rearm_refused(), HasSubstr("without trust.json"));
  files_.Put("state/trust.json", "{}");
  EXPECT_THAT(Answer(ByBoth(Report().rearm())).rearm_refused(), HasSubstr("wanted exactly"));
}

TEST_F(BarredTest, ANameThatIsNoRobotsIsNone) {
  for (const std::string& certificate : {std::string("nonsense"), RobotPapers::Get().trust}) {
    files_.Put("state/agent/cert.pem", certificate);
    Start();
    Commit(a_);
    StopAndRelease();
    EXPECT_EQ(Report().rearm().robot(), "");
  }
}

TEST_F(BarredTest, WithoutAUnitTheBuiltInRolesAreAsked) {
  StopAndRelease();
  const v1::RearmChallenge challenge = Report().rearm();
  EXPECT_EQ(challenge.unit(), "");
  EXPECT_THAT(challenge.roles(), ElementsAre("local_operator", "safety_officer"));
  Steps(100);
  EXPECT_FALSE(Answer(ByBoth(Report().rearm())).latched());
}

TEST_F(BarredTest, TheUnitIsAskedForItsRolesBeforeAnybodyElse) {
  Commit(a_);
  StopAndRelease();
  Start();
  source_->slow[a_] = 1;
  core_.reset();
  core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  Steps(20);
  EXPECT_FALSE(Report().has_rearm()) << "the unit is being loaded";
  source_->slow.clear();
  source_->broken[a_] = "it is gone";
  Steps(20);
  ASSERT_TRUE(Report().has_rearm()) << Report().ShortDebugString();
  EXPECT_EQ(Report().rearm().unit(), a_);
}

class CarriedTest : public LatchTest {
 protected:
  void Carry(const std::string& lines) {
    files_.Put("state/control/rearm/approvals.jsonl", lines);
    Steps(25);
  }
  nlohmann::json Answered() {
    return nlohmann::json::parse(*files_.Read("state/control/rearm/answer.json", 4096));
  }
};

TEST_F(CarriedTest, TwoApprovalsReArmWithoutAnyNetwork) {
  ASSERT_OK_AND_ASSIGN(const std::string file,
                       files_.Read("state/control/rearm/challenge.json", 4096));
  ASSERT_OK_AND_ASSIGN(const v1::RearmChallenge challenge,
                       agent::trust::ParseChallenge(file.substr(0, file.size() - 1)));

  Carry(ByAda(challenge) + "\n" + ByBo(challenge) + "\n");

  EXPECT_EQ(Answered()["permitted"], true);
  EXPECT_FALSE(Report().latched());
  EXPECT_FALSE(files_.Exists("state/control/rearm/challenge.json"));
  EXPECT_FALSE(files_.Exists("state/control/rearm/approvals.jsonl"));
  EXPECT_TRUE(Steps(20).stop());
}

TEST_F(CarriedTest, OnePersonTwiceIsRefusedWithAnAnswer) {
  Carry(ByAda(Challenge()) + "\n" + ByAda(Challenge()));
  EXPECT_EQ(Answered()["permitted"], false);
  EXPECT_THAT(Answered()["why"].get<std::string>(), HasSubstr("'ada' approves twice"));
  EXPECT_TRUE(Report().latched());
  EXPECT_FALSE(files_.Exists("state/control/rearm/approvals.jsonl"));
}

TEST_F(CarriedTest, AnOversizedFileIsTakenAwayUnread) {
  Carry(std::string(100'000, 'x'));
  EXPECT_EQ(Answered()["permitted"], false);
  EXPECT_FALSE(files_.Exists("state/control/rearm/approvals.jsonl"));
  EXPECT_TRUE(Report().latched());
}

TEST_F(CarriedTest, BytesThatAreNoTextAreRefusedLikeAnyOthers) {
  Carry("\xff\xfe{\x80\n\n");
  EXPECT_EQ(Answered()["permitted"], false);
  EXPECT_TRUE(Report().latched());
}

TEST_F(CarriedTest, WhatLayThereBeforeARestartIsThrownAway) {
  const Approvals both = ByBoth(Challenge());
  files_.Put("state/control/rearm/approvals.jsonl", both[0] + "\n" + both[1]);
  Start();
  EXPECT_FALSE(files_.Exists("state/control/rearm/approvals.jsonl"));
  Steps(40);
  EXPECT_TRUE(Report().latched());
}

TEST_F(CarriedTest, AFullDiskIsToldAndTheOtherWayStaysOpen) {
  files_.FillDisk();
  clock_.Advance(std::chrono::minutes(11));
  Steps(20);
  EXPECT_THAT(Kinds(), Contains("rearm_folder"));
  EXPECT_FALSE(Answer(ByBoth(Challenge())).latched());
}

}  // namespace
}  // namespace tests
