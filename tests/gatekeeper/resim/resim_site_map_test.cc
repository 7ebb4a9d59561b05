#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_replace.h"
#include "gatekeeper/resim/grid_map.h"
#include "gatekeeper/resim/site_map.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/resim/walled_world.h"
#include "tests/support/status_matchers.h"

// Maps as ROS's map_server reads and map_saver writes them.

namespace gatekeeper::resim {
namespace {

using agent::runtime::ExactSinCos;
using agent::runtime::Footprint;
using agent::runtime::Region;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::StatusIs;
using tests::WalledWorld;

constexpr char kYaml[] =
    "image: hall.pgm\nresolution: 0.05\norigin: [-1.5, 2, 0.0]\nnegate: 0\n"
    "occupied_thresh: 0.65\nfree_thresh: 0.196\n";
constexpr MapCell kFree = MapCell::kFree;
constexpr MapCell kWall = MapCell::kOccupied;
constexpr MapCell kNobodyKnows = MapCell::kUnknown;

std::string Yaml(const std::string& what, const std::string& instead) {
  return absl::StrReplaceAll(kYaml, {{what, instead}});
}

std::string Pgm(const std::vector<int>& pixels, const std::string& header) {
  std::string bytes = header;
  for (const int pixel : pixels) bytes += static_cast<char>(pixel);
  return bytes;
}

std::vector<MapCell> Cells(const std::string& yaml, const std::vector<int>& pixels,
                           const std::string& most = "255") {
  const auto description = ReadMapDescription(yaml, "hall.yaml");
  EXPECT_OK(description.status());
  if (!description.ok()) return {};
  const auto map = ReadMapImage(
      *description, Pgm(pixels, "P5\n" + std::to_string(pixels.size()) + " 1\n" + most + "\n"),
      "hall.pgm");
  EXPECT_OK(map.status());
  return map.ok() ? map->cells : std::vector<MapCell>();
}

TEST(SiteMapTest, TheImagesLastRowLiesAtTheOrigin) {
  ASSERT_OK_AND_ASSIGN(const MapDescription description, ReadMapDescription(kYaml, "hall.yaml"));
  EXPECT_EQ(description.image, "hall.pgm");
  ASSERT_OK_AND_ASSIGN(const SiteMap map,
                       ReadMapImage(description,
                                    Pgm({0, 205, 254, 254, 254, 0},
                                        "P5\n# CREATOR: map_saver.cpp 0.050 m/pix\n3 2\n255\n"),
                                    "hall.pgm"));
  EXPECT_EQ(map.columns, 3u);
  EXPECT_EQ(map.rows, 2u);
  EXPECT_EQ(map.cell_m, 0.05);
  EXPECT_THAT(map.cells, ElementsAre(kFree, kFree, kWall, kWall, kNobodyKnows, kFree));
  const GridMap grid = GridMap::Of(map);
  EXPECT_EQ(grid.At({-1.49, 2.01}), kFree);
  EXPECT_EQ(grid.At({-1.36, 2.01}), kWall);
  EXPECT_EQ(grid.At({-1.49, 2.06}), kWall);
  EXPECT_EQ(grid.At({-1.44, 2.06}), kNobodyKnows);
  EXPECT_EQ(grid.At({-1.51, 2.01}), kNobodyKnows) << "beyond its edge";
  EXPECT_NEAR(grid.Cast({-1.475, 2.025}, ExactSinCos(0), 1), 0.1, 1e-12) << "a drawn cell's middle";
}

// p = (255 - pixel) / 255; 0.65 lies between pixels 90 and 89, 0.196 between 205 and 206.
TEST(SiteMapTest, ThresholdsDecideOnBothSides) {
  EXPECT_THAT(Cells(kYaml, {89, 90, 205, 206}),
              ElementsAre(kWall, kNobodyKnows, kNobodyKnows, kFree));
  EXPECT_THAT(Cells(Yaml("negate: 0", "negate: 1"), {165, 166, 49, 50}),
              ElementsAre(kNobodyKnows, kWall, kFree, kNobodyKnows));
  EXPECT_THAT(Cells(Yaml("0.196", "0.25"), {205}), ElementsAre(kFree))
      << "map_saver's grey under Nav2's usual threshold, as map_server has it";
  EXPECT_THAT(Cells(kYaml, {34, 35, 80, 81}, "100"),
              ElementsAre(kWall, kNobodyKnows, kNobodyKnows, kFree))
      << "a picture whose white is 100";
  EXPECT_THAT(Cells(std::string(kYaml) + "mode: scale\n", {89, 90, 206}),
              ElementsAre(kWall, kNobodyKnows, kFree));
}

TEST(SiteMapTest, ARawPixelIsAPercentage) {
  EXPECT_THAT(Cells(std::string(kYaml) + "mode: raw\n", {0, 19, 20, 65, 66, 100, 101, 255}),
              ElementsAre(kFree, kFree, kNobodyKnows, kNobodyKnows, kWall, kWall, kNobodyKnows,
                          kNobodyKnows));
}

TEST(SiteMapTest, ADescriptionThatLacksSomethingSaysWhat) {
  const auto refused = [](const std::string& yaml, const std::string& why) {
    EXPECT_THAT(ReadMapDescription(yaml, "hall.yaml"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)))
        << yaml;
  };
  refused("", "no map_server map");
  refused("- 1\n", "no map_server map");
  refused("image: [\n", "hall.yaml:");
  refused(Yaml("image:", "picture:"), "image is missing");
  refused(Yaml("hall.pgm", "/srv/hall.pgm"), "relative to this file");
  refused(Yaml("0.05", "0.004"), "resolution must be a number from 0.005 to 1");
  refused(Yaml("0.05", "1.01"), "resolution");
  refused(Yaml("0.05", "nan"), "resolution");
  refused(Yaml("0.05", "5 cm"), "found '5 cm'");
  refused(Yaml("-1.5, 2, 0.0", "-1.5, 2"), "origin must be three numbers");
  refused(Yaml("-1.5", "inf"), "origin must be three numbers");
  refused(Yaml("2, 0.0", "2, 0.1"), "origin is turned by 0.1 rad");
  refused(Yaml("negate: 0", "negate: 2"), "negate must be 0 or 1");
  refused(Yaml("negate: 0\n", ""), "negate is missing");
  refused(Yaml("0.65", "1"), "0 < free_thresh < occupied_thresh < 1");
  refused(Yaml("0.65", "0.196"), "0 < free_thresh < occupied_thresh < 1");
  refused(Yaml("0.196", "0"), "0 < free_thresh < occupied_thresh < 1");
  refused(std::string(kYaml) + "mode: colour\n", "trinary, scale or raw");
  refused(std::string(kMaxMapYaml + 1, '#'), "at most");
  EXPECT_OK(ReadMapDescription(Yaml("0.05", "0.005"), "").status());
  EXPECT_OK(ReadMapDescription(Yaml("0.05", "1"), "").status());
  EXPECT_OK(ReadMapDescription(Yaml("0.65", "0.1961"), "").status());
}

TEST(SiteMapTest, AnImageThatIsNoneIsRefusedInWords) {
  ASSERT_OK_AND_ASSIGN(const MapDescription description, ReadMapDescription(kYaml, "hall.yaml"));
  const auto refused = [&](const std::string& bytes, const std::string& why,
                           absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    EXPECT_THAT(ReadMapImage(description, bytes, "hall.pgm"), StatusIs(code, HasSubstr(why)));
  };
  refused("\x89PNG\r\n", "no binary PGM image (P5); `convert map.png map.pgm`");
  refused("P2\n1 1\n255\n0\n", "P5");
  refused("P5\n0 1\n255\n", "no pixels");
  refused("P5\n1 1\n256\n\1\1", "largest value is 256");
  refused("P5\n1 1\n0\n\1", "largest value is 0");
  refused("P5\n2 2\n255\n\1\1\1", "2 x 2 pixels are announced and 3 bytes follow");
  refused("P5\n1 1\n255\n\1\1", "2 bytes follow");
  refused("P5\n1234567890 1\n255\n", "its width is too large");
  refused("P5\n3001 3000\n255\n", "at most 9000000", absl::StatusCode::kResourceExhausted);
  refused("P5\n999999999 999999999\n255\n", "at most", absl::StatusCode::kResourceExhausted);
  const std::string whole = Pgm({0, 205, 254, 254, 254, 0}, "P5 #x\n3 2 255 ");
  EXPECT_OK(ReadMapImage(description, whole, "hall.pgm").status());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(ReadMapImage(description, whole.substr(0, length), "hall.pgm").ok()) << length;
}

TEST(SiteMapTest, WhatIsWrittenIsReadBack) {
  const SiteMap map = tests::DrawnMap(WalledWorld::Room());
  const MapFiles files = WriteMap(map, "room.pgm");
  ASSERT_OK_AND_ASSIGN(const MapDescription description,
                       ReadMapDescription(files.yaml, "room.yaml"));
  EXPECT_EQ(description.image, "room.pgm");
  ASSERT_OK_AND_ASSIGN(const SiteMap again, ReadMapImage(description, files.pgm, "room.pgm"));
  EXPECT_EQ(again.cells, map.cells);
  EXPECT_EQ(again.columns, map.columns);
  EXPECT_EQ(again.cell_m, map.cell_m);
  EXPECT_EQ(again.corner.x, map.corner.x);
  EXPECT_EQ(again.corner.y, map.corner.y);
}

// A box that nobody drew, and a wall that the robot never saw.
TEST(SiteMapTest, ADrawnMapGetsWhatStoodStillInTheDrive) {
  WalledWorld drawn;
  drawn.AddBox(0, 0, 10, 6);
  drawn.AddBox(6.3, 2.3, 6.7, 2.7);  // inside of the box that stands there
  const DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 8, {.sigma_m = 0.01}, {}, tests::Slalom);
  const auto map =
      GridMap::BuildIn(tests::DrawnMap(drawn), log, Footprint(Region::Circle({0, 0}, 0.2)));
  ASSERT_OK(map.status());
  EXPECT_EQ(map->columns(), 220u);
  EXPECT_NEAR(map->Cast({3, 2.5}, ExactSinCos(0), 10), 3, 0.05) << "the box of the recording";
  EXPECT_NEAR(map->Cast({6.5, 5}, ExactSinCos(-std::numbers::pi / 2), 10), 2.3, 0.1)
      << "of the box's far side only the drawn one is known";
  EXPECT_EQ(map->At({6.5, 2.31}), kWall) << "only drawn";
  EXPECT_EQ(map->At({9.5, 2.5}), kFree) << "drawn as free, in the box's shadow";
  EXPECT_EQ(map->At({3, 1}), kFree);
}

}  // namespace
}  // namespace gatekeeper::resim
