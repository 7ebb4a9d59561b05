#include <cmath>
#include <filesystem>
#include <numbers>

#include "gmock/gmock.h"
#include "tests/gatekeeper/ingest/frames_fixture.h"
#include "tests/support/status_matchers.h"

// What an import map's frames and mount make of scans and poses.

namespace {

namespace v1 = gatekeeper::v1;
using std::numbers::pi;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::FramesTest;
using tests::StatusIs;

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

// A fleet's robots each tell their own tree, of frames with the same names.
class NamespacedTest : public FramesTest {
 protected:
  void DriveIn(const std::string& robot) {
    for (int i = 0; i < 10; ++i) {
      const double at_s = 10 + 0.1 * i;
      bag_.Add(at_s, robot + "/front/scan", "sensor_msgs/msg/LaserScan",
               tests::ScanBytes({.stamp_s = at_s,
                                 .frame = "base_scan",
                                 .angle_min_rad = -90 * tests::kDegree,
                                 .increment_rad = 90 * tests::kDegree,
                                 .ranges_m = {1, 2, 3}}));
      bag_.Add(at_s, robot + "/odom", "nav_msgs/msg/Odometry",
               tests::OdomBytes({.stamp_s = at_s, .x_m = at_s - 10, .vx_mps = 1}));
    }
    (*map_.mutable_channels())["scan"].set_topic(robot + "/front/scan");
    (*map_.mutable_channels())["odom"].set_topic(robot + "/odom");
    Follow("base_link", "map");
  }
  void Tell(const std::string& robot, double odom_x_m, double scan_yaw_rad) {
    for (int i = -1; i <= 11; ++i) {
      const double at_s = 10 + 0.1 * i;
      bag_.Add(at_s, robot + "/tf", "tf2_msgs/msg/TFMessage",
               tests::TransformBytes(
                   {{.stamp_s = at_s, .parent = "map", .child = "odom", .x_m = odom_x_m},
                    {.stamp_s = at_s, .parent = "odom", .child = "base_link"}}));
    }
    bag_.Add(9, robot + "/tf_static", "tf2_msgs/msg/TFMessage",
             tests::TransformBytes(
                 {{.parent = "base_link", .child = "base_scan", .yaw_rad = scan_yaw_rad}}));
  }
};

TEST_F(NamespacedTest, TheTreeOfTheRobotsOwnNamespaceIsFollowedAndNoOther) {
  DriveIn("/r1");
  Tell("/r1", 5, pi / 2);
  Tell("/r2", 50, 0);
  Tell("", 500, pi);
  ASSERT_OK(Import().status());
  const auto packets = Packets();
  EXPECT_NEAR(packets[0].scan().angle_min_rad(), 0, 1e-6);
  EXPECT_NEAR(packets[1].odom().x_m(), 5, 1e-9);
}

TEST_F(NamespacedTest, WithoutOneOfItsOwnTheRobotIsInTheTreeAbove) {
  DriveIn("/r1");
  Tell("", 500, pi / 2);
  Tell("/r11", 50, 0);
  bag_.Add(9, "/r1/tf", "std_msgs/msg/String", "");  // of that name, and no tree
  ASSERT_OK(Import().status());
  const auto packets = Packets();
  EXPECT_NEAR(packets[0].scan().angle_min_rad(), 0, 1e-6);
  EXPECT_NEAR(packets[1].odom().x_m(), 500, 1e-9);
}

TEST_F(NamespacedTest, WhatIsFixedMayBeToldElsewhereThanWhatMoves) {
  DriveIn("/hall/r1");
  for (int i = -1; i <= 11; ++i) {
    bag_.Add(
        10 + 0.1 * i, "/hall/r1/tf", "tf2_msgs/msg/TFMessage",
        tests::TransformBytes({{.stamp_s = 10 + 0.1 * i, .parent = "map", .child = "odom"},
                               {.stamp_s = 10 + 0.1 * i, .parent = "odom", .child = "base_link"}}));
  }
  bag_.Add(
      9, "/hall/tf_static", "tf2_msgs/msg/TFMessage",
      tests::TransformBytes({{.parent = "base_link", .child = "base_scan", .yaw_rad = pi / 2}}));
  ASSERT_OK(Import().status());
  EXPECT_NEAR(Packets()[0].scan().angle_min_rad(), 0, 1e-6);
}

TEST_F(NamespacedTest, TopicsWithoutTheFirstSlashHaveTheSameTree) {
  for (const std::string& tree : {std::string("r1"), std::string()}) {
    bag_ = {};
    DriveIn("r1");
    Tell(tree, 5, pi / 2);  // of "" on /tf
    Tell("/r2", 50, 0);
    ASSERT_OK(Import().status()) << tree;
    const auto packets = Packets();
    EXPECT_NEAR(packets[0].scan().angle_min_rad(), 0, 1e-6) << tree;
    EXPECT_NEAR(packets[1].odom().x_m(), 5, 1e-9) << tree;
  }
}

TEST_F(NamespacedTest, ATopicWithoutAnySlashIsInTheTreeOfTheRoot) {
  Only("scan");
  map_.mutable_channels()->at("scan").set_topic("scan");
  Follow("base_link", "");
  for (const std::string& topic : {std::string("/tf_static"), std::string("tf_static")}) {
    bag_ = {};
    bag_.Add(10, "scan", "sensor_msgs/msg/LaserScan",
             tests::ScanBytes({.stamp_s = 10,
                               .angle_min_rad = -90 * tests::kDegree,
                               .increment_rad = 90 * tests::kDegree,
                               .ranges_m = {1, 2, 3}}));
    bag_.Add(
        9, topic, "tf2_msgs/msg/TFMessage",
        tests::TransformBytes({{.parent = "base_link", .child = "base_scan", .yaw_rad = pi / 2}}));
    ASSERT_OK(Import().status()) << topic;
    EXPECT_NEAR(Packets()[0].scan().angle_min_rad(), 0, 1e-6) << topic;
  }
}

}  // namespace
