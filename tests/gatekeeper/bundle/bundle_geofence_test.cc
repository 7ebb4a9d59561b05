#include "absl/strings/str_format.h"
#include "agent/base/yaml_document.h"
#include "gatekeeper/bundle/envelope_checks.h"
#include "gatekeeper/bundle/site.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

// Whether an envelope lies inside a site, at its edges.

namespace {

using namespace gatekeeper::bundle;  // NOLINT(google-build-using-namespace)
using gatekeeper::v1::ControlPolicy;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// `envelope` as a policy writes it, one zone a line.
ControlPolicy Policy(const std::string& envelope) {
  ControlPolicy policy;
  EXPECT_OK(
      agent::base::ReadYaml("schema: control_policy/1\nframes: {site: map}\nenvelope:\n" + envelope,
                            "policy", "control_policy/1", policy));
  return policy;
}

absl::StatusOr<Site> MakeSite(const std::string& geofence) {
  gatekeeper::v1::Site document;
  EXPECT_OK(agent::base::ReadYaml("schema: site/1\nid: yard\nframe: map\ngeofence:\n" + geofence,
                                  "site", "site/1", document));
  return Site::Compile(document);
}

std::vector<std::string> Check(const std::string& envelope, const std::string& geofence) {
  const absl::StatusOr<Site> site = MakeSite(geofence);
  EXPECT_OK(site);
  std::vector<std::string> texts;
  for (const Finding& finding : CheckGeofence(Policy(envelope), *site)) {
    texts.push_back(finding.rule + ": " + finding.path + " " + finding.message);
  }
  return texts;
}

constexpr char kTenSquare[] = "  - {id: yard, polygon_m: [[0, 0], [10, 0], [10, 10], [0, 10]]}\n";

TEST(GeofenceTest, HoldsAnEnvelopeUpToItsVeryEdge) {
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, polygon_m: [[0, 0], [10, 0], [10, 10], [0, 10]]}\n",
            kTenSquare),
      IsEmpty());
  EXPECT_THAT(
      Check(
          "  - {id: a, kind: inclusion, polygon_m: [[0, 0], [10.000001, 0], [10, 10], [0, 10]]}\n",
          kTenSquare),
      ElementsAre(HasSubstr("S11: envelope[0] lets the robot be at (10.000, ")));
}

TEST(GeofenceTest, HoldsACircleThatTouchesEveryWall) {
  EXPECT_THAT(Check("  - {id: a, kind: inclusion, circle_m: {c: [5, 5], r: 5}}\n", kTenSquare),
              IsEmpty());
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, circle_m: {c: [5, 5], r: 5.000001}}\n", kTenSquare),
      testing::SizeIs(1));
}

TEST(GeofenceTest, IsOfTheGroundThatAllInclusionZonesShare) {
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, polygon_m: [[-5, 1], [9, 1], [9, 9], [-5, 9]]}\n"
            "  - {id: b, kind: inclusion, polygon_m: [[0, 0], [20, 0], [20, 10], [0, 10]]}\n",
            kTenSquare),
      IsEmpty());
}

constexpr char kHole[] =
    "  - id: yard\n    polygon_m: [[0, 0], [10, 0], [10, 10], [0, 10]]\n"
    "    holes:\n      - {id: pit, polygon_m: [[4, 4], [6, 4], [6, 6], [4, 6]]}\n";

TEST(GeofenceTest, LeavesItsHolesOut) {
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, polygon_m: [[1, 1], [9, 1], [9, 9], [1, 9]]}\n", kHole),
      testing::SizeIs(1));
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, polygon_m: [[1, 1], [4, 1], [4, 9], [1, 9]]}\n", kHole),
      IsEmpty());  // touches the pit's edge
}

