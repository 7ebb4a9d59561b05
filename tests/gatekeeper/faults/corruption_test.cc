#include "gatekeeper/faults/corruption.h"

#include <cmath>
#include <numeric>

#include "gatekeeper/faults/picture.h"
#include "gatekeeper/faults/relation.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/faults/drive_stream.h"

namespace gatekeeper::faults {
namespace {

Spec SpecOf(const std::string& id, const std::string& channel, int severity, uint64_t seed = 7) {
  return {.id = id,
          .channel = channel,
          .onset_ns = kOnset_ns,
          .end_ns = kEnd_ns,
          .seed = seed,
          .severity = severity};
}

// Mean change of what the channel shows while the corruption is on.
double Change(const Corruption& corruption, int severity, uint64_t seed = 7) {
  const auto out =
      Through(corruption.make(SpecOf(corruption.id, corruption.channel, severity, seed)));
  double sum = 0;
  double count = 0;
  for (const Message& message : out) {
    if (message.at_ns < kOnset_ns || message.at_ns >= kEnd_ns) continue;
    const v1::Observation was = PacketOf(static_cast<int>(message.observation.seq()));
    if (message.observation.has_scan() && std::string(corruption.channel) == "scan") {
      for (int i = 0; i < was.scan().ranges_m_size(); ++i, ++count)
        sum += std::abs(
            static_cast<double>(message.observation.scan().ranges_m(i) - was.scan().ranges_m(i)));
    }
    if (message.observation.has_image() && std::string(corruption.channel) == "image") {
      for (size_t i = 0; i < was.image().data().size(); ++i, ++count)
        sum += std::abs(static_cast<uint8_t>(message.observation.image().data()[i]) -
                        static_cast<uint8_t>(was.image().data()[i]));
    }
  }
  return count > 0 ? sum / count : NAN;
}

TEST(CorruptionTest, EverySeverityIsWorseThanTheOneBefore) {
  for (const Corruption& corruption : Corruptions()) {
    double before = 0;
    for (int severity = 1; severity <= kSeverities; ++severity) {
      const double change = Change(corruption, severity);
      EXPECT_GT(change, before) << corruption.id << " " << severity;
      before = change;
    }
  }
}

TEST(CorruptionTest, IsTheSameForTheSameSeedAndAnotherForAnother) {
  for (const Corruption& corruption : Corruptions()) {
    const auto bytes = [&](uint64_t seed) {
      return Bytes(Through(corruption.make(SpecOf(corruption.id, corruption.channel, 3, seed))));
    };
    EXPECT_EQ(bytes(1), bytes(1)) << corruption.id;
    const bool random = std::string(corruption.id) != "image_blur" &&
                        std::string(corruption.id) != "image_brightness" &&
                        std::string(corruption.id) != "image_contrast" &&
                        std::string(corruption.id) != "image_jpeg" &&
                        std::string(corruption.id) != "scan_bias";
    EXPECT_EQ(bytes(1) != bytes(2), random) << corruption.id;
    EXPECT_EQ(FindCorruption(corruption.id), &corruption);
  }
  EXPECT_EQ(FindCorruption("image_rainbow"), nullptr);
}

TEST(CorruptionTest, LeavesAPictureAloneWhoseDataDoesNotFitItsSize) {
  v1::Image image;
  image.set_width(1U << 31U);
  image.set_height(1U << 31U);
  image.set_encoding("rgb8");
  image.set_data("abc");
  Draws draws(1);
  for (auto* change : {PixelNoise, Blur, Brighten, Flatten, Compress, Soil, Flare, Shake})
    change(5, draws, image);
  MirrorImage(image);
  EXPECT_EQ(image.data(), "abc");
}

TEST(CorruptionTest, AScanWithAnglesThatAreNoNumbersHarmsNothing) {
  for (const double increment : {0.0, std::nan(""), 1e-300, HUGE_VAL}) {
    for (const Corruption& corruption : Corruptions()) {
      if (std::string(corruption.channel) != "scan") continue;
      Message message{kOnset_ns, kOnset_ns, {}};
      message.observation.mutable_scan()->set_angle_increment_rad(increment);
      for (int i = 0; i < 5; ++i) message.observation.mutable_scan()->add_ranges_m(1);
      std::vector<Message> out;
      corruption.make(SpecOf(corruption.id, "scan", 5))->Take(message, out);
      ASSERT_EQ(out.size(), 2u) << "the packet and its scan";
      EXPECT_EQ(out[1].observation.scan().ranges_m_size(), 5);
    }
  }
}

TEST(CorruptionTest, CompressionKeepsAFlatPictureAndLosesAFineOne) {
  v1::Image image;
  image.set_width(16);
  image.set_height(16);
  image.set_encoding("mono8");
  image.set_data(std::string(256, static_cast<char>(128)));
  Draws draws(1);
  Compress(5, draws, image);
  EXPECT_EQ(image.data(), std::string(256, static_cast<char>(128)));
  for (size_t i = 0; i < 256; ++i)
    (*image.mutable_data())[i] = static_cast<char>((i + i / 16) % 2 == 0 ? 120 : 136);
  const std::string fine = image.data();
  Compress(5, draws, image);
  EXPECT_NE(image.data(), fine);
}

TEST(RelationTest, MirroringTwiceGivesTheWorldBack) {
  for (const bool twice : {false, true}) {
    std::vector<std::unique_ptr<Transform>> stages;
    for (int i = 0; i < (twice ? 2 : 1); ++i)
      stages.push_back(FindRelation("mirror")->make(SpecOf("mirror", "", 0)));
    const auto out = Through(std::move(stages));
    const v1::Observation& seen = out[50].observation;
    const v1::Observation was = PacketOf(50);
    EXPECT_NEAR(seen.signals().at("goal_bearing_rad").value(), twice ? 0.3 : -0.3, 1e-12);
    EXPECT_NEAR(seen.odom().wz_radps(), twice ? 0.02 : -0.02, 1e-12);
    EXPECT_NEAR(seen.scan().angle_min_rad(), -1, 1e-9) << "these beams lie evenly to both sides";
    EXPECT_EQ(seen.scan().ranges_m(0), was.scan().ranges_m(twice ? 0 : 40));
    EXPECT_EQ(seen.image().data() == was.image().data(), twice);
    EXPECT_EQ(seen.odom().vx_mps(), 0.4);
  }
}

TEST(RelationTest, NearerTouchesWhatIsAheadOnly) {
  const auto out = Through(FindRelation("nearer")->make(SpecOf("nearer", "", 0)));
  const v1::LaserScan& scan = out[50].observation.scan();
  const v1::LaserScan was = PacketOf(50).scan();
  EXPECT_EQ(scan.ranges_m(0), was.ranges_m(0));
  EXPECT_NEAR(scan.ranges_m(20), 0.7 * static_cast<double>(was.ranges_m(20)), 1e-6);
  EXPECT_EQ(FindRelation("farther"), nullptr);
}

TEST(RelationTest, LightAndSiteMoveAsTold) {
  const auto brighter = Through(FindRelation("brighter")->make(SpecOf("brighter", "", 0)));
  const auto darker = Through(FindRelation("darker")->make(SpecOf("darker", "", 0)));
  const auto mean = [](const std::vector<Message>& out) {
    const std::string& data = out[50].observation.image().data();
    double sum = 0;
    for (const char pixel : data) sum += static_cast<uint8_t>(pixel);
    return sum;
  };
  EXPECT_GT(mean(brighter), mean(darker) * 1.08);
  const auto moved = Through(FindRelation("moved_site")->make(SpecOf("moved_site", "", 0)));
  EXPECT_DOUBLE_EQ(moved[50].observation.odom().x_m(), PacketOf(50).odom().x_m() + kSiteMovedX_m);
  EXPECT_DOUBLE_EQ(moved[50].observation.odom().y_m(), kSiteMovedY_m);
}

}  // namespace
}  // namespace gatekeeper::faults
