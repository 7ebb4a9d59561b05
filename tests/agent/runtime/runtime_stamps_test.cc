#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "agent/runtime/ask.h"
#include "agent/runtime/freshness.h"
#include "agent/runtime/input_board.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/cases.h"
#include "tests/support/importers/archive.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"

// What clocks do to inputs: messages that are delayed, overtaken, unstamped, or stamped by a clock
// that was set.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::kPeriod;
using ::tests::kStartOfTime;
using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;

// One policy with odometry only: 200 ms of age, 100 ms ahead, stuck after 500 ms.
v1::ControlPolicy OdomOnly() {
  v1::ControlPolicy document = NavPolicyDocument();
  v1::InputRule odom = document.inputs().at("odom");
  odom.set_max_age_ms(200);
  odom.set_max_future_ms(100);
  odom.set_stuck_after_ms(500);
  document.clear_inputs();
  (*document.mutable_inputs())["odom"] = odom;
  document.clear_separation();
  document.clear_requirements();
  return document;
}

class StampsTest : public testing::Test {
 protected:
  StampsTest() : policy_(*Policy::Compile(OdomOnly())) {}

  // A message that was sent at `sent` by a clock that is `offset` ahead of ours.
  void Hear(Nanos sent, Nanos received) { HearStamp((sent + offset_).count(), received); }
  void HearStamp(int64_t stamp_ns, Nanos received) {
    v1::Observation packet;
    packet.mutable_odom()->set_stamp_ns(stamp_ns);
    packet.mutable_odom()->set_x_m(static_cast<double>(++sent_));
    board_.Accept(packet, received);
    now_ = std::max(now_, received);
  }
  // Messages that travel 3 ms, every 50 ms.
  void Calm(int count) {
    for (int i = 0; i < count; ++i) Hear(now_ + kPeriod - milliseconds(3), now_ + kPeriod);
  }
  std::vector<std::string_view> Faults() { return Faults(now_); }
  std::vector<std::string_view> Faults(Nanos now) {
    std::vector<std::string_view> reasons;
    const TriggerMask raised = freshness_.Judge(board_, now, reasons);
    EXPECT_EQ(raised, reasons.empty() ? 0U : MaskOf(policy_.FindInput("odom")->trigger));
    return reasons;
  }
  double Newest() const { return board_.odom().x_m(); }
  const ChannelRecord& record() const { return *board_.Find("odom"); }

  const Policy policy_;
  InputBoard board_;
  Freshness freshness_{policy_};
  Nanos now_ = kStartOfTime;
  Nanos offset_ = -seconds(1000);
  int sent_ = 0;
};

TEST_F(StampsTest, AMessageThatTravelledTooLongIsLateThoughItCameJustNow) {
  Calm(20);
  const Nanos sent = now_ - milliseconds(3) + milliseconds(10);
  Hear(sent, sent + milliseconds(203));
  EXPECT_THAT(Faults(), IsEmpty()) << "200 ms longer than the fastest: just young enough";
  // The estimate of the fastest message relaxes by a millisecond in a second.
  const Nanos later = now_ + milliseconds(1);
  EXPECT_THAT(Faults(later), ElementsAre("input:odom:late")) << "it ages from when it was sent";
  EXPECT_FALSE(IsFresh(*policy_.FindInput("odom"), board_, later));
}

TEST_F(StampsTest, AQueueThatFillsUpIsLateBeforeItIsSilent) {
  Calm(20);
  Nanos sent = now_;
  std::vector<std::string_view> faults;
  for (int i = 0; i < 40 && faults.empty(); ++i) {
    sent += kPeriod;
    Hear(sent, sent + i * milliseconds(10));
    faults = Faults();
  }
  EXPECT_THAT(faults, ElementsAre("input:odom:late"));
  EXPECT_NEAR(static_cast<double>((now_ - sent).count()) * 1e-6, 210, 11);
}

TEST_F(StampsTest, TheAgeOfAMotionCountsFromWhenItWasSent) {
  Calm(20);
  Hear(now_ + kPeriod, now_ + kPeriod + milliseconds(103));
  const auto motion = MeasuredMotion(policy_, board_, now_ + milliseconds(20));
  ASSERT_TRUE(motion.has_value());
  EXPECT_NEAR(static_cast<double>(motion->age.count()) * 1e-6, 120, 0.2);
}