TEST(GeofenceTest, CountsAHoleThatExclusionZonesCoverTogether) {
  const std::string inclusion =
      "  - {id: a, kind: inclusion, polygon_m: [[1, 1], [9, 1], [9, 9], [1, 9]]}\n";
  const std::string left =
      "  - {id: l, kind: exclusion, polygon_m: [[4, 4], [5, 4], [5, 6], [4, 6]]}\n";
  EXPECT_THAT(
      Check(inclusion + left +
                "  - {id: r, kind: exclusion, polygon_m: [[5, 4], [6, 4], [6, 6], [5, 6]]}\n",
            kHole),
      IsEmpty());
  EXPECT_THAT(
      Check(inclusion + left +
                "  - {id: r, kind: exclusion, polygon_m: [[5.1, 4], [6, 4], [6, 6], [5.1, 6]]}\n",
            kHole),
      ElementsAre(HasSubstr("at (5.0")));
  EXPECT_THAT(Check(inclusion + left +
                        "  - {id: r, kind: speed, vx_max_mps: 0, polygon_m: [[5, 4], [6, 4], [6, "
                        "6], [5, 6]]}\n",
                    kHole),
              testing::SizeIs(1));  // a robot may still be in a speed zone
}

TEST(GeofenceTest, IsAllItsRegionsTogether) {
  const std::string two =
      std::string(kTenSquare) + "  - {id: lane, polygon_m: [[10, 4], [20, 4], [20, 6], [10, 6]]}\n";
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, polygon_m: [[8, 4], [12, 4], [12, 6], [8, 6]]}\n", two),
      IsEmpty());  // across the edge that both share
  EXPECT_THAT(
      Check("  - {id: a, kind: inclusion, polygon_m: [[8, 3], [12, 3], [12, 6], [8, 6]]}\n", two),
      testing::SizeIs(1));
}

TEST(GeofenceTest, EndsAtItsHeights) {
  const std::string low =
      "  - {id: cell, z_m: [0, 2], polygon_m: [[0, 0], [10, 0], [10, 10], [0, 10]]}\n";
  const auto envelope = [](const std::string& z) {
    return "  - {id: a, kind: inclusion, z_m: " + z +
           ", polygon_m: [[1, 1], [9, 1], [9, 9], [1, 9]]}\n";
  };
  EXPECT_THAT(Check(envelope("[0, 2]"), low), IsEmpty());
  EXPECT_THAT(Check(envelope("[0, 2.1]"), low), ElementsAre(HasSubstr("above 2 m")));
  EXPECT_THAT(Check(envelope("[-0.1, 2]"), low), testing::SizeIs(1));
  // Two regions on top of each other.
  EXPECT_THAT(Check(envelope("[0, 3]"),
                    low + "  - {id: attic, z_m: [2, 4], circle_m: {c: [5, 5], r: 8}}\n"),
              IsEmpty());
  // An exclusion zone that speaks of some heights only does not cover a pit at the others.
  EXPECT_THAT(Check(envelope("[0, 2]") +
                        "  - {id: e, kind: exclusion, z_m: [0, 1], polygon_m: [[4, 4], [6, 4], [6, "
                        "6], [4, 6]]}\n",
                    kHole),
              ElementsAre(HasSubstr("above 1 m")));
}

TEST(GeofenceTest, NeedsTheSameFrameAndAnInclusionZone) {
  const absl::StatusOr<Site> site = MakeSite(kTenSquare);
  ASSERT_OK(site);
  ControlPolicy policy = Policy("  - {id: a, kind: exclusion, circle_m: {c: [5, 5], r: 1}}\n");
  EXPECT_EQ(CheckGeofence(policy, *site).at(0).message,
            "must draw an inclusion zone: site 'yard' has an end");
  policy.mutable_frames()->set_site("odom");
  EXPECT_EQ(CheckGeofence(policy, *site).at(0).path, "frames.site");
}

TEST(GroundTest, IsEmptyWhereInclusionZonesDoNotMeet) {
  const std::string a =
      "  - {id: a, kind: inclusion, polygon_m: [[0, 0], [5, 0], [5, 5], [0, 5]]}\n";
  EXPECT_THAT(CheckGround(Policy(a)), IsEmpty());
  EXPECT_THAT(
      CheckGround(Policy(
          a + "  - {id: b, kind: inclusion, polygon_m: [[4, 0], [9, 0], [9, 5], [4, 5]]}\n")),
      IsEmpty());
  EXPECT_EQ(CheckGround(Policy(a + "  - {id: b, kind: inclusion, polygon_m: [[5, 0], [9, 0], [9, "
                                   "5], [5, 5]]}\n"))
                .size(),
            1U);  // an edge is no ground
}

