#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "tests/agent/control/rearm_fixture.h"
#include "tests/support/cases.h"

// Re-arming under power cuts at every write, and under anything that can happen in any order: the
// robot never moves before two people permitted it and somebody pressed start.

namespace tests {
namespace {

double Speed(const v1::Command& command) {
  double fastest = 0;
  for (const double value : command.values()) fastest = std::max(fastest, std::abs(value));
  return command.stop() ? 0 : fastest;
}

// How the approvals come to the robot.
enum class Way { kAgent, kCarried };

class RearmCrashTest : public RearmControlTest, public testing::WithParamInterface<Way> {
 protected:
  // What was seen from outside before the power went.
  struct Seen {
    bool barred = false;  // latched, or awaiting the start
    bool asked = false;   // good approvals were handed in
    Approvals approvals;  // all of them, of this life
  };

  void Live(int steps) {
    for (int i = 0; i < steps && !files_.dead(); ++i) {
      Step();
      if (!files_.dead() && Report().latched()) seen_.barred = true;
    }
  }
  void LiveALife() {
    if (!files_.dead()) Order(v1::STAGE_COMMIT, a_);
    Live(3);
    estop_pressed_ = true;
    Live(40);
    estop_pressed_ = false;
    Live(20);
    if (files_.dead()) return;
    const v1::RearmChallenge challenge = Report().rearm();
    Answer({ByAda(challenge)});
    Live(2);
    if (files_.dead()) return;
    seen_.asked = true;
    seen_.approvals = ByBoth(challenge);
    if (way_ == Way::kAgent) {
      Answer(seen_.approvals);
    } else {
      files_.Put("state/control/rearm/approvals.jsonl",
                 seen_.approvals[0] + "\n" + seen_.approvals[1]);
    }
    Live(25);
  }
  void ExpectNoMotion(int steps) {
    for (int i = 0; i < steps; ++i) EXPECT_EQ(Speed(Step()), 0);
  }

  const Way way_ = GetParam();
  Seen seen_;
};

INSTANTIATE_TEST_SUITE_P(Ways, RearmCrashTest, testing::Values(Way::kAgent, Way::kCarried));

TEST_P(RearmCrashTest, ACutAtAnyWriteNeitherLosesTheLatchNorPermitsTwice) {
  LiveALife();
  ASSERT_TRUE(seen_.asked);
  ASSERT_FALSE(Report().latched());
  const size_t writes = files_.writes();
  ASSERT_GE(writes, 6);

  int held = 0;
  for (const auto how :
       {CrashFiles::Cut::kBefore, CrashFiles::Cut::kTorn, CrashFiles::Cut::kAfter}) {
    for (size_t nth = 0; nth < writes; ++nth) {
      SCOPED_TRACE(testing::Message() << "write " << nth << ", cut " << static_cast<int>(how));
      files_ = CrashFiles();
      Enrol();
      files_.CutPowerAt(nth, how);
      seen_ = {};
      estop_pressed_ = false;
      Start();
      LiveALife();
      files_.Restart();
      Start();
      Steps(20);

      const bool latched = Report().latched();
      if (seen_.barred && !seen_.asked) {
        EXPECT_TRUE(latched) << Report().ShortDebugString();
      }
      if (seen_.barred) ExpectNoMotion(20);
      if (!seen_.asked) continue;
      EXPECT_EQ(Answer(seen_.approvals).latched(), latched) << "the approvals worked again";
      ExpectNoMotion(20);
      if (!latched) continue;
      ++held;
      EXPECT_FALSE(Answer(ByBoth(Report().rearm())).latched()) << Report().rearm_refused();
      ExpectNoMotion(5);
    }
  }
  EXPECT_GT(held, 0) << "no cut came between the approvals and the permission";
}

TEST_P(RearmCrashTest, ALostWriteOfThePermissionLeavesTheLatchAndNoSecondUse) {
  LiveALife();
  ASSERT_FALSE(Report().latched());
  files_ = CrashFiles();
  Enrol();
  estop_pressed_ = false;
  Start();
  Commit(a_);
  StopAndRelease();
  const Approvals approvals = ByBoth(Report().rearm());
  files_.LoseNextOverwrite();
  ASSERT_FALSE(Answer(approvals).latched());

  Start();
  Steps(20);
  ASSERT_TRUE(Report().latched()) << "the disk forgot the permission";
  EXPECT_TRUE(Answer(approvals).latched());
  ExpectNoMotion(10);
}

// --- anything in any order --------------------------------------------------------------------

class AnyOrderTest : public RearmControlTest {
 protected:
  static inline const int kSequences = std::max(50, tests::Cases(1000));
  static constexpr int kEvents = 25;

