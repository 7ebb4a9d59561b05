#include <algorithm>
#include <cmath>
#include <map>

#include "gatekeeper/faults/catalogue.h"
#include "gatekeeper/faults/channel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/faults/drive_stream.h"

namespace gatekeeper::faults {
namespace {

using testing::Contains;
using testing::Each;

Spec SpecOf(const std::string& id, const std::string& channel, uint64_t seed = 7) {
  return {.id = id, .channel = channel, .onset_ns = kOnset_ns, .end_ns = kEnd_ns, .seed = seed};
}

std::vector<Message> Hurt(const std::string& id, const std::string& channel, uint64_t seed = 7) {
  const Entry* const entry = Find(id);
  if (entry == nullptr) std::abort();
  return Through(entry->make(SpecOf(id, channel, seed)));
}

// The messages with the channel, and what they were.
struct Heard {
  int64_t at_ns = 0;
  int64_t stamp_ns = 0;
  v1::Observation observation;
  bool during() const { return at_ns >= kOnset_ns && at_ns < kEnd_ns; }
};
std::vector<Heard> Listen(const std::vector<Message>& messages, const std::string& channel) {
  std::vector<Heard> heard;
  for (const Message& message : messages) {
    if (!Has(message.observation, channel)) continue;
    heard.push_back({message.at_ns, StampOf(message.observation, channel), message.observation});
  }
  return heard;
}
std::vector<Heard> During(const std::string& id, const std::string& channel) {
  std::vector<Heard> heard = Listen(Hurt(id, channel), channel);
  std::erase_if(heard, [](const Heard& message) { return !message.during(); });
  return heard;
}

struct Row {
  const Entry* entry;
  std::string channel;
};
std::vector<Row> AllRows() {
  std::vector<Row> rows;
  for (const Entry& entry : Catalogue()) {
    if (entry.make == nullptr) continue;
    if (entry.hurts == Hurts::kRobot) rows.push_back({&entry, ""});
    for (const std::string& channel : kChannels) {
      const bool fits = entry.fits == nullptr || entry.fits(channel);
      if (entry.hurts == Hurts::kChannel && fits) rows.push_back({&entry, channel});
    }
  }
  return rows;
}

TEST(CatalogueTest, HasMoreThanTheTwentyFiveFaultsThatAreWanted) {
  EXPECT_GE(Catalogue().size(), 25u);
  std::map<std::string, int> ids;
  for (const Entry& entry : Catalogue()) {
    ++ids[entry.id];
    EXPECT_EQ(entry.make != nullptr, entry.hurts == Hurts::kChannel || entry.hurts == Hurts::kRobot)
        << entry.id;
    EXPECT_THAT((std::vector<std::string>{"circuit", "firmware", "model"}), Contains(entry.layer));
    EXPECT_EQ(Find(entry.id), &entry);
  }
  for (const auto& [id, times] : ids) EXPECT_EQ(times, 1) << id;
  EXPECT_EQ(Find("no_such_fault"), nullptr);
}

TEST(CatalogueTest, EqualSpecsDoEqualThingsBitByBit) {
  for (const Row& row : AllRows()) {
    EXPECT_EQ(Bytes(Hurt(row.entry->id, row.channel)), Bytes(Hurt(row.entry->id, row.channel)))
        << row.entry->id << " " << row.channel;
  }
}

TEST(CatalogueTest, EveryFaultChangesWhatArrivesWhileItIsOnAndNothingBefore) {
  const std::vector<Message> healthy = Through(std::vector<std::unique_ptr<Transform>>());
  const auto before = [](const std::vector<Message>& messages) {
    std::vector<Message> early;
    for (const Message& message : messages) {
      if (message.at_ns < kOnset_ns) early.push_back(message);
    }
    return Bytes(early);
  };
  for (const Row& row : AllRows()) {
    const std::vector<Message> hurt = Hurt(row.entry->id, row.channel);
    EXPECT_EQ(before(hurt), before(healthy)) << row.entry->id;
    const std::string channel = row.channel.empty() ? "scan" : row.channel;
    const auto of = [&](const std::vector<Message>& messages) {
      std::string text;
      for (const Heard& heard : Listen(messages, channel)) {
        text += std::to_string(heard.at_ns) + "," + std::to_string(heard.stamp_ns) + ",";
        text += Only(channel, heard.observation).SerializeAsString();
      }
      return text;
    };
    EXPECT_NE(of(hurt), of(healthy)) << row.entry->id << " " << row.channel;
  }
}

TEST(CatalogueTest, WhatIsRandomIsDrawnFromTheSeed) {
  for (const char* id : {"drop_some", "delay_jitter", "bit_flips", "noise", "dirt"}) {
    EXPECT_NE(Bytes(Hurt(id, "scan", 1)), Bytes(Hurt(id, "scan", 2))) << id;
  }
  EXPECT_NE(Bytes(Hurt("bus_load", "", 1)), Bytes(Hurt("bus_load", "", 2)));
  EXPECT_EQ(SeedFor(1, "ab", "noise"), SeedFor(1, "ab", "noise"));
  EXPECT_NE(SeedFor(1, "ab", "noise"), SeedFor(2, "ab", "noise"));
  EXPECT_NE(SeedFor(1, "ab", "noise"), SeedFor(1, "cd", "noise"));
  EXPECT_NE(SeedFor(1, "ab", "noise"), SeedFor(1, "ab", "bias"));
}

TEST(CatalogueTest, OtherChannelsAreLeftAlone) {
  for (const Row& row : AllRows()) {
    if (row.channel != "scan") continue;
    const std::vector<Heard> odom = Listen(Hurt(row.entry->id, "scan"), "odom");
    ASSERT_EQ(odom.size(), 200u) << row.entry->id;
    for (size_t i = 0; i < odom.size(); ++i) {
      EXPECT_EQ(odom[i].at_ns, kStart_ns + static_cast<int64_t>(i) * kPeriod_ns);
      EXPECT_EQ(odom[i].stamp_ns, odom[i].at_ns - kStampsBehind_ns) << row.entry->id;
    }
  }
}

TEST(CatalogueTest, TextsTellSpecsApart) {
  const Spec spec = SpecOf("noise", "scan");
  std::vector<Spec> others(6, spec);
  others[0].id = "bias";
  others[1].channel = "odom";
  others[2].onset_ns += 1;
  others[3].end_ns += 1;
  others[4].seed += 1;
  others[5].severity += 1;
  for (const Spec& other : others) EXPECT_NE(Text(other), Text(spec));
  EXPECT_EQ(Text(SpecOf("noise", "scan")), Text(spec));
}

TEST(DeliveryTest, LosesWhatItSaysItLoses) {
  EXPECT_EQ(During("drop_all", "scan").size(), 0u);
  EXPECT_EQ(During("drop_one", "scan").size(), 39u);
  EXPECT_EQ(During("drop_burst", "scan").size(), 20u);
  EXPECT_EQ(During("rate_halved", "goal_bearing_rad").size(), 20u);
  EXPECT_EQ(During("duplicate", "odom").size(), 80u);
  EXPECT_NEAR(static_cast<double>(During("drop_some", "scan").size()), 40 * 2.0 / 3, 8);
  EXPECT_EQ(Listen(Hurt("drop_all", "scan"), "scan").size(), 160u) << "and none after its end";
}

TEST(DeliveryTest, AFrozenPayloadHasNewStampsAndAFrozenMessageOldOnes) {
  const std::vector<Heard> payload = During("freeze_payload", "odom");
  ASSERT_EQ(payload.size(), 40u);
  EXPECT_EQ(payload.back().observation.odom().x_m(), 0.02 * 39);
  EXPECT_EQ(payload.back().stamp_ns, payload.back().at_ns - kStampsBehind_ns);
  const std::vector<Heard> whole = During("freeze_message", "odom");
  ASSERT_EQ(whole.size(), 40u);
  EXPECT_EQ(whole.back().observation.odom().x_m(), 0.02 * 39);
  EXPECT_EQ(whole.back().stamp_ns, kOnset_ns - kPeriod_ns - kStampsBehind_ns);
}

TEST(DeliveryTest, DelayedMessagesComeLateAndInOrderOfTime) {
  for (const char* id : {"delay_constant", "delay_jitter", "delay_growing", "reorder"}) {
    const std::vector<Message> messages = Hurt(id, "scan");
    EXPECT_TRUE(
        std::is_sorted(messages.begin(), messages.end(),
                       [](const Message& a, const Message& b) { return a.at_ns < b.at_ns; }))
        << id;
    EXPECT_EQ(Listen(messages, "scan").size(), 200u) << id;
  }
  EXPECT_EQ(During("delay_constant", "scan").front().at_ns, kOnset_ns + 600'000'000);
  bool overtaken = false;
  const std::vector<Heard> reordered = During("reorder", "scan");
  for (size_t i = 1; i < reordered.size(); ++i)
    overtaken = overtaken || reordered[i].stamp_ns < reordered[i - 1].stamp_ns;
  EXPECT_TRUE(overtaken);
}

TEST(ClocksTest, StampWhatTheySayTheyStamp) {
  const int64_t first = kOnset_ns - kStampsBehind_ns;
  EXPECT_EQ(During("stamp_jump_ahead", "scan").front().stamp_ns, first + 5'000'000'000);
  EXPECT_EQ(During("stamp_jump_back", "odom").front().stamp_ns, first - 5'000'000'000);
  EXPECT_EQ(During("stamp_wrap", "image").front().stamp_ns, 1);
  EXPECT_EQ(During("stamp_wrap", "image")[1].stamp_ns, 1 + kPeriod_ns);
  for (const Heard& heard : During("stamp_zero", "goal_bearing_rad")) EXPECT_EQ(heard.stamp_ns, 0);
  EXPECT_GT(During("stamp_future", "imu").front().stamp_ns, 4'000'000'000'000'000'000);
  const std::vector<Heard> drifting = During("clock_drift", "scan");
  EXPECT_EQ(drifting[20].stamp_ns - drifting[0].stamp_ns, 20 * kPeriod_ns + 200'000);
  const std::vector<Heard> two = During("two_clocks", "scan");
  EXPECT_LT(two[1].stamp_ns, two[0].stamp_ns);
  for (const char* channel : {"scan", "odom", "goal_bearing_rad"}) {
    const std::vector<Heard> step = Listen(Hurt("time_step", ""), channel);
    EXPECT_EQ(step[40].stamp_ns, first - 2'000'000'000) << channel;
    EXPECT_EQ(step[80].stamp_ns, kEnd_ns - kStampsBehind_ns) << channel;
  }
}

TEST(ClocksTest, StampsAtTheEndsOfTheirRangeAreShiftedToo) {
  for (const Entry& entry : Catalogue()) {
    if (entry.make == nullptr) continue;
    for (const int64_t stamp : {INT64_MIN, int64_t{-1}, int64_t{0}, INT64_MAX}) {
      const auto transform =
          entry.make(SpecOf(entry.id, entry.hurts == Hurts::kRobot ? "" : "odom"));
      std::vector<Message> out;
      for (int number : {39, 40, 41, 80}) {
        Message message{kStart_ns + number * kPeriod_ns, 0, PacketOf(number)};
        SetStamp("odom", stamp, message.observation);
        transform->Take(message, out);
      }
      EXPECT_GE(out.size(), 2u) << entry.id;
    }
  }
}

TEST(ValuesTest, HoldWhatTheySayTheyHold) {
  const std::vector<Heard> nan = During("nan", "scan");
  for (const float range : nan.front().observation.scan().ranges_m())
    EXPECT_TRUE(std::isnan(range));
  EXPECT_TRUE(std::isnan(During("nan", "odom").front().observation.odom().vx_mps()));
  EXPECT_TRUE(std::isinf(During("infinite", "goal_bearing_rad")
                             .front()
                             .observation.signals()
                             .begin()
                             ->second.value()));
  EXPECT_EQ(During("all_max", "joints").front().observation.joints().q_rad(2),
            std::numeric_limits<double>::max());
  EXPECT_EQ(std::fpclassify(During("denormal", "imu").front().observation.imu().az_mps2()),
            FP_SUBNORMAL);
  EXPECT_EQ(During("truncated", "scan").front().observation.scan().ranges_m_size(), 20);
  EXPECT_EQ(During("too_long", "scan").front().observation.scan().ranges_m_size(), 82);
  EXPECT_EQ(During("truncated", "image").front().observation.image().data().size(), 204u);
  EXPECT_EQ(During("too_long", "joints").front().observation.joints().q_rad_size(), 4);
  EXPECT_THAT(During("blackout", "scan").front().observation.scan().ranges_m(), Each(0.0F));
  EXPECT_THAT(During("dark_image", "image").front().observation.image().data(), Each('\0'));
}

TEST(PeopleTest, PressTheButtonAndLeanOnTheArm) {
  const auto pressed = [](const std::string& id) {
    std::vector<int64_t> at;
    for (const Message& message : Hurt(id, ""))
      if (message.observation.estop_pressed()) at.push_back(message.at_ns);
    return at;
  };
  const std::vector<int64_t> held = pressed("estop_held");
  ASSERT_GT(held.size(), 10u);
  EXPECT_GE(held.front(), kOnset_ns);
  EXPECT_EQ(pressed("estop_tapped"), std::vector<int64_t>{held.front()}) << "one packet says so";
  const v1::JointState joints = During("pushed", "joints").front().observation.joints();
  ASSERT_EQ(joints.tau_nm_size(), joints.q_rad_size());
  EXPECT_THAT(joints.tau_nm(), Each(1e4));
}

TEST(ValuesTest, HalfBlindAndDirtyTouchTheirShareOnly) {
  const auto lost = [](const v1::LaserScan& scan, float value) {
    return std::count(scan.ranges_m().begin(), scan.ranges_m().end(), value);
  };
  EXPECT_EQ(lost(During("half_blind", "scan").front().observation.scan(), 0.0F), 21);
  const std::vector<Heard> dirty = During("dirt", "scan");
  EXPECT_EQ(lost(dirty.front().observation.scan(), 0.05F), 8);
  for (int beam = 0; beam < 41; ++beam) {
    EXPECT_EQ(dirty.front().observation.scan().ranges_m(beam) == 0.05F,
              dirty.back().observation.scan().ranges_m(beam) == 0.05F)
        << "dirt stays where it is";
  }
}

TEST(ValuesTest, PosesMoveToAnotherMapOrStand) {
  const v1::Odometry shifted = During("wrong_frame", "odom").front().observation.odom();
  EXPECT_DOUBLE_EQ(shifted.x_m(), 0.02 * 40 + 1000);
  EXPECT_DOUBLE_EQ(shifted.vx_mps(), 0.4);
  const std::vector<Heard> frozen = During("stale_transform", "odom");
  EXPECT_EQ(frozen.back().observation.odom().x_m(), frozen.front().observation.odom().x_m());
}

TEST(StreamTest, TransformsComposeInOrder) {
  std::vector<std::unique_ptr<Transform>> stages;
  stages.push_back(Find("delay_constant")->make(SpecOf("delay_constant", "scan")));
  stages.push_back(Find("rate_halved")->make(SpecOf("rate_halved", "scan")));
  const std::vector<Message> both = Through(std::move(stages));
  size_t late = 0;
  for (const Message& message : both) {
    if (Has(message.observation, "scan") && message.at_ns - message.recorded_ns == 600'000'000)
      ++late;
  }
  // 40 are delayed; of those, 28 arrive while the second fault is on, and half of all that do is
  // lost.
  EXPECT_GT(late, 20u);
  EXPECT_LT(late, 40u);
  EXPECT_TRUE(std::is_sorted(both.begin(), both.end(),
                             [](const Message& a, const Message& b) { return a.at_ns < b.at_ns; }));
}

TEST(StreamTest, HandsOutNothingBeforeItsTime) {
  std::vector<std::unique_ptr<Transform>> stages;
  stages.push_back(Find("delay_constant")->make(SpecOf("delay_constant", "scan")));
  Stream stream(std::move(stages));
  v1::Observation packet = PacketOf(40);
  stream.Take({kOnset_ns, kOnset_ns, packet});
  EXPECT_EQ(stream.Due(kOnset_ns - 1).size(), 0u);
  EXPECT_EQ(stream.Due(kOnset_ns).size(), 1u) << "the packet without its scan";
  EXPECT_EQ(stream.Due(kOnset_ns + 599'999'999).size(), 0u);
  EXPECT_EQ(stream.Due(kOnset_ns + 600'000'000).size(), 1u);
}

}  // namespace
}  // namespace gatekeeper::faults