TEST(GroundTest, IsEmptyAtHeightsThatNoTwoZonesShare) {
  EXPECT_EQ(CheckGround(Policy("  - {id: a, kind: inclusion, z_m: [0, 1], circle_m: {c: [0, 0], r: "
                               "5}}\n  - {id: b, kind: inclusion, z_m: [1, 2], circle_m: {c: [0, "
                               "0], r: 5}}\n"))
                .size(),
            1U);
}

TEST(GroundTest, StandsOnWholeMicrometres) {
  const auto found =
      CheckGround(Policy("  - {id: a, kind: inclusion, circle_m: {c: [0, 0], r: 1.2345678}}\n"));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "envelope[0].circle_m");
}

TEST(SiteTest, RefusesWhatIsNoSite) {
  const std::pair<const char*, const char*> wrong[] = {
      {"  - {id: a}\n", "[geofence[0]] must have polygon_m or circle_m"},
      {"  - {id: a, polygon_m: [[0, 0], [1, 0], [2, 0]]}\n", "must be a simple polygon"},
      {"  - {id: a, circle_m: {c: [0, 0], r: 0}}\n", "[geofence[0].circle_m.r] must be above 0"},
      {"  - {id: a, circle_m: {c: [0, 0], r: 1}, z_m: [1, 1]}\n", "low below high"},
      {"  - {id: a, circle_m: {c: [0, 0], r: 1}, z_m: [1]}\n", "low below high"},
      {"  - {id: a, circle_m: {c: [0, 0], r: 1}}\n  - {id: a, circle_m: {c: [9, 0], r: 1}}\n",
       "'a' is used twice"},
      {"  - {circle_m: {c: [0, 0], r: 1}}\n", "[geofence[0].id] must be given"},
      {"  - {id: a, circle_m: {c: [0, 0], r: 1}, holes: [{id: b, circle_m: {c: [0, 0], r: 1}}]}\n",
       "must leave some of the region"},
      {"  - {id: a, circle_m: {c: [0, 0], r: 1}, holes: [{id: b, circle_m: {c: [0.5, 0], r: "
       "0.6}}]}\n",
       "must lie inside its region"},
  };
  for (const auto& [geofence, text] : wrong) {
    EXPECT_THAT(MakeSite(geofence),
                tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)))
        << geofence;
  }
  // A hole that touches the border from inside is one.
  EXPECT_OK(
      MakeSite("  - {id: a, circle_m: {c: [0, 0], r: 1}, holes: [{id: b, circle_m: {c: [0.5, 0], "
               "r: 0.5}}]}\n"));
}

TEST(SiteTest, HasAnEndOfCorners) {
  const auto comb = [](int teeth) {  // 2 corners a tooth and 2 below
    std::string corners;
    for (int i = 0; i < teeth; ++i) corners += absl::StrFormat("[%d, 1], [%d.5, 2], ", i, i);
    return absl::StrFormat("[%s[%d, 0], [0, 0]]", corners, teeth);
  };
  const auto region = [&](int number, int teeth) {
    return absl::StrFormat("  - {id: r%d, polygon_m: %s}\n", number, comb(teeth));
  };
  EXPECT_OK(MakeSite(region(0, 127)));
  EXPECT_THAT(MakeSite(region(0, 128)), tests::StatusIs(absl::StatusCode::kInvalidArgument,
                                                        HasSubstr("at most 256 corners")));
  const std::string four = region(0, 127) + region(1, 127) + region(2, 127) + region(3, 127);
  EXPECT_OK(MakeSite(four));
  EXPECT_THAT(MakeSite(four + "  - {id: one, circle_m: {c: [0, 0], r: 1}}\n"),
              tests::StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("[geofence[4]] is one too many")));
}

}  // namespace