TEST_F(StampsTest, AnOvertakenMessageIsDroppedAndTheNextOneTaken) {
  Calm(5);
  HearStamp((now_ + offset_ - milliseconds(10)).count(), now_ + milliseconds(10));
  EXPECT_EQ(Newest(), 5);
  EXPECT_EQ(record().drops.out_of_order, 1U);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:out_of_order"));
  EXPECT_THAT(Faults(), IsEmpty()) << "named once";
  Calm(1);
  EXPECT_EQ(Newest(), 7);
  EXPECT_THAT(Faults(), IsEmpty());
}

TEST_F(StampsTest, TwoOvertakenMessagesInWrongOrderAreBothDropped) {
  Calm(5);
  const Nanos newest = now_;
  Hear(newest - milliseconds(10), now_ + milliseconds(1));
  Hear(newest - milliseconds(20), now_ + milliseconds(1));
  EXPECT_EQ(Newest(), 5);
  EXPECT_EQ(record().drops.out_of_order, 2U);
  EXPECT_EQ(record().drops.backward, 0U);
}

TEST_F(StampsTest, AClockThatWasSetBackALittleIsHeardAgainAfterTwoMessages) {
  Calm(5);
  offset_ -= milliseconds(400);
  Calm(1);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:out_of_order"));
  Calm(1);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:backward"));
  EXPECT_EQ(Newest(), 5);
  for (int i = 0; i < 100; ++i) {
    Calm(1);
    EXPECT_THAT(Faults(), IsEmpty()) << i;
  }
  EXPECT_EQ(Newest(), 107);
}

