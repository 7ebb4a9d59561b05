#include <set>
#include <string>

#include "gatekeeper/gates/clip_scene.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"

namespace gatekeeper::gates {
namespace {

TEST(ClipSceneTest, DrawsEveryZoneInTheSiteAndTheOutlineWithTheBody) {
  v1::ControlPolicy policy = tests::PolicyDocument();
  v1::EnvelopeZone& pit = *policy.add_envelope();
  pit.set_id("pit");
  pit.set_kind("exclusion");
  pit.mutable_circle_m()->mutable_c()->set_x(3);
  pit.mutable_circle_m()->set_r(2);
  const foxglove::SceneUpdate scene = PolicyScene(policy, 1'500'000'000);
  ASSERT_EQ(scene.entities_size(), policy.envelope_size() + 1);
  const foxglove::SceneEntity& circle = scene.entities(policy.envelope_size() - 1);
  EXPECT_EQ(circle.id(), "zone pit");
  EXPECT_EQ(circle.frame_id(), "site");
  EXPECT_EQ(circle.timestamp().seconds(), 1);
  EXPECT_EQ(circle.lines(0).points_size(), 48);
  EXPECT_NEAR(circle.lines(0).points(0).x(), 5, 1e-12);
  const foxglove::SceneEntity& outline = scene.entities(policy.envelope_size());
  EXPECT_EQ(outline.frame_id(), "body");
  EXPECT_TRUE(outline.frame_locked());
  EXPECT_GT(outline.lines(0).points_size(), 2);
}

TEST(ClipSceneTest, AllowedForbiddenAndSlowZonesHaveDifferentColours) {
  v1::ControlPolicy policy;
  for (const char* kind : {"inclusion", "exclusion", "speed"})
    policy.add_envelope()->set_kind(kind);
  const foxglove::SceneUpdate scene = PolicyScene(policy, 0);
  ASSERT_EQ(scene.entities_size(), 3);
  std::set<std::string> colours;
  for (const foxglove::SceneEntity& entity : scene.entities()) {
    colours.insert(entity.lines(0).color().ShortDebugString());
  }
  EXPECT_EQ(colours.size(), 3u);
  EXPECT_GT(scene.entities(0).lines(0).color().g(), scene.entities(0).lines(0).color().r());
  EXPECT_GT(scene.entities(1).lines(0).color().r(), scene.entities(1).lines(0).color().g());
}

TEST(ClipSceneTest, TheFindingStandsOverTheRobot) {
  const foxglove::SceneUpdate scene = FindingScene("too near the wall", 7);
  ASSERT_EQ(scene.entities_size(), 1);
  EXPECT_EQ(scene.entities(0).frame_id(), "body");
  EXPECT_EQ(scene.entities(0).texts(0).text(), "too near the wall");
}

}  // namespace
}  // namespace gatekeeper::gates
