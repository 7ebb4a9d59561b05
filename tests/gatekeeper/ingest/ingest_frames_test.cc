#include <cmath>
#include <filesystem>
#include <numbers>

#include "agent/recording/observation_reader.h"
#include "gatekeeper/ingest/channel_import.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/ingest/framed_bag.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// Recordings whose laser is not the robot's middle and whose odometry drifts: what an import map's
// frames and mount make of them, and what is refused without.

namespace {

namespace v1 = gatekeeper::v1;
using gatekeeper::ingest::Imported;
using gatekeeper::ingest::Importer;
using std::numbers::pi;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::StatusIs;

constexpr float kDegree = static_cast<float>(pi / 180);

class FramesTest : public testing::Test {
 protected:
  FramesTest() {
    (*map_.mutable_channels())["scan"].set_topic("/scan");
    (*map_.mutable_channels())["odom"].set_topic("/odom");
  }

  void Follow(const std::string& body, const std::string& site) {
    map_.mutable_frames()->set_body(body);
    map_.mutable_frames()->set_site(site);
  }
  void Only(const std::string& channel) {
    const std::string topic = map_.channels().at(channel).topic();
    map_.clear_channels();
    (*map_.mutable_channels())[channel].set_topic(topic);
  }

  absl::StatusOr<Imported> Import(const gatekeeper::ingest::TimeRange& stretch = {}) {
    bag_.Write(folder_ / "bag.mcap");
    const auto file = gatekeeper::ingest::OpenRecording(folder_ / "bag.mcap");
    if (!file.ok()) return file.status();
    const auto importer = Importer::For(**file, map_);
    if (!importer.ok()) return importer.status();
    notes_ = importer->notes();
    return importer->Write(stretch, folder_ / "out.mcap");
  }
  absl::Status Refusal() { return Import().status(); }

  std::vector<v1::Observation> Packets() {
    std::vector<v1::Observation> packets;
    const auto reader = agent::recording::ObservationReader::Open(folder_ / "out.mcap");
    EXPECT_OK(reader.status());
    EXPECT_OK(reader->ForEach([&](const agent::recording::RecordedItem& item) {
      if (const auto* packet = std::get_if<v1::Observation>(&item.content))
        packets.push_back(*packet);
      return absl::OkStatus();
    }));
    return packets;
  }

  // Ten scans and poses, 0.1 s apart from 10 s on; the pose is x = t - 10 m in odom.
  void Drive(const std::string& scan_frame = "base_scan") {
    for (int i = 0; i < 10; ++i) {
      const double at_s = 10 + 0.1 * i;
      bag_.Scan({.stamp_s = at_s,
                 .frame = scan_frame,
                 .angle_min_rad = -90 * kDegree,
                 .increment_rad = 90 * kDegree,
                 .ranges_m = {1, 2, 3}});
      bag_.Odom({.stamp_s = at_s + 0.001, .x_m = at_s - 10, .vx_mps = 1});
    }
  }

  tests::TempFolder folder_;
  tests::FramedBag bag_;
  v1::ImportMap map_;
  std::vector<std::string> notes_;
};

TEST_F(FramesTest, AScanThatIsOnlyTurnedKeepsItsBeamsAndStartsElsewhere) {
  Only("scan");
  Drive();
  // Told after the data began: what is fixed was so all the time.
  bag_.Fixed(10.5, {{.parent = "base_link", .child = "base_scan", .yaw_rad = pi / 2, .z_m = 0.2}});
  Follow("base_link", "");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.at("scan"), 10u);
  EXPECT_THAT(imported->notes, IsEmpty());
  EXPECT_THAT(notes_, IsEmpty());
  const v1::LaserScan scan = Packets().front().scan();
  EXPECT_THAT(scan.ranges_m(), ElementsAre(1, 2, 3));
  EXPECT_NEAR(scan.angle_min_rad(), 0, 1e-6);
  EXPECT_NEAR(scan.angle_increment_rad(), pi / 2, 1e-6);
}

TEST_F(FramesTest, AnUpsideDownLaserSeesTheOtherWayRound) {
  Only("scan");
  Drive();
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .roll_rad = pi}});
  Follow("/base_link", "");  // as ROS 1 wrote names
  ASSERT_OK(Import().status());
  const v1::LaserScan scan = Packets().front().scan();
  EXPECT_THAT(scan.ranges_m(), ElementsAre(3, 2, 1)) << "what was to its left is to our right";
  EXPECT_NEAR(scan.angle_min_rad(), -pi / 2, 1e-6);
  EXPECT_NEAR(scan.angle_increment_rad(), pi / 2, 1e-6);
}

