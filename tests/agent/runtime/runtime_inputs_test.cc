#include <limits>

#include "agent/runtime/ask.h"
#include "agent/runtime/freshness.h"
#include "agent/runtime/input_board.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::kStartOfTime;
using ::tests::NavPolicyDocument;
using ::tests::Packet;
namespace v1 = ::gatekeeper::v1;

class InputsTest : public testing::Test {
 protected:
  static Policy Nav() {
    auto policy = Policy::Compile(NavPolicyDocument());
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *std::move(policy);
  }
  std::vector<std::string_view> Faults(Nanos now) {
    std::vector<std::string_view> reasons;
    raised_ = freshness_.Judge(board_, now, reasons);
    return reasons;
  }
  // Full packets every 50 ms up to and including `until`.
  void Feed(Nanos until) {
    for (; at_ <= until; at_ += milliseconds(50)) board_.Accept(Packet(at_), at_);
  }

  const Policy policy_ = Nav();
  InputBoard board_;
  Freshness freshness_{policy_};
  TriggerMask raised_ = 0;
  Nanos at_ = kStartOfTime;
};

TEST_F(InputsTest, EveryRequiredInputIsMissingBeforeItCame) {
  EXPECT_THAT(Faults(kStartOfTime),
              ElementsAre("input:goal_bearing_rad:missing", "input:goal_range_m:missing",
                          "input:odom:missing", "input:scan:missing"));
  EXPECT_EQ(raised_, MaskOf(policy_.FindInput("scan")->trigger));
}

TEST_F(InputsTest, AreFreshWhenTheyCameInTime) {
  Feed(kStartOfTime + seconds(2));
  EXPECT_THAT(Faults(kStartOfTime + seconds(2)), IsEmpty());
  EXPECT_EQ(raised_, 0U);
}

TEST_F(InputsTest, AreOldAfterTheirMaxAgeAndNotBefore) {
  Feed(kStartOfTime);
  EXPECT_THAT(Faults(kStartOfTime + milliseconds(250)), IsEmpty());
  EXPECT_THAT(Faults(kStartOfTime + milliseconds(251)),
              ElementsAre("input:odom:old", "input:scan:old"));
}

TEST_F(InputsTest, AModelIsAskedWhileEveryRequiredInputIsFreshWhateverTheOthersAre) {
  v1::ControlPolicy document = NavPolicyDocument();
  (*document.mutable_inputs())["goal_range_m"].set_required(false);
  const auto policy = Policy::Compile(document);
  ASSERT_OK(policy.status());
  v1::Observation packet = Packet(kStartOfTime);
  packet.mutable_signals()->erase("goal_range_m");
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(InputsOf(*policy, board_, kStartOfTime), Inputs::kFresh);
  EXPECT_EQ(InputsOf(policy_, board_, kStartOfTime), Inputs::kStale) << "there it is required";
  EXPECT_EQ(InputsOf(*policy, board_, kStartOfTime + milliseconds(250)), Inputs::kFresh);
  EXPECT_EQ(InputsOf(*policy, board_, kStartOfTime + milliseconds(251)), Inputs::kStale);
}

TEST_F(InputsTest, AnOvertakenMessageIsDroppedAndNamedOnce) {
  Feed(kStartOfTime + milliseconds(100));
  v1::Observation late = Packet(kStartOfTime + milliseconds(40));
  late.mutable_odom()->set_x_m(-77);
  late.clear_scan();
  late.clear_signals();
  board_.Accept(late, kStartOfTime + milliseconds(110));
  EXPECT_EQ(board_.odom().x_m(), 10);
  EXPECT_THAT(Faults(kStartOfTime + milliseconds(110)), ElementsAre("input:odom:out_of_order"));
  EXPECT_THAT(Faults(kStartOfTime + milliseconds(120)), IsEmpty());
}

