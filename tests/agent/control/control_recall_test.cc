#include <gmock/gmock.h>

#include "tests/agent/control/control_fixture.h"

namespace tests {
namespace {

using ::testing::Contains;
using ::testing::Not;

// S12 on the robot: what it falls back to can be loaded, is sealed, and is not recalled.
class RecallTest : public ControlTest {
 protected:
  RecallTest() {
    Commit(a_);
    Commit(b_);  // last-good is a
  }
  // The gatekeeper holds these units of this robot, and no others.
  void Recall(const std::vector<std::string>& digests) {
    v1::ControlOrder order = OrderFor(v1::STAGE_COMMIT, b_);
    order.mutable_recall();
    for (const std::string& digest : digests) {
      v1::Quarantined& unit = *order.mutable_recall()->add_units();
      unit.set_digest(digest);
      unit.set_reason("it spins");
    }
    Apply(order);
  }
  void LoseTheModel() { source_->ScriptOf(b_)->vx_mps = std::nanf(""); }
};

TEST_F(RecallTest, ARobotFallsBackToLastGoodAsLongAsNobodyHoldsIt) {
  Recall({});
  LoseTheModel();
  Steps(3);

  EXPECT_EQ(Report().fallback_state(), "PREVIOUS_MODEL");
  EXPECT_EQ(Report().running_digest(), a_);
}

TEST_F(RecallTest, ARecalledUnitIsPassedByInTheChain) {
  Recall({a_});
  LoseTheModel();
  for (int i = 0; i < 100; ++i) {
    Step();
    ASSERT_NE(Report().running_digest(), a_) << i;
  }

  EXPECT_EQ(Report().fallback_state(), "SAFE_STOPPED");
  EXPECT_THAT(Kinds(), Contains("recalled"));
}

TEST_F(RecallTest, AUnitThatIsRecalledWhileItDrivesHandsOnToTheNextLink) {
  LoseTheModel();
  Steps(3);
  ASSERT_EQ(Report().running_digest(), a_);

  Recall({a_});
  Steps(2);

  EXPECT_EQ(Report().fallback_state(), "CONTROLLED_STOP");
}

TEST_F(RecallTest, IsRememberedOverARestartWithoutAnyNetwork) {
  Recall({a_});
  Start();
  Steps(40);  // it moves again
  LoseTheModel();
  Steps(3);

  EXPECT_EQ(Report().fallback_state(), "CONTROLLED_STOP");
}

TEST_F(RecallTest, StandsUntilTheGatekeeperSaysOtherwise) {
  Recall({a_});
  Order(v1::STAGE_COMMIT, b_);  // of an agent that has not heard from the gatekeeper yet
  Recall({});
  EXPECT_THAT(Kinds(), Contains("recall_lifted"));

  LoseTheModel();
  Steps(3);

  EXPECT_EQ(Report().running_digest(), a_);
}

TEST_F(RecallTest, TheCommittedUnitDrivesOnButNothingReturnsToIt) {
  Recall({b_});
  EXPECT_EQ(Steps(20).unit_digest(), b_);
  EXPECT_EQ(Report().fallback_state(), "NOMINAL");

  Order(v1::STAGE_COMMIT, a_);  // the way back makes b last-good
  Steps(20);
  ASSERT_EQ(Report().pointer().last_good_digest(), b_);
  source_->ScriptOf(a_)->vx_mps = std::nanf("");
  Steps(3);

  EXPECT_EQ(Report().fallback_state(), "CONTROLLED_STOP");
}

TEST_F(RecallTest, IsToldOnceHoweverOftenItIsSaid) {
  for (int i = 0; i < 5; ++i) Recall({a_});

  EXPECT_EQ(std::ranges::count(Kinds(), "recalled"), 1);
  EXPECT_THAT(Kinds(), Not(Contains("recall_lifted")));
}

TEST_F(RecallTest, AReleasedQuarantineKeepsWhatIsRecalled) {
  source_->ScriptOf(c_)->vx_mps = std::nanf("");
  Order(v1::STAGE_TRIAL, c_);
  Steps(3);
  ASSERT_THAT(Kinds(), Contains("quarantined"));
  Recall({a_});
  v1::ControlOrder release = OrderFor(v1::STAGE_WARM, c_);
  release.set_release_quarantine(true);
  Apply(release);
  Steps(20);
  LoseTheModel();
  Steps(3);

  EXPECT_EQ(Report().fallback_state(), "CONTROLLED_STOP");
}

TEST_F(RecallTest, WhatIsNoDigestIsNotKept) {
  Recall({"../../etc", a_});
  LoseTheModel();
  Steps(3);

  EXPECT_EQ(Report().fallback_state(), "CONTROLLED_STOP");
  EXPECT_EQ(std::ranges::count(Kinds(), "recalled"), 1);
}

TEST_F(RecallTest, LastGoodThatIsGoneOrNoLongerSealedIsPassedByToo) {
  core_.reset();
  source_ = std::make_unique<ScriptedSource>();
  source_->broken[a_] = "seal/vsa.sigstore.json is signed by none of the keys";
  core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  Steps(40);
  LoseTheModel();
  Steps(3);

  EXPECT_EQ(Report().fallback_state(), "CONTROLLED_STOP");
  EXPECT_THAT(Kinds(), Contains("load_failed"));
}

}  // namespace
}  // namespace tests