TEST_F(FramesTest, ALaserOffTheMiddleIsBroughtThereOverSeveralFrames) {
  Only("scan");
  Drive();
  bag_.Fixed(9, {{.parent = "base_footprint", .child = "base_link", .z_m = 0.1},
                 {.parent = "base_link", .child = "mast", .x_m = 0.3},
                 {.parent = "mast", .child = "base_scan", .x_m = -0.1, .yaw_rad = pi / 2}});
  Follow("base_footprint", "");
  ASSERT_OK(Import().status());
  const v1::LaserScan scan = Packets().front().scan();
  // Four beams all around: the returns stood 1 m ahead, 2 m to the left and 3 m behind the laser,
  // which stands 0.2 m ahead of the middle. Between them every beam has the nearer return.
  ASSERT_EQ(scan.ranges_m_size(), 4);
  EXPECT_NEAR(scan.angle_min_rad(), -pi, 1e-6);
  EXPECT_NEAR(scan.ranges_m(0), 2.8, 1e-6);
  EXPECT_EQ(scan.ranges_m(1), 0) << "nobody looked there";
  EXPECT_NEAR(scan.ranges_m(2), 1.2, 1e-6);
  EXPECT_NEAR(scan.ranges_m(3), std::hypot(0.2, 2), 1e-6);
}

TEST_F(FramesTest, AMountTellsThePlaceWithoutAnyTransform) {
  Only("scan");
  Drive();
  v1::Mount& mount = *(*map_.mutable_channels())["scan"].mutable_mount();
  mount.set_x_m(0.2);
  mount.set_yaw_deg(90);
  ASSERT_OK(Import().status());
  EXPECT_THAT(notes_, IsEmpty());
  EXPECT_NEAR(Packets().front().scan().ranges_m(2), 1.2, 1e-6);
}

TEST_F(FramesTest, PosesComeIntoTheSiteByTheTransformsAroundTheirStamp) {
  Only("odom");
  Drive();
  // The localisation corrects the odometry as time goes on, dated ahead as AMCL does: by 0.1 m in y
  // each 0.1 s, and it lies turned by a right angle.
  for (int i = 0; i <= 12; ++i) {
    bag_.Add(9 + 0.1 * i, "/tf", "tf2_msgs/msg/TFMessage",
             tests::TransformBytes({{.stamp_s = 9.9 + 0.1 * i,
                                     .parent = "map",
                                     .child = "odom",
                                     .x_m = 5,
                                     .y_m = 0.1 * i,
                                     .yaw_rad = pi / 2}}));
  }
  Follow("base_link", "map");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  EXPECT_THAT(imported->notes, IsEmpty());
  const auto packets = Packets();
  ASSERT_EQ(packets.size(), 10u);
  for (int i = 0; i < 10; ++i) {
    const v1::Odometry& odom = packets[static_cast<size_t>(i)].odom();
    EXPECT_NEAR(odom.x_m(), 5, 1e-9);
    EXPECT_NEAR(odom.y_m(), 0.101 + 0.1 * i + 0.1 * i, 1e-9) << i;
    EXPECT_NEAR(odom.yaw_rad(), pi / 2, 1e-12);
    EXPECT_EQ(odom.vx_mps(), 1) << "the twist stays the body's";
  }
}

TEST_F(FramesTest, TheOdometryOfAPartTellsThePoseAndMotionOfTheBody) {
  Only("odom");
  // A wheel unit 0.5 m behind the middle, turned to the left, moves to its own right and turns.
  bag_.Odom({.stamp_s = 10,
             .child = "wheels",
             .x_m = 1,
             .yaw_rad = pi / 2,
             .vy_mps = -0.4,
             .wz_radps = 0.2});
  bag_.Fixed(
      9, {{.parent = "base_link", .child = "wheels", .x_m = -0.5, .y_m = 0.1, .yaw_rad = pi / 2}});
  Follow("base_link", "");
  ASSERT_OK(Import().status());
  const v1::Odometry odom = Packets().front().odom();
  EXPECT_NEAR(odom.x_m(), 1.5, 1e-12);
  EXPECT_NEAR(odom.y_m(), -0.1, 1e-12);
  EXPECT_NEAR(odom.yaw_rad(), 0, 1e-12);
  EXPECT_NEAR(odom.vx_mps(), 0.4 + 0.2 * 0.1, 1e-12);
  EXPECT_EQ(odom.wz_radps(), 0.2);
}