TEST_F(InputsTest, ASenderWhoseClockWasSetBackIsHeardAgainAtOnce) {
  Feed(kStartOfTime + milliseconds(100));
  const Nanos back = seconds(600);
  for (int i = 1; i <= 3; ++i) {
    const Nanos now = kStartOfTime + milliseconds(100 + 50 * i);
    board_.Accept(Packet(now - back), now);
    EXPECT_EQ(Faults(now).size(), i == 1 ? 4U : 0U) << i;
  }
}

TEST_F(InputsTest, AStampBeyondMaxFutureIsAheadAndOneAtItIsNot) {
  Feed(kStartOfTime + seconds(1));
  const Nanos now = at_;
  v1::Observation packet = Packet(now);
  // A sender's clock may gain a thousandth of the 50 ms since its last packet.
  const Nanos limit = now + milliseconds(100) - std::chrono::microseconds(50);
  packet.mutable_scan()->set_stamp_ns(limit.count());
  packet.mutable_odom()->set_stamp_ns((limit + Nanos(1)).count());
  board_.Accept(packet, now);
  EXPECT_THAT(Faults(now), ElementsAre("input:odom:ahead"));
}

TEST_F(InputsTest, ASendersClockThatDriftsIsFollowed) {
  for (int i = 0; i < tests::Cases(20'000); ++i) {
    const Nanos now = kStartOfTime + i * milliseconds(50);
    const int64_t drift = now.count() / 2000 * (i % 2 ? 1 : 1);  // 500 ppm slow
    v1::Observation packet = Packet(now - Nanos{drift});
    board_.Accept(packet, now);
  }
  const Nanos now = kStartOfTime + 20'000 * milliseconds(50);
  board_.Accept(Packet(now - Nanos{now.count() / 2000} + milliseconds(150)), now);
  EXPECT_EQ(Faults(now).size(), 4U)
      << "150 ms ahead of the estimate, however far the clock has drifted";
}

TEST_F(InputsTest, AStampThatStandsIsStuckAfterItsTime) {
  board_.Accept(Packet(kStartOfTime), kStartOfTime);
  for (int i = 1; i <= 10; ++i) {
    const Nanos now = kStartOfTime + milliseconds(50 * i);
    v1::Observation packet = Packet(now);
    packet.mutable_scan()->set_stamp_ns(kStartOfTime.count());
    board_.Accept(packet, now);
    EXPECT_THAT(Faults(now), IsEmpty()) << i;
  }
  v1::Observation packet = Packet(kStartOfTime + milliseconds(501));
  packet.mutable_scan()->set_stamp_ns(kStartOfTime.count());
  board_.Accept(packet, kStartOfTime + milliseconds(501));
  EXPECT_THAT(Faults(kStartOfTime + milliseconds(501)), ElementsAre("input:scan:stuck"));
}

TEST_F(InputsTest, AScanWithTooFewReturnsIsBlind) {
  v1::Observation packet = Packet(kStartOfTime);
  packet.mutable_scan()->clear_ranges_m();
  for (int i = 0; i < 100; ++i) {
    packet.mutable_scan()->add_ranges_m(i < 10 ? 1.0F : std::numeric_limits<float>::infinity());
  }
  board_.Accept(packet, kStartOfTime);
  EXPECT_THAT(Faults(kStartOfTime), IsEmpty()) << "10 % is just enough";
  packet = Packet(kStartOfTime + milliseconds(50));
  packet.mutable_scan()->clear_ranges_m();
  for (int i = 0; i < 100; ++i)
    packet.mutable_scan()->add_ranges_m(i < 9 ? 1.0F : i % 2 ? 0.0F : -1.0F);
  board_.Accept(packet, kStartOfTime + milliseconds(50));
  EXPECT_THAT(Faults(kStartOfTime + milliseconds(50)), ElementsAre("input:scan:blind"));
}

TEST_F(InputsTest, AnInputThatIsNotRequiredIsJudgedOnceItHasCome) {
  v1::ControlPolicy document = NavPolicyDocument();
  (*document.mutable_inputs())["imu"] = document.inputs().at("odom");
  (*document.mutable_inputs())["imu"].set_required(false);
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  Freshness freshness(policy);
  std::vector<std::string_view> reasons;
  Feed(kStartOfTime);
  freshness.Judge(board_, kStartOfTime, reasons);
  EXPECT_THAT(reasons, IsEmpty());
  v1::Observation packet = Packet(at_);
  packet.mutable_imu()->set_gz_radps(0.1);
  board_.Accept(packet, at_);
  Feed(at_ + seconds(1));
  freshness.Judge(board_, kStartOfTime + seconds(1), reasons);
  EXPECT_THAT(reasons, ElementsAre("input:imu:old"));
}

// --- what the board refuses
// --------------------------------------------------------------------------

TEST_F(InputsTest, ValuesThatAreNotFiniteAreNotTaken) {
  Feed(kStartOfTime);
  v1::Observation packet = Packet(at_);
  packet.mutable_odom()->set_yaw_rad(kNan);
  packet.mutable_scan()->set_angle_increment_rad(kNan);
  packet.mutable_imu()->set_ax_mps2(kNan);
  packet.mutable_joints()->add_q_rad(kNan);
  (*packet.mutable_signals())["goal_range_m"].set_value(kNan);
  board_.Accept(packet, at_);
  EXPECT_EQ(board_.odom().yaw_rad(), 0);
  EXPECT_EQ(board_.Find("odom")->drops.invalid, 1U);
  EXPECT_EQ(board_.Find("scan")->drops.invalid, 1U);
  EXPECT_EQ(board_.Find("goal_range_m")->drops.invalid, 1U);
  EXPECT_EQ(board_.FindSignal("goal_range_m")->value, 3);
  EXPECT_EQ(board_.Find("imu"), nullptr);
  EXPECT_EQ(board_.Find("joints"), nullptr);
}

TEST_F(InputsTest, ImagesMustHaveTheSizeTheySay) {
  v1::Observation packet = Packet(kStartOfTime);
  v1::Image& image = *packet.mutable_image();
  const auto taken = [&](uint32_t width, uint32_t height, const char* encoding, size_t bytes) {
    InputBoard board;
    image.set_width(width);
    image.set_height(height);
    image.set_encoding(encoding);
    image.set_data(std::string(bytes, 'x'));
    board.Accept(packet, kStartOfTime);
    return board.Find("image") != nullptr;
  };
  EXPECT_TRUE(taken(4, 3, "mono8", 12));
  EXPECT_TRUE(taken(4, 3, "rgb8", 36));
  EXPECT_FALSE(taken(4, 3, "rgb8", 35));
  EXPECT_FALSE(taken(4, 3, "mono8", 13));
  EXPECT_FALSE(taken(0, 3, "mono8", 0));
  EXPECT_FALSE(taken(4, 0, "mono8", 0));
  EXPECT_FALSE(taken(4, 3, "bgr8", 36));
  EXPECT_FALSE(taken(0xFFFFFFFF, 0xFFFFFFFF, "rgb8", 3)) << "the product must not wrap";
}

TEST_F(InputsTest, HostileStampsAreNotTaken) {
  for (int64_t stamp :
       {std::numeric_limits<int64_t>::min(), int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    InputBoard board;
    v1::Observation packet = Packet(kStartOfTime);
    packet.mutable_odom()->set_stamp_ns(stamp);
    board.Accept(packet, kStartOfTime);
    EXPECT_EQ(board.Find("odom"), nullptr) << stamp;
  }
}

TEST_F(InputsTest, AFloodOfSignalNamesIsCapped) {
  v1::Observation packet;
  for (size_t i = 0; i < 2 * kMaxSignals; ++i) {
    (*packet.mutable_signals())["s" + std::to_string(i)].set_value(1);
  }
  board_.Accept(packet, kStartOfTime);
  size_t kept = 0;
  for (size_t i = 0; i < 2 * kMaxSignals; ++i) {
    kept += board_.FindSignal("s" + std::to_string(i)) != nullptr ? 1 : 0;
  }
  EXPECT_EQ(kept, kMaxSignals);
}

TEST_F(InputsTest, ASignalOfControlsOwnIsStampedByItsClockAndTouchesNothingElse) {
  v1::Observation packet;
  packet.set_stamp_ns(1);
  packet.set_estop_pressed(true);
  packet.set_network_up(false);
  board_.Accept(packet, kStartOfTime);
  board_.SetSignal("soc_temp_degC", 71.5, kStartOfTime + seconds(1));
  EXPECT_EQ(board_.FindSignal("soc_temp_degC")->value, 71.5);
  const ChannelRecord* record = board_.Find("soc_temp_degC");
  EXPECT_EQ(record->received, kStartOfTime + seconds(1));
  EXPECT_EQ(record->stamp_ns, (kStartOfTime + seconds(1)).count());
  EXPECT_TRUE(board_.estop_pressed());
  EXPECT_FALSE(board_.network_up());
}

TEST_F(InputsTest, TheRobotCannotSpeakForASignalThatControlMeasures) {
  v1::Observation packet;
  (*packet.mutable_signals())["soc_temp_degC"].set_value(20);
  packet.set_stamp_ns(std::chrono::nanoseconds(std::chrono::hours(400'000)).count());
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.FindSignal("soc_temp_degC")->value, 20);
  board_.SetSignal("soc_temp_degC", 90, kStartOfTime + milliseconds(1));
  board_.Accept(packet, kStartOfTime + milliseconds(2));
  EXPECT_EQ(board_.FindSignal("soc_temp_degC")->value, 90);
  EXPECT_EQ(board_.Find("soc_temp_degC")->messages, 2U);
  EXPECT_EQ(board_.Find("soc_temp_degC")->drops.out_of_order, 0U);
}

TEST_F(InputsTest, ASignalOfControlsOwnThatIsNotFiniteGrowsOld) {
  board_.SetSignal("supply_V", 24, kStartOfTime);
  board_.SetSignal("supply_V", kNan, kStartOfTime + seconds(1));
  EXPECT_EQ(board_.FindSignal("supply_V")->value, 24);
  EXPECT_EQ(board_.Find("supply_V")->received, kStartOfTime);
}

TEST_F(InputsTest, AFloodOfTheRobotsNamesKeepsNoSignalOfControlsOut) {
  v1::Observation packet;
  for (size_t i = 0; i < 2 * kMaxSignals; ++i) {
    (*packet.mutable_signals())["s" + std::to_string(i)].set_value(1);
  }
  board_.Accept(packet, kStartOfTime);
  board_.SetSignal("throttled", 1, kStartOfTime);
  EXPECT_EQ(board_.FindSignal("throttled")->value, 1);
}

TEST_F(InputsTest, AChannelsOwnStampWinsOverThePackets) {
  v1::Observation packet = Packet(kStartOfTime);
  packet.mutable_odom()->set_stamp_ns(42);
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.Find("odom")->stamp_ns, 42);
  EXPECT_EQ(board_.Find("scan")->stamp_ns, kStartOfTime.count());
}

TEST_F(InputsTest, EveryChannelMayHaveAStampOfItsOwn) {
  v1::Observation packet = Packet(kStartOfTime);
  packet.mutable_scan()->set_stamp_ns(41);
  packet.mutable_imu()->set_stamp_ns(43);
  packet.mutable_joints()->set_stamp_ns(44);
  packet.mutable_joints()->add_q_rad(0.1);
  v1::Image& image = *packet.mutable_image();
  image.set_stamp_ns(45);
  image.set_width(1);
  image.set_height(1);
  image.set_encoding("mono8");
  image.set_data("x");
  (*packet.mutable_signals())["goal_range_m"].set_stamp_ns(46);
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.Find("scan")->stamp_ns, 41);
  EXPECT_EQ(board_.Find("odom")->stamp_ns, kStartOfTime.count());
  EXPECT_EQ(board_.Find("imu")->stamp_ns, 43);
  EXPECT_EQ(board_.Find("joints")->stamp_ns, 44);
  EXPECT_EQ(board_.Find("image")->stamp_ns, 45);
  EXPECT_EQ(board_.Find("goal_range_m")->stamp_ns, 46);
  EXPECT_EQ(board_.Find("goal_bearing_rad")->stamp_ns, kStartOfTime.count());
}

TEST(ValidFractionTest, CountsFiniteRangesAboveZero) {
  using Float = std::numeric_limits<float>;
  v1::LaserScan scan;
  for (const float valid : {Float::denorm_min(), Float::min(), 1.0F, Float::max()}) {
    scan.add_ranges_m(valid);
    EXPECT_EQ(ValidFraction(scan), 1) << valid;
  }
  for (const float none : {0.0F, -0.0F, -1.0F, -Float::max(), Float::infinity(), -Float::infinity(),
                           Float::quiet_NaN(), -Float::quiet_NaN()}) {
    scan.add_ranges_m(none);
    EXPECT_EQ(ValidFraction(scan) * scan.ranges_m_size(), 4) << none;
  }
}

TEST_F(InputsTest, AScanTakenAnewIsCountedAnew) {
  v1::Observation packet = Packet(kStartOfTime);
  board_.Accept(packet, kStartOfTime);
  const double before = board_.scan_valid_fraction();
  packet = Packet(kStartOfTime + milliseconds(50));
  for (float& range_m : *packet.mutable_scan()->mutable_ranges_m()) range_m = -1;
  board_.Accept(packet, kStartOfTime + milliseconds(50));
  EXPECT_GT(before, 0);
  EXPECT_EQ(board_.scan_valid_fraction(), 0);
}

TEST_F(InputsTest, AScanWithoutRangesAndJointsWithoutAnglesSayNothing) {
  v1::Observation packet = Packet(kStartOfTime);
  packet.mutable_scan()->clear_ranges_m();
  packet.mutable_joints()->add_qd_radps(0.1);
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.Find("scan"), nullptr);
  EXPECT_EQ(board_.Find("joints"), nullptr);
  EXPECT_EQ(board_.Heard("scan")->drops.invalid, 1U);
  EXPECT_EQ(board_.Heard("joints")->drops.invalid, 1U);
  EXPECT_EQ(ValidFraction(packet.scan()), 0);
}

TEST_F(InputsTest, JointsWhoseSpeedIsNotFiniteAreNotTaken) {
  v1::Observation packet = Packet(kStartOfTime);
  packet.mutable_joints()->add_q_rad(0.1);
  packet.mutable_joints()->add_qd_radps(kNan);
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.Find("joints"), nullptr);
  packet.mutable_joints()->set_qd_radps(0, 0.2);
  board_.Accept(packet, kStartOfTime);
  EXPECT_EQ(board_.joints().qd_radps(0), 0.2);
}

TEST_F(InputsTest, TheNetworkCountsAsUpBeforeAnythingWasHeard) {
  EXPECT_TRUE(board_.network_up());
  board_.Accept(v1::Observation(), kStartOfTime);
  EXPECT_FALSE(board_.network_up());
}

TEST_F(InputsTest, TheMeasuredMotionIsThereWhileOdometryIsFresh) {
  EXPECT_FALSE(MeasuredMotion(policy_, board_, kStartOfTime).has_value());
  Feed(kStartOfTime);
  const auto motion = MeasuredMotion(policy_, board_, kStartOfTime + milliseconds(250));
  ASSERT_TRUE(motion.has_value());
  EXPECT_EQ(motion->pose.x_m, 10);
  EXPECT_EQ(motion->age, milliseconds(250));
  EXPECT_FALSE(MeasuredMotion(policy_, board_, kStartOfTime + milliseconds(251)).has_value());
}

}  // namespace
}  // namespace agent::runtime
