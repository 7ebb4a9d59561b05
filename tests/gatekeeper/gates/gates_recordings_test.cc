#include <cmath>

#include "gatekeeper/gates/command_lag.h"
#include "gatekeeper/gates/shared_life.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What the gate `recordings` refuses to take as evidence, and what it only names.
class RecordingsTest : public EvidenceTest {
 protected:
  // A drive of 10 s that turns now and then; the robot answers `drive_lag` ticks after a command,
  // which is logged `logged_late` ticks after it was given.
  Replay& AddDrive(const std::string& id, int drive_lag, int logged_late, int seed = 0) {
    Replay& replay = AddReplay(id);
    const v1::TickRecord tick = replay.ticks.front();
    replay.ticks.clear();
    replay.commands.clear();
    for (int i = 0; i < 200; ++i) {
      replay.ticks.push_back(tick);
      replay.ticks.back().set_now_ns(tests::kDriveStart_ns + i * kTick_ns);
      MeasuredMotion motion;
      motion.vx_mps = 0.4;
      motion.wz_radps = Turn(i - drive_lag, seed);
      replay.measured.push_back(motion);
      replay.commands.push_back(
          {tests::kDriveStart_ns + (i + logged_late) * kTick_ns + 2'000'000, {0.4, Turn(i, seed)}});
    }
    replay.last_ns = replay.ticks.back().now_ns();
    return replay;
  }
  static double Turn(int tick, int seed) {
    return 0.3 * std::sin(0.05 * tick + seed) + 0.2 * std::sin(0.13 * tick + 2 * seed);
  }

  Replay& AddFault(const std::string& id, bool clock) {
    Replay& replay = AddReplay(id);
    replay.faults.push_back({.at_ns = tests::kDriveStart_ns + 1'500'000'000,
                             .channel = "scan",
                             .what = "stamp runs backwards by 1.950000 s",
                             .times = 1,
                             .clock = clock});
    return replay;
  }
};

TEST_F(RecordingsTest, AClockThatWasSetFailsWithFileChannelAndSecond) {
  AddFault("sound", false);
  EXPECT_EQ(JudgeRecordings(evidence_).outcome(), v1::PASS);
  AddFault("jumped", true);
  scenarios_.back().recording = "somewhere/jumped.mcap";
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  const v1::Finding& finding = result.findings(1);
  EXPECT_EQ(finding.scenario(), "jumped");
  EXPECT_NEAR(finding.at_s(), 1.5, 1e-9);
  EXPECT_THAT(finding.message(), AllOf(HasSubstr("scan: stamp runs backwards by 1.95"),
                                       HasSubstr("in jumped.mcap"), HasSubstr("clock_fault")));
}

TEST_F(RecordingsTest, AScenarioThatIsAboutABrokenClockIsEvidence) {
  AddFault("jumped", true);
  scenarios_.back().document.mutable_segments(0)->add_tags("clock_fault");
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_EQ(result.findings_size(), 1);  // named all the same
}

TEST_F(RecordingsTest, WhatWasLostBeforeTheImportIsToldAndFailsNothing) {
  AddDrive("cut", 2, 0);
  v1::Origin& origin = *scenarios_.back().document.mutable_origin();
  origin.set_file("bags/run7");
  origin.add_notes("damage: run7.mcap breaks off");
  origin.add_notes("scan: taken as seen from the body");
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).message(), "imported from bags/run7, damage: run7.mcap breaks off");
  EXPECT_THAT(result.summary(), Not(HasSubstr("clips of")));
}

TEST_F(RecordingsTest, ClipsOfOneDriveAreCalledThat) {
  for (const char* id : {"run7-000", "run7-001", "run8-000"}) {
    AddDrive(id, 2, 0, static_cast<int>(scenarios_.size()));
    scenarios_.back().document.mutable_origin()->set_sha256(std::string(id).substr(0, 4));
  }
  EXPECT_THAT(JudgeRecordings(evidence_).summary(), HasSubstr("; 3 of them are clips of 2 drives"));
}

