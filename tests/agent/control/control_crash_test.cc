#include <gmock/gmock.h>

#include <set>

#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

namespace tests {
namespace {

// Cuts the power at every write of a robot's life, in every way a write can end, and looks at what
// the next life makes of the disk.
class CrashTest : public ControlTest {
 protected:
  // What was promised to the outside before the power went.
  struct Promised {
    std::set<std::string> committed;  // units that may be the committed one now
    bool latched = false;
    uint32_t attempts_on_c = 0;
  };

  void Note() {
    if (files_.dead()) return;
    const v1::ControlReport report = Report();
    promised_.committed = {report.pointer().committed_digest()};
    promised_.latched = report.latched();
    promised_.attempts_on_c =
        report.pointer().trial_digest() == c_ ? report.pointer().attempts() : 0;
  }
  // An order that may commit `digest`: while it is being written either unit is right.
  void Live(v1::Stage stage, const std::string& digest) {
    if (files_.dead()) return;
    if (stage == v1::STAGE_COMMIT) promised_.committed.insert(digest);
    Order(stage, digest);
    Note();
    for (int i = 0; i < 3 && !files_.dead(); ++i) {
      Step();
      Note();
    }
  }

  void LiveALife() {
    Live(v1::STAGE_COMMIT, a_);
    Live(v1::STAGE_TRIAL, b_);
    Live(v1::STAGE_COMMIT, b_);
    source_->ScriptOf(c_)->vx_mps = std::nanf("");
    Live(v1::STAGE_TRIAL, c_);
    Live(v1::STAGE_COMMIT, a_);
    estop_pressed_ = true;
    for (int i = 0; i < 40 && !files_.dead(); ++i) {
      Step();
      Note();
    }
  }

  Promised promised_;
};

TEST_F(CrashTest, ComesBackToTheCommittedUnitAfterACutAtAnyWrite) {
  LiveALife();
  ASSERT_TRUE(promised_.latched);
  const size_t writes = files_.writes();
  ASSERT_GT(writes, 9);

  for (const auto how :
       {CrashFiles::Cut::kBefore, CrashFiles::Cut::kTorn, CrashFiles::Cut::kAfter}) {
    for (size_t nth = 0; nth < writes; ++nth) {
      SCOPED_TRACE(testing::Message() << "write " << nth << ", cut " << static_cast<int>(how));
      files_ = CrashFiles();
      files_.CutPowerAt(nth, how);
      promised_ = {.committed = {""}};
      estop_pressed_ = false;
      Start();
      LiveALife();
      files_.Restart();
      Start();
      const v1::Command command = Steps(5);

      const v1::ControlReport report = Report();
      EXPECT_NE(report.pointer().phase(), v1::ON_TRIAL);
      EXPECT_TRUE(promised_.committed.contains(report.pointer().committed_digest()))
          << report.ShortDebugString();
      EXPECT_TRUE(report.latched() || !promised_.latched);
      if (!report.latched() && !estop_pressed_) {
        EXPECT_EQ(command.unit_digest(), report.pointer().committed_digest());
      }
      if (report.pointer().trial_digest() == c_) {
        EXPECT_GE(report.pointer().attempts(), promised_.attempts_on_c);
      }
    }
  }
}

TEST_F(CrashTest, KeepsRunningWhatRunsWhenTheDiskDiesUnderIt) {
  Commit(a_);
  files_.CutPowerAt(0, CrashFiles::Cut::kBefore);

  Order(v1::STAGE_TRIAL, b_);

  EXPECT_EQ(Steps(10).unit_digest(), a_);
}

}  // namespace
}  // namespace tests
