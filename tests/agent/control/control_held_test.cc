#include <gmock/gmock.h>

#include <optional>

#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

// What a person must clear, over restarts and power cuts at every write.

namespace tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HeldOverRestartTest : public ControlTest {
 protected:
  // An empty battery for two ticks: exchanged before anybody has looked.
  v1::Command RunEmpty() {
    v1::Command command;
    for (const double supply_v : {20.0, 20.0, 24.0}) {
      core_->SetSignal("supply_V", supply_v, clock_.Now());
      command = Step();
    }
    return command;
  }
  std::vector<std::string> Triggers() {
    const v1::ControlReport report = Report();
    return {report.triggers().begin(), report.triggers().end()};
  }
  v1::ControlReport Acknowledge() {
    v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
    order.set_acknowledge(true);
    return Apply(order);
  }
};

TEST_F(HeldOverRestartTest, WaitsForAPersonWhoeverRestartsControl) {
  Commit(a_);
  RunEmpty();
  Start();

  EXPECT_TRUE(Steps(20 * 60).stop());

  EXPECT_THAT(Triggers(), ElementsAre("hardware_limit"));
  EXPECT_EQ(Report().fallback_state(), "SAFE_STOPPED");
  EXPECT_FALSE(Report().latched());
  EXPECT_THAT(Kinds(), Contains("held"));
}

TEST_F(HeldOverRestartTest, AnAcknowledgementIsRememberedToo) {
  Commit(a_);
  RunEmpty();
  Start();
  Steps(2);

  EXPECT_THAT(Acknowledge().triggers(), ElementsAre("hardware_limit")) << "as of the last tick";

  EXPECT_FALSE(Steps(2).stop());
  Start();
  EXPECT_FALSE(Steps(2).stop());
  EXPECT_THAT(Triggers(), IsEmpty());
}

TEST_F(HeldOverRestartTest, AnAcknowledgementBeforeTheUnitIsWarmClears) {
  Commit(a_);
  RunEmpty();
  core_.reset();
  source_ = std::make_unique<ScriptedSource>();
  source_->slow[a_] = 1;
  core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  Steps(2);

  Acknowledge();
  source_->slow.clear();

  EXPECT_FALSE(Steps(3).stop());
}

TEST_F(HeldOverRestartTest, ATriggerOfNoUnitHereStopsAllTheSame) {
  Commit(a_);
  v1::LatchRecord latch;
  latch.add_held("contact");
  files_.Put("state/control/latch", agent::control::EncodeSlot({2, latch.SerializeAsString()}) +
                                        std::string(agent::control::kSlotBytes, '\0'));
  Start();

  EXPECT_TRUE(Steps(20).stop());

  EXPECT_THAT(Triggers(), ElementsAre("flapping"));
}

TEST_F(HeldOverRestartTest, WhatDoesNotFitItsSlotIsHeldByFlapping) {
  const std::string longest(197, 'x');  // and its tag and length: all the room there is
  v1::LatchRecord latch;
  agent::control::SetHeld({longest}, latch);
  EXPECT_THAT(latch.held(), ElementsAre(longest));
  agent::control::SetHeld({longest, "y", "z"}, latch);
  EXPECT_THAT(latch.held(), ElementsAre(longest, "flapping"));
  agent::control::SetHeld({longest + "x"}, latch);
  EXPECT_THAT(latch.held(), ElementsAre("flapping"));

  agent::control::SetHeld({longest, "y"}, latch);
  latch.set_latched(true);
  latch.set_awaiting_start(true);
  latch.set_probation(true);
  latch.set_told(true);
  latch.set_unit(std::string(32, 'u'));
  latch.set_cause(std::string(agent::control::kMaxLatchCause, 'c'));
  latch.set_since_wall_ms(-1);
  latch.set_acknowledged_seq(UINT64_MAX);
  latch.set_incident(std::string(32, 'i'));
  EXPECT_LE(latch.ByteSizeLong(), agent::control::kMaxSlotPayload);
}

// --- power cuts

class HeldCrashTest : public HeldOverRestartTest {
 protected:
  // Runs empty, is acknowledged, runs empty again. `stopped_`: what was promised to the outside,
  // nothing while it is being written.
  void LiveALife() {
    Order(v1::STAGE_COMMIT, a_);
    Steps(3);
    for (int i = 0; i < 2 && !files_.dead(); ++i) {
      stopped_.reset();
      RunEmpty();
      if (files_.dead()) return;
      stopped_ = true;
      Order(v1::STAGE_TRIAL, b_);  // what is written while it stands
      Steps(2);
      Order(v1::STAGE_IDLE, "");
      Steps(2);
      if (files_.dead() || i > 0) return;
      stopped_.reset();
      Acknowledge();
      if (files_.dead()) return;
      stopped_ = false;
      Steps(3);
    }
  }
  std::optional<bool> stopped_ = false;
};

TEST_F(HeldCrashTest, ACutAtAnyWriteNeverLetsARobotDriveThatWaitedForAPerson) {
  LiveALife();
  ASSERT_EQ(stopped_, true);
  const size_t writes = files_.writes();
  ASSERT_GE(writes, 6u);
  int stopped = 0;

  for (const auto how :
       {CrashFiles::Cut::kBefore, CrashFiles::Cut::kTorn, CrashFiles::Cut::kAfter}) {
    for (size_t nth = 0; nth < writes; ++nth) {
      SCOPED_TRACE(testing::Message() << "write " << nth << ", cut " << static_cast<int>(how));
      files_ = CrashFiles();
      files_.CutPowerAt(nth, how);
      stopped_ = false;
      Start();
      LiveALife();
      files_.Restart();
      Start();
      const v1::Command command = Steps(5);

      if (Report().pointer().committed_digest() != a_) continue;
      if (stopped_ == true) {
        ++stopped;
        EXPECT_TRUE(command.stop());
        EXPECT_THAT(Triggers(), Contains("hardware_limit"));
      }
      if (stopped_ == false) {
        EXPECT_FALSE(command.stop());
      }
      Acknowledge();
      EXPECT_FALSE(Steps(5).stop()) << "a person clears it, whatever was cut";
    }
  }
  EXPECT_GT(stopped, 0);
}

// --- a disk that refuses

TEST_F(HeldOverRestartTest, ADiskThatRefusesIsAskedOnceASecondAndTheRobotStopsAllTheSame) {
  Commit(a_);
  files_.FailOverwrites(true);
  const size_t before = files_.overwrites();

  EXPECT_TRUE(RunEmpty().stop());
  EXPECT_TRUE(Steps(20 * 10).stop());

  EXPECT_GE(files_.overwrites() - before, 10u);
  EXPECT_LE(files_.overwrites() - before, 11u);
  const std::vector<std::string> kinds = Kinds();
  EXPECT_EQ(std::ranges::count(kinds, "latch_not_saved"), 1);
  files_.FailOverwrites(false);
  Steps(20);
  Start();
  EXPECT_TRUE(Steps(5).stop());
}

TEST_F(HeldOverRestartTest, AnEmergencyStopIsToldAtOnceWhileTheDiskRefuses) {
  Commit(a_);
  files_.FailOverwrites(true);
  RunEmpty();
  estop_pressed_ = true;
  Step();
  EXPECT_THAT(Kinds(), Contains("estop"));
  EXPECT_EQ(Report().rearm().incident(), "") << "nobody is asked for what the disk does not know";
}

}  // namespace
}  // namespace tests