TEST_F(FramesTest, WhatComesBeforeTheFirstTransformIsLeftOutAndCounted) {
  Only("odom");
  Drive();
  for (int i = 3; i <= 7; ++i)
    bag_.Moving({.stamp_s = 10 + 0.1 * i, .parent = "map", .child = "odom", .x_m = 5});
  Follow("base_link", "map");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  // The last holds for 0.2 s: up to 10.9, and the pose of 10.901 comes a millisecond too late.
  EXPECT_EQ(imported->channels.at("odom"), 6u);
  EXPECT_EQ(imported->left_out, 4u);
  EXPECT_THAT(
      imported->notes,
      ElementsAre(AllOf(HasSubstr("odom: 4 messages had no transform"), HasSubstr("topic /odom"),
                        HasSubstr("at stamp 10.001 s there is no transform from map to "
                                  "odom: the first is of 10.300 s"))));
}

TEST_F(FramesTest, ATransformHoldsForAFifthOfASecondAndNoLonger) {
  Only("odom");
  bag_.Moving({.stamp_s = 10, .parent = "map", .child = "odom", .x_m = 5});
  bag_.Odom({.stamp_s = 10.2});
  bag_.Odom({.stamp_s = 10.200001});
  Follow("base_link", "map");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.at("odom"), 1u);
}

TEST_F(FramesTest, BetweenTwoTransformsTwoSecondsApartOneIsKnownAndFurtherApartNone) {
  Only("odom");
  for (const double at_s : {10.0, 12.0, 14.1})
    bag_.Moving({.stamp_s = at_s, .parent = "map", .child = "odom", .x_m = at_s});
  for (const double at_s : {11.0, 13.0, 14.1}) bag_.Odom({.stamp_s = at_s});
  Follow("base_link", "map");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.at("odom"), 2u);
  EXPECT_NEAR(Packets()[0].odom().x_m(), 11, 1e-12);
  EXPECT_THAT(imported->notes, ElementsAre(HasSubstr("between two of them lie 2.1 s")));
}

TEST_F(FramesTest, AChannelWithoutOneTransformIsRefusedWithItsFramesAndTime) {
  Drive();
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .x_m = 0.1}});
  bag_.Moving({.stamp_s = 30, .parent = "map", .child = "odom"});
  Follow("base_link", "map");
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kDataLoss,
                                  AllOf(HasSubstr("channel odom: not one of its 10 messages"),
                                        HasSubstr("topic /odom (nav_msgs/msg/Odometry)"),
                                        HasSubstr("from map to odom"))));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.mcap"));
}

TEST_F(FramesTest, ATurretIsFollowedFromScanToScan) {
  Only("scan");
  Drive();
  for (int i = -1; i <= 11; ++i)
    bag_.Moving(
        {.stamp_s = 10 + 0.1 * i, .parent = "base_link", .child = "base_scan", .yaw_rad = 0.1 * i});
  Follow("base_link", "");
  ASSERT_OK(Import().status());
  const auto packets = Packets();
  ASSERT_EQ(packets.size(), 10u);
  EXPECT_NEAR(packets[0].scan().angle_min_rad(), -pi / 2, 1e-6);
  EXPECT_NEAR(packets[5].scan().angle_min_rad(), -pi / 2 + 0.5, 1e-6);
}

TEST_F(FramesTest, AClipOfARecordingKnowsWhatIsFixedAndWhatWasToldBeforeItBegan) {
  Drive();
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .yaw_rad = pi / 2}});
  for (int i = 0; i <= 12; ++i)
    bag_.Moving({.stamp_s = 9.9 + 0.1 * i, .parent = "map", .child = "odom", .x_m = 5});
  Follow("base_link", "map");
  const auto imported = Import({.from_ns = 10'450'000'000, .to_ns = 10'750'000'000});
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.at("scan"), 3u);
  EXPECT_EQ(imported->channels.at("odom"), 3u);
  EXPECT_EQ(imported->left_out, 0u);
  EXPECT_EQ(imported->first_ns, 10'500'000'000);
  EXPECT_NEAR(Packets().front().scan().angle_min_rad(), 0, 1e-6);
}

TEST_F(FramesTest, MoreTransformsInOneMessageThanWereExpectedAreAllRead) {
  Only("scan");
  Drive();
  std::vector<tests::FrameAt> frames;
  for (int i = 0; i < 30; ++i)
    frames.push_back({.parent = "base_link", .child = "wheel_" + std::to_string(i)});
  frames.push_back({.parent = "base_link", .child = "base_scan", .yaw_rad = pi / 2});
  bag_.Fixed(9, frames);
  Follow("base_link", "");
  ASSERT_OK(Import().status());
  EXPECT_NEAR(Packets().front().scan().angle_min_rad(), 0, 1e-6);
}