TEST_F(StampsTest, AFallOfMoreThanASecondIsAClockThatWasSetAtOnce) {
  Calm(5);
  const int64_t newest = record().stamp_ns;
  HearStamp(newest - 1'000'000'000, now_ + Nanos(1));
  EXPECT_THAT(Faults(), ElementsAre("input:odom:out_of_order")) << "a second is not more";
  HearStamp(newest - 1'000'000'001, now_ + Nanos(1));
  EXPECT_THAT(Faults(), ElementsAre("input:odom:backward"));
  EXPECT_EQ(Newest(), 5);
}

TEST_F(StampsTest, ACounterThatWrapsIsHeardAgain) {
  const Nanos wrap{int64_t{4'294'967'296'000}};  // 32 bits of microseconds
  offset_ = wrap - milliseconds(260) - now_;
  Calm(5);
  EXPECT_THAT(Faults(), IsEmpty());
  offset_ -= wrap;
  Calm(1);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:backward"));
  Calm(1);
  EXPECT_THAT(Faults(), IsEmpty());
  EXPECT_EQ(Newest(), 7);
}

TEST_F(StampsTest, AStampThatWasWronglyAheadCostsTwoMessagesAndNoMore) {
  Calm(5);
  Hear(now_ + kPeriod + milliseconds(400), now_ + kPeriod);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:ahead"));
  Calm(1);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:out_of_order"));
  Calm(1);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:backward"));
  for (int i = 0; i < 20; ++i) {
    Calm(1);
    EXPECT_THAT(Faults(), IsEmpty()) << "not late by the estimate that the wrong stamp made";
  }
}

TEST_F(StampsTest, AMessageWithoutAStampIsNotTaken) {
  HearStamp(0, now_);
  EXPECT_EQ(board_.Find("odom"), nullptr);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:unstamped"));
  EXPECT_THAT(Faults(), ElementsAre("input:odom:missing"));
  Calm(5);
  Faults();
  HearStamp(0, now_ + milliseconds(1));
  EXPECT_EQ(Newest(), 6);
  EXPECT_THAT(Faults(), ElementsAre("input:odom:unstamped"));
  EXPECT_EQ(record().drops.unstamped, 2U);
  Calm(1);
  EXPECT_THAT(Faults(), IsEmpty());
}

TEST_F(StampsTest, ARepeatedStampIsJudgedByItsOwnPatience) {
  Calm(5);
  const int64_t stamp = record().stamp_ns;
  for (int i = 1; i <= 10; ++i) {
    HearStamp(stamp, now_ + kPeriod);
    EXPECT_THAT(Faults(), IsEmpty()) << i << ": neither late nor stuck yet";
  }
  HearStamp(stamp, now_ + Nanos(1));
  EXPECT_THAT(Faults(), ElementsAre("input:odom:stuck"));
}

TEST_F(StampsTest, NoStampsWhateverMakeAStaleValueYoung) {
  // However the sender's clock behaves, a value is never taken for younger than it was received.
  std::mt19937_64 random(7);
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    now_ += Nanos(static_cast<int64_t>(random() % 200'000'000));
    const int64_t stamp = random() % 8 == 0 ? static_cast<int64_t>(random())
                                            : static_cast<int64_t>(random() % 5'000'000'000);
    HearStamp(stamp, now_);
    if (board_.Find("odom") == nullptr) continue;
    ASSERT_LE(record().sent, record().received);
    ASSERT_LE(record().received, now_);
  }
}

// --- what real robots' clocks did ----------------------------------------------------------------

struct Logged {
  int64_t stamp_ns = 0;
  Nanos received{};  // the logger's own running time
};

// The laser stamps of a CARMEN log, received when the logger's clock was highest so far.
std::vector<Logged> LaserStamps(const std::string& path) {
  std::vector<Logged> logged;
  auto text = tests::ReadGzip(path);
  EXPECT_TRUE(text.ok()) << text.status();
  std::istringstream lines(*std::move(text));
  double highest_s = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("FLASER ", 0) != 0) continue;
    const double stamp_s = std::strtod(line.c_str() + line.find_last_of(' '), nullptr);
    // Nobody logs for more than a day; what is above is a clock that wrapped.
    if (stamp_s < 86'400) highest_s = std::max(highest_s, stamp_s);
    logged.push_back(
        {std::llround(stamp_s * 1e9), kStartOfTime + Nanos(std::llround(highest_s * 1e9))});
  }
  return logged;
}

class CarmenTest : public testing::Test {
 protected:
  static v1::ControlPolicy Document() {
    v1::ControlPolicy document = OdomOnly();
    document.mutable_inputs()->at("odom").set_max_age_ms(8000);
    document.mutable_inputs()->at("odom").set_stuck_after_ms(60'000);
    return document;
  }
  // How often each reason was given, judged after every message.
  std::map<std::string, int> ReasonsOf(const std::string& log) {
    std::map<std::string, int> counts;
    for (const Logged& scan : LaserStamps(log)) {
      v1::Observation packet;
      packet.mutable_odom()->set_stamp_ns(scan.stamp_ns);
      board_.Accept(packet, scan.received);
      std::vector<std::string_view> reasons;
      const TriggerMask raised = freshness_.Judge(board_, scan.received, reasons);
      EXPECT_EQ(raised != 0, !reasons.empty());
      for (std::string_view reason : reasons) ++counts[std::string(reason)];
    }
    return counts;
  }
  const Policy policy_ = *Policy::Compile(Document());
  InputBoard board_;
  Freshness freshness_{policy_};
};

TEST_F(CarmenTest, TheFourFallsOfIntelRaiseTheTrigger) {
  const std::string log = tests::SharedRecording("carmen/intel-corrected.log.gz");
  SKIP_WITHOUT(log);
  EXPECT_THAT(ReasonsOf(log),
              ElementsAre(std::pair<const std::string, int>("input:odom:out_of_order", 4)));
}

TEST_F(CarmenTest, TheNegativeAndWrappedStampsOfTheInfiniteCorridorAreNeverBelieved) {
  const std::string log = tests::SharedRecording("carmen/infinite-corridor-corrected.log.gz");
  SKIP_WITHOUT(log);
  const size_t scans = LaserStamps(log).size();
  const std::map<std::string, int> reasons = ReasonsOf(log);
  int raised = 0;
  for (const auto& [reason, times] : reasons) raised += times;
  EXPECT_EQ(raised, static_cast<int>(scans)) << "not one of them comes from a clock";
  EXPECT_GE(reasons.at("input:odom:unstamped"), 5);
}

TEST_F(CarmenTest, ALogWithASoundClockRaisesNothing) {
  const std::string log = tests::SharedRecording("carmen/freiburg-079-corrected.log.gz");
  SKIP_WITHOUT(log);
  EXPECT_THAT(ReasonsOf(log), IsEmpty());
}

}  // namespace
}  // namespace agent::runtime