  // What an onlooker may conclude, from buttons and signatures alone.
  enum class Belief { kFree, kStopping, kBarred, kPermitted, kReleased };

  int Roll(int sides) { return static_cast<int>(dice_() % static_cast<unsigned>(sides)); }

  void Judge(const v1::Command& command) {
    const double speed = Speed(command);
    if (belief_ == Belief::kStopping) {
      EXPECT_LE(speed, speed_ + 1e-12) << "it speeds up instead of stopping";
      if (speed == 0) belief_ = Belief::kBarred;
    } else if (belief_ != Belief::kFree) {
      EXPECT_EQ(speed, 0) << "it moves; belief " << static_cast<int>(belief_) << "\n"
                          << Report().ShortDebugString();
    }
    speed_ = speed;
    moved_ += speed > 0 ? 1 : 0;
  }
  void Ask(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      // Letting go for a second and pressing again is what counts as a start.
      if (belief_ == Belief::kReleased) belief_ = Belief::kFree;
      if (estop_pressed_ && belief_ != Belief::kBarred) belief_ = Belief::kStopping;
      Judge(Step());
    }
  }
  void Pause(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      if (estop_pressed_ && belief_ != Belief::kBarred) belief_ = Belief::kStopping;
      Judge(QuietStep());
    }
    if (belief_ == Belief::kPermitted && ticks > 20) belief_ = Belief::kReleased;
  }
  void HandIn(const Approvals& approvals, bool good) {
    const bool before = Report().latched();
    const bool after = Answer(approvals).latched();
    if (before && !after) {
      EXPECT_TRUE(good) << "a re-arm by approvals that must not count";
      EXPECT_EQ(belief_, Belief::kBarred);
      belief_ = Belief::kPermitted;
      used_ = approvals;
      ++permitted_;
    }
  }
  void Approve() {
    const v1::RearmChallenge now = Report().rearm();
    if (now.nonce().empty()) return HandIn(used_, false);
    if (!challenge_) challenge_ = now;
    const bool same = challenge_->SerializeAsString() == now.SerializeAsString();
    v1::RearmChallenge other = now;
    switch (Roll(8)) {
      case 0:
        return HandIn({ByAda(now)}, false);
      case 1:
        return HandIn({ByBo(now), ByBo(now)}, false);
      case 2:
        return HandIn(used_, false);
      case 3:
        other.set_robot("r2");
        return HandIn(ByBoth(other), false);
      case 4:
        other.set_unit(c_);
        return HandIn({ByAda(now), ByBo(other)}, false);
      case 5:
        return HandIn(ByBoth(*challenge_), same);  // the first challenge that was seen of this stop
      default:
        return HandIn(ByBoth(now), true);
    }
  }
  void Happen() {
    switch (Roll(12)) {
      case 0:
        estop_pressed_ = true;
        return Ask(1 + Roll(40));
      case 1:
      case 2:
        estop_pressed_ = false;
        return Ask(12);
      case 3:
      case 4:
      case 5:
        return Approve();
      case 6:
        Start();
        return Ask(3);
      case 7:
        Order(v1::STAGE_COMMIT, Roll(2) == 0 ? a_ : b_);
        return Ask(3);
      case 8:
        clock_.Advance(std::chrono::seconds(300 * Roll(3)));
        return Ask(1);
      case 9:
        Acknowledge();
        return Ask(1);
      case 10:
        return Pause(30);
      default:
        return Ask(1 + Roll(20));
    }
  }

  std::mt19937 dice_{20260131};
  Belief belief_ = Belief::kFree;
  double speed_ = 0;
  std::optional<v1::RearmChallenge> challenge_;
  Approvals used_ = {"nothing yet"};
  int permitted_ = 0;
  long moved_ = 0;
};

TEST_F(AnyOrderTest, NothingMovesBeforeAPermissionAndAStart) {
  int moved_again = 0;
  for (int i = 0; i < kSequences && !HasFailure(); ++i) {
    SCOPED_TRACE(testing::Message() << "sequence " << i);
    files_ = CrashFiles();
    Enrol();
    estop_pressed_ = false;
    belief_ = Belief::kFree;
    speed_ = 1;
    challenge_.reset();
    Start();
    Order(v1::STAGE_COMMIT, a_);
    Ask(5);
    const int before = permitted_;
    for (int event = 0; event < kEvents && !HasFailure(); ++event) {
      const long moved = moved_;
      Happen();
      if (permitted_ > before && belief_ == Belief::kFree && moved_ > moved) ++moved_again;
    }
  }
  EXPECT_GT(permitted_, kSequences / 5) << "too few sequences came to a permission";
  EXPECT_GT(moved_again, kSequences / 20) << "too few moved again";
}

}  // namespace
}  // namespace tests
