// What a tick leaves behind: every field of the record and of the command, also in messages that
// hold another tick already.
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "agent/runtime/tick.h"
#include "proto/robot.pb.h"
#include "proto/verdict.pb.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// No two fields alike, and none at the value that an empty message has.
Tick BusyTick() {
  return {.now = Nanos{1'000},
          .raw = {1.5, -0.25},
          .enforced = {0.75, -0.125},
          .stop = true,
          .state = "circle",
          .triggers = {"stale_scan", "hot"},
          .reasons = {"envelope:hall", "accel:v", "derate:hot"},
          .clamped = true,
          .deadline_missed = true,
          .nonfinite = true,
          .model_fault = true,
          .confidence = 0.5,
          .uncertainty = 0.25,
          .clearance_m = -0.5,
          .nearest_m = 2.5,
          .derate = 0.625,
          .infer = Nanos{300},
          .digest = "sha256:aa",
          .requirements = {{"r1", monitor::Verdict::kHolds, 3.5},
                           {"r2", monitor::Verdict::kViolated, -1.5},
                           {"r3", monitor::Verdict::kUnknown, 4.5}}};
}

// Nothing to say: what an earlier tick left must be gone.
Tick QuietTick() {
  Tick tick;
  tick.now = Nanos{2'000};
  tick.state = "drive";
  tick.clearance_m = 1;
  tick.nearest_m = 7;
  return tick;
}

void ExpectBusy(const v1::TickRecord& record) {
  EXPECT_EQ(record.now_ns(), 1'000);
  EXPECT_THAT(record.raw(), ElementsAre(1.5, -0.25));
  EXPECT_THAT(record.enforced(), ElementsAre(0.75, -0.125));
  EXPECT_EQ(record.state(), "circle");
  EXPECT_THAT(record.triggers(), ElementsAre("stale_scan", "hot"));
  EXPECT_THAT(record.reasons(), ElementsAre("envelope:hall", "accel:v", "derate:hot"));
  EXPECT_EQ(record.confidence(), 0.5);
  EXPECT_EQ(record.clearance_m(), -0.5);
  EXPECT_EQ(record.infer_ns(), 300);
  EXPECT_TRUE(record.deadline_missed());
  EXPECT_TRUE(record.clamped());
  EXPECT_EQ(record.unit_digest(), "sha256:aa");
  EXPECT_EQ(record.uncertainty(), 0.25);
  EXPECT_EQ(record.nearest_m(), 2.5);
  EXPECT_EQ(record.derate(), 0.625);
  ASSERT_EQ(record.requirements_size(), 3);
  EXPECT_EQ(record.requirements(0).id(), "r1");
  EXPECT_EQ(record.requirements(0).verdict(), "holds");
  EXPECT_EQ(record.requirements(0).robustness(), 3.5);
  EXPECT_EQ(record.requirements(1).verdict(), "violated");
  EXPECT_EQ(record.requirements(1).robustness(), -1.5);
  EXPECT_EQ(record.requirements(2).verdict(), "unknown");
}

TEST(TickRecord, HoldsEveryFieldOfTheTick) { ExpectBusy(ToRecord(BusyTick())); }

TEST(TickRecord, KeepsNothingOfAnEarlierTickAndSaysAllOfTheNext) {
  v1::TickRecord record;
  WriteRecord(BusyTick(), record);
  WriteRecord(QuietTick(), record);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(record, ToRecord(QuietTick())))
      << record.DebugString();
  WriteRecord(BusyTick(), record);
  WriteRecord(BusyTick(), record);
  ExpectBusy(record);
}

TEST(TickRecord, LeavesTheLatencyToWhoeverMeasuresIt) {
  v1::TickRecord record;
  record.mutable_latency()->set_run_ns(17);
  WriteRecord(BusyTick(), record);
  EXPECT_EQ(record.latency().run_ns(), 17);
}

TEST(TickCommand, HoldsWhatTheRobotShallDoAndWhy) {
  v1::Command command;
  WriteCommand(BusyTick(), 42, 5'000, command);
  EXPECT_EQ(command.seq(), 42u);
  EXPECT_EQ(command.stamp_ns(), 5'000);
  EXPECT_THAT(command.values(), ElementsAre(0.75, -0.125));
  EXPECT_TRUE(command.stop());
  EXPECT_EQ(command.state(), "circle");
  EXPECT_EQ(command.unit_digest(), "sha256:aa");
  EXPECT_THAT(command.reasons(), ElementsAre("envelope:hall", "accel:v", "derate:hot"));
}

TEST(TickCommand, KeepsNothingOfAnEarlierOne) {
  v1::Command command;
  WriteCommand(BusyTick(), 42, 5'000, command);
  WriteCommand(QuietTick(), 43, 6'000, command);
  EXPECT_EQ(command.seq(), 43u);
  EXPECT_EQ(command.stamp_ns(), 6'000);
  EXPECT_THAT(command.values(), IsEmpty());
  EXPECT_FALSE(command.stop());
  EXPECT_EQ(command.state(), "drive");
  EXPECT_EQ(command.unit_digest(), "");
  EXPECT_THAT(command.reasons(), IsEmpty());
}

}  // namespace
}  // namespace agent::runtime