class FrameRefusalTest : public FramesTest {
 protected:
  void Refused(absl::StatusCode code, const std::string& why) {
    EXPECT_THAT(Refusal(), StatusIs(code, HasSubstr(why)));
  }
};

TEST_F(FrameRefusalTest, ATiltedLaserIsNamedAndSoIsTheAngle) {
  Only("scan");
  Drive();
  Follow("base_link", "");
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .roll_rad = 5.1 * kDegree}});
  Refused(absl::StatusCode::kInvalidArgument,
          "frame base_scan in base_link: its plane is tilted by 5.1 degrees");
}

TEST_F(FrameRefusalTest, ALaserTiltedByLessIsTakenAsFlat) {
  Only("scan");
  Drive();
  Follow("base_link", "");
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .roll_rad = 4.9 * kDegree}});
  EXPECT_OK(Refusal());
}

TEST_F(FrameRefusalTest, FramesThatNobodyToldOfComeBackWithTheNearest) {
  Drive();
  Follow("base_lonk", "");
  Refused(absl::StatusCode::kInvalidArgument, "it has neither /tf nor /tf_static");
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan"}});
  Refused(absl::StatusCode::kInvalidArgument, "no frame 'base_lonk'; did you mean 'base_link'?");
  Follow("", "map");
  Refused(absl::StatusCode::kInvalidArgument, "frames needs body");
}

TEST_F(FrameRefusalTest, FramesThatDoNotHangTogetherAreNamed) {
  Only("odom");
  Drive();
  Follow("base_link", "map");
  bag_.Fixed(9, {{.parent = "odom", .child = "base_link"}, {.parent = "earth", .child = "map"}});
  Refused(absl::StatusCode::kInvalidArgument,
          "channel odom: frames odom and map do not hang together");
}

TEST_F(FrameRefusalTest, AFrameInTwoPlacesIsNoFrame) {
  Only("scan");
  Drive();
  Follow("base_link", "");
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .x_m = 0.1}});
  bag_.Fixed(10.2, {{.parent = "base_link", .child = "base_scan", .x_m = 0.1001}});
  Refused(absl::StatusCode::kDataLoss, "/tf_static fixes frame base_scan in base_link");
  bag_.Fixed(10.3, {{.parent = "mast", .child = "base_scan", .x_m = 0.1}});
  Refused(absl::StatusCode::kDataLoss, "sits in two frames, base_link and mast");
}

TEST_F(FrameRefusalTest, FramesInARingEnd) {
  Only("scan");
  Drive();
  Follow("base_link", "");
  bag_.Fixed(9, {{.parent = "a", .child = "base_scan"},
                 {.parent = "base_scan", .child = "a"},
                 {.parent = "a", .child = "base_link"}});
  Refused(absl::StatusCode::kDataLoss, "go round in a ring");
}

TEST_F(FrameRefusalTest, ARotationThatIsNoneIsRefusedWithTopicAndTime) {
  Drive();
  Follow("base_link", "");
  tests::CdrBytes bytes;
  bytes.Put<uint32_t>(1).Header(9, 0, "base_link").Text("base_scan");
  bytes.All<double>({0, 0, 0, 0, 0, 0, 0});
  bag_.Add(9, "/tf_static", "tf2_msgs/msg/TFMessage", bytes.bytes());
  Refused(absl::StatusCode::kDataLoss,
          "topic /tf_static (tf2_msgs/msg/TFMessage), log time 9000000000 ns: the transform from "
          "base_link to base_scan has a rotation of length 0");
}

TEST_F(FrameRefusalTest, MoreThan256TransformsInOneMessageAreRefused) {
  Drive();
  Follow("base_link", "");
  std::vector<tests::FrameAt> frames(257, {.parent = "base_link", .child = "base_scan"});
  bag_.Fixed(9, frames);
  Refused(absl::StatusCode::kDataLoss, "more than 256 transforms in one message");
}