TEST_F(RecordingsTest, OnlyStampsAsFarBackAsTheControllerTakesForASetClockAreOne) {
  const auto faults_of = [](int64_t fall_ns) {
    const auto bench = tests::MakeBench(tests::GoodDriver);
    RecordingWatch watch(bench->rules().policy);
    watch.See({{"scan", 9'000'000'000}}, 1'000'000'000);
    watch.See({{"scan", 9'000'000'000 - fall_ns}}, 1'050'000'000);
    return watch.Faults();
  };
  ASSERT_EQ(faults_of(1'000'000'000).size(), 1U);
  EXPECT_FALSE(faults_of(1'000'000'000).front().clock);
  EXPECT_TRUE(faults_of(1'000'000'001).front().clock);
  EXPECT_TRUE(faults_of(-2'050'000'001).front().clock);  // ahead of the time of receipt by 2 s
  EXPECT_TRUE(faults_of(-2'050'000'000).empty());
}

TEST_F(RecordingsTest, CommandsThatComeAfterTheMotionThatTheyLedToFail) {
  AddDrive("prompt", 0, 0);
  AddDrive("slow", 6, 0, 1);         // a drive that takes 300 ms to answer
  AddDrive("slow_late", 6, 6, 2);    // which hides that the log is 300 ms late
  AddDrive("a_tick_late", 0, 1, 3);  // within what ticks can resolve
  EXPECT_EQ(JudgeRecordings(evidence_).outcome(), v1::PASS)
      << JudgeRecordings(evidence_).DebugString();
  AddDrive("late", 2, 6, 4);
  scenarios_.back().recording = "late.mcap";
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "late");
  EXPECT_THAT(result.findings(0).message(), HasSubstr("the commands of late.mcap come 0.25 s"));
}

TEST_F(RecordingsTest, TheLagIsThatOfTheDriveAndNothingIsSaidOfOneThatNeverTurns) {
  const auto lag = CommandLagOf(AddDrive("slow", 6, 0));
  ASSERT_TRUE(lag.has_value());
  EXPECT_NEAR(lag->seconds, 0.3, 0.051);
  EXPECT_GT(lag->explained, 0.99);
  EXPECT_FALSE(CommandLagOf(AddReplay("straight")).has_value());
}

TEST_F(RecordingsTest, ARecordingThatTakesPartTwiceFailsAndBothClipsAreNamed) {
  AddReplay("morning");
  AddReplay("evening");
  EXPECT_EQ(JudgeRecordings(evidence_).outcome(), v1::PASS);
  scenarios_[1].document.set_sha256(scenarios_[0].document.sha256());
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("morning and evening are the same recording"));
}

TEST_F(RecordingsTest, TwoCutsOfOneDriveMayTouchAndNotOverlap) {
  const Replay whole = AddDrive("whole", 2, 0);
  evidence_.replays.clear();
  const auto cut = [&](const char* id, size_t from, size_t to) {
    Replay part = whole;
    Scenario& scenario = scenarios_.emplace_back();
    scenario.document.set_id(id);
    part.scenario = &scenario;
    part.commands.assign(whole.commands.begin() + static_cast<std::ptrdiff_t>(from),
                         whole.commands.begin() + static_cast<std::ptrdiff_t>(to));
    part.first_ns = part.commands.front().at_ns;
    evidence_.replays.push_back(std::move(part));
  };
  cut("first", 0, 100);
  cut("second", 100, 200);
  EXPECT_TRUE(FindSharedLife(evidence_.replays).empty());
  cut("across", 60, 90);
  const std::vector<SharedLife> shared = FindSharedLife(evidence_.replays);
  ASSERT_EQ(shared.size(), 1U);
  EXPECT_EQ(shared.front().first, 0U);
  EXPECT_EQ(shared.front().second, 2U);
  EXPECT_NEAR(static_cast<double>(shared.front().to_ns - shared.front().from_ns) * 1e-9, 1.4, 0.01);
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("first and across hold the same 1.40 s"));
}

TEST_F(RecordingsTest, RobotsThatStandAndDrivesThatBeginAlikeAreNotOneDrive) {
  AddReplay("waits");
  AddReplay("waits_too");  // equal commands at equal times, which never change
  AddDrive("drive", 2, 0);
  AddDrive("begins_alike", 2, 0, 1);
  const Replay& drive = evidence_.replays[2];
  for (size_t i = 0; i < 20; ++i) evidence_.replays.back().commands[i] = drive.commands[i];
  EXPECT_TRUE(FindSharedLife(evidence_.replays).empty());
}

}  // namespace
}  // namespace gatekeeper::gates
