#include <numbers>

#include "gmock/gmock.h"
#include "tests/gatekeeper/ingest/frames_fixture.h"
#include "tests/support/status_matchers.h"

// Frames that are refused, and what is told or refused where an import map names none.

namespace {

using std::numbers::pi;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::FramesTest;
using tests::kDegree;
using tests::StatusIs;

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
          "base_link to base_scan is a quaternion of length 0, which is no turn");
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
  Follow("base_link", "");
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

TEST_F(WithoutFramesTest, ATransformThatIsNoneIsPassedOverAndTold) {
  Drive();
  tests::CdrBytes bytes;
  bytes.Put<uint32_t>(1).Header(9, 0, "base_link").Text("camera");
  bytes.All<double>({0, 0, 0, 0, 0, 0, 0});
  bag_.Add(9, "/tf_static", "tf2_msgs/msg/TFMessage", bytes.bytes());
  ASSERT_OK(Import().status());
  EXPECT_THAT(notes_, testing::Contains("1 messages of /tf or /tf_static tell a transform that is "
                                        "none and were passed over"));
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