TEST_F(FrameRefusalTest, NamesAreReadUpTo256Characters) {
  Only("scan");
  for (const size_t length : {256, 257}) {
    bag_ = {};
    Drive(std::string(length, 'x'));
    bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan"}});
    const absl::Status read = Refusal();
    if (length == 256) EXPECT_OK(read);
    if (length == 257)
      EXPECT_THAT(read, StatusIs(absl::StatusCode::kResourceExhausted,
                                 HasSubstr("one of more than 256 characters")));
  }
  bag_ = {};
  Drive();
  bag_.Fixed(9, {{.parent = "base_link", .child = std::string(257, 'x')}});
  Refused(absl::StatusCode::kDataLoss, "child_frame_id is empty or has more than 256 characters");
}

TEST(FrameTreeTest, HoldsFourThousandAndNinetySixFrames) {
  gatekeeper::ingest::FrameTree tree;
  for (int i = 1; i < 4096; ++i)
    ASSERT_OK(
        tree.Take({.parent = "map", .child = "f" + std::to_string(i), .transform = {}}, true));
  EXPECT_THAT(tree.Take({.parent = "map", .child = "one more", .transform = {}}, true),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more than 4096 frames")));
}

TEST_F(FrameRefusalTest, APartThatMovesOnTheBodyDoesNotTellItsMotion) {
  Only("odom");
  Drive();
  Follow("chassis", "");
  bag_.Moving({.stamp_s = 10, .parent = "chassis", .child = "base_link"});
  bag_.Moving({.stamp_s = 10.1, .parent = "chassis", .child = "base_link", .yaw_rad = 0.1});
  Refused(absl::StatusCode::kInvalidArgument, "child_frame_id base_link moves on the body chassis");
}

TEST_F(FrameRefusalTest, AMountBelongsToALaser) {
  Drive();
  (*map_.mutable_channels())["odom"].mutable_mount()->set_x_m(1);
  Refused(absl::StatusCode::kInvalidArgument, "channel odom: mount tells where a laser sits");
}

class WithoutFramesTest : public FrameRefusalTest {};

TEST_F(WithoutFramesTest, WhatIsTakenForGrantedIsTold) {
  Drive();
  ASSERT_OK(Import().status());
  EXPECT_THAT(
      notes_,
      ElementsAre("scan: taken as seen from the body; the recording calls its frame base_scan (say "
                  "mount: or frames:)",
                  HasSubstr("odom: its poses are in the recording's frame odom, which drifts")));
}

TEST_F(WithoutFramesTest, ALaserThatTheRecordingHasInTheBodysMiddleNeedsNoNote) {
  Only("scan");
  Drive();
  bag_.Fixed(
      9, {{.parent = "base_link", .child = "base_scan", .x_m = 0.009, .yaw_rad = 0.4 * kDegree}});
  ASSERT_OK(Import().status());
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(WithoutFramesTest, ALaserThatTheRecordingHasElsewhereIsRefusedWithWhatToWrite) {
  Drive();
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .x_m = 0.011}});
  Refused(absl::StatusCode::kInvalidArgument, "mount: {x_m: 0.011, y_m: 0.000, yaw_deg: 0.0}");
}

TEST_F(WithoutFramesTest, ATurnedLaserIsRefused) {
  Drive();
  bag_.Fixed(9, {{.parent = "base_footprint", .child = "base_scan", .yaw_rad = 0.6 * kDegree}});
  bag_.Moving({.stamp_s = 9.5, .parent = "map", .child = "odom"});
  Refused(absl::StatusCode::kInvalidArgument,
          "write 'frames: {body: base_footprint, site: map}' into the import map");
}

TEST_F(WithoutFramesTest, AnUpsideDownLaserIsRefusedAndAMountIsNotOffered) {
  Drive();
  bag_.Fixed(9, {{.parent = "base_link", .child = "base_scan", .roll_rad = pi}});
  const std::string why(Refusal().message());
  EXPECT_THAT(why, HasSubstr("upside down"));
  EXPECT_THAT(why, Not(HasSubstr("mount")));
}

TEST_F(WithoutFramesTest, ALaserThatMovesIsRefusedHoweverItStandsAtFirst) {
  Drive();
  bag_.Moving({.stamp_s = 10, .parent = "base_link", .child = "base_scan"});
  bag_.Moving({.stamp_s = 10.5, .parent = "base_link", .child = "base_scan", .yaw_rad = 0.1});
  Refused(absl::StatusCode::kInvalidArgument, "and moves it");
}

TEST_F(WithoutFramesTest, PosesThatAreBroughtIntoNoSiteAreToldToDriftAlsoWithABody) {
  Only("odom");
  Drive();
  Follow("base_link", "");
  ASSERT_OK(Import().status());
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("frame odom, which drifts")));
}

}  // namespace
