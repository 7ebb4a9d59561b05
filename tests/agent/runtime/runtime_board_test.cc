#include <string>

#include "agent/runtime/input_board.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"

// What the board just takes, and what it counts when it takes nothing.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using ::tests::kStartOfTime;
namespace v1 = ::gatekeeper::v1;

class BoardTest : public testing::Test {
 protected:
  void HearOdom(int64_t stamp_ns) {
    v1::Observation packet;
    packet.mutable_odom()->set_stamp_ns(stamp_ns);
    board_.Accept(packet, kStartOfTime);
  }
  const ChannelRecord& odom() const { return board_.RecordOf(ChannelKind::kOdom); }

  InputBoard board_;
};

TEST_F(BoardTest, OneBeamIsAScan) {
  v1::Observation packet;
  packet.set_stamp_ns(1);
  packet.mutable_scan()->add_ranges_m(2);
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.scan().ranges_m_size(), 1);
}

TEST_F(BoardTest, AnEncodingThatNobodyKnowsIsNoImageWhateverItsSize) {
  v1::Observation packet;
  packet.set_stamp_ns(1);
  v1::Image& image = *packet.mutable_image();
  image.set_width(4);
  image.set_height(3);
  image.set_data(std::string(12, 'x'));
  image.set_encoding("grey8");
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.Find("image"), nullptr);
  image.set_encoding("mono8");
  board_.Accept(packet, kStartOfTime);
  EXPECT_NE(board_.Find("image"), nullptr);
}

TEST_F(BoardTest, StampsLieBetweenZeroAndTheYear2096) {
  HearOdom(0);
  EXPECT_EQ(odom().drops.unstamped, 1U);
  HearOdom(1);
  EXPECT_EQ(odom().stamp_ns, 1);
  HearOdom(4'000'000'000'000'000'000);
  EXPECT_EQ(odom().stamp_ns, 4'000'000'000'000'000'000);
  HearOdom(4'000'000'000'000'000'001);
  EXPECT_EQ(odom().messages, 2U);
  EXPECT_EQ(odom().drops.unstamped, 2U);
}

TEST_F(BoardTest, TheSameOvertakenMessageTwiceIsNoClockThatWasSet) {
  HearOdom(1000);
  HearOdom(900);
  HearOdom(900);
  EXPECT_EQ(odom().drops.out_of_order, 2U);
  HearOdom(901);
  EXPECT_EQ(odom().drops.backward, 1U) << "two that rise are";
}

TEST_F(BoardTest, RightAfterAClockWasSetAMessageMayBeOvertakenAgain) {
  HearOdom(5'000'000'000);
  HearOdom(1'000'000'000);
  ASSERT_EQ(odom().drops.backward, 1U);
  HearOdom(999'999'999);
  EXPECT_EQ(odom().drops.backward, 1U);
  EXPECT_EQ(odom().drops.out_of_order, 1U);
}

TEST_F(BoardTest, AClockThatWasSetIsNoLongerAhead) {
  HearOdom(kStartOfTime.count());
  HearOdom((kStartOfTime + milliseconds(2000)).count());
  ASSERT_EQ(odom().ahead, milliseconds(2000));
  HearOdom(kStartOfTime.count());
  ASSERT_EQ(odom().drops.backward, 1U);
  EXPECT_EQ(odom().ahead, Nanos{0});
}

TEST_F(BoardTest, WhatAPacketDoesNotHoldIsNotCounted) {
  v1::Observation packet;
  packet.set_stamp_ns(1);
  board_.Accept(packet, kStartOfTime);
  for (size_t kind = 0; kind < kMessageKinds; ++kind) {
    const ChannelRecord& record = board_.RecordOf(static_cast<ChannelKind>(kind));
    EXPECT_FALSE(record.seen) << kind;
    EXPECT_EQ(record.drops.invalid, 0U) << kind;
  }
}

TEST_F(BoardTest, CountsOfASignalStayWhenControlBeginsToMeasureIt) {
  board_.AcceptSignal("soc_temp_degC", 20, 1, kStartOfTime);
  board_.AcceptSignal("soc_temp_degC", kNan, 2, kStartOfTime);
  board_.SetSignal("soc_temp_degC", 50, kStartOfTime);
  EXPECT_EQ(board_.Find("soc_temp_degC")->messages, 2U);
  EXPECT_EQ(board_.Find("soc_temp_degC")->drops.invalid, 1U);
}

}  // namespace
}  // namespace agent::runtime
