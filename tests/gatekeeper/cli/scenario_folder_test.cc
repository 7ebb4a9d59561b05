#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "agent/trust/hash.h"
#include "gatekeeper/cli/scenario_clips.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/gatekeeper/ingest/framed_bag.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// From a team's bags to a library of clips that gates judge: a robot with its laser at the back,
// looking backwards, whose odometry starts at 0 wherever it was switched on.

namespace {

namespace fs = std::filesystem;
using gatekeeper::cli::Cut;
using gatekeeper::cli::RecordingName;
using gatekeeper::cli::Session;
using gatekeeper::cli::StretchesOf;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using tests::Printed;
using tests::ReadBytes;
using tests::StatusIs;
using tests::Typed;

constexpr char kChannels[] = R"(schema: import/1
channels:
  scan: {topic: /scan}
  odom: {topic: /odom}
  goal_bearing_rad: {topic: /goal, field: angular.z}
  dust: {topic: /goal, field: linear.y}
  command: {topic: /cmd_vel, fields: [linear.x, angular.z]}
)";
constexpr char kFollowed[] = "frames: {body: base_link, site: map}\n";

std::string TwistBytes(double x, double wz) {
  tests::CdrBytes bytes;
  bytes.All<double>({x, 0, 0, 0, 0, wz});
  return bytes.bytes();
}

class ScenarioFolderTest : public testing::Test {
 protected:
  // A rosbag2 folder with a drive at 20 Hz along the hall, 0.4 m/s from (5, 10) on.
  void Drive(const std::string& name, double seconds, double fixed_s = 100.5,
             double begins_s = 100) {
    tests::FramedBag bag;
    bag.Fixed(fixed_s, {{.parent = "base_link",
                         .child = "base_scan",
                         .x_m = -0.3,
                         .yaw_rad = std::numbers::pi,
                         .z_m = 0.2}});
    for (int i = 0; i < seconds * 20 + 2; ++i)
      bag.Moving(
          {.stamp_s = begins_s + 0.05 * i, .parent = "map", .child = "odom", .x_m = 5, .y_m = 10});
    for (int i = 0; i < seconds * 20; ++i) {
      const double at_s = begins_s + 0.05 * i;
      const double wz = 0.2 * std::sin(0.035 * i);
      bag.Scan({.stamp_s = at_s,
                .angle_min_rad = -2,
                .increment_rad = 0.1f,
                .ranges_m = std::vector<float>(41, 6)});
      bag.Odom({.stamp_s = at_s, .x_m = 0.02 * i, .vx_mps = 0.4, .wz_radps = wz});
      bag.Add(at_s, "/goal", "geometry_msgs/msg/Twist", TwistBytes(0, 2 * wz));
      bag.Add(at_s + 0.002, "/cmd_vel", "geometry_msgs/msg/Twist", TwistBytes(0.4, wz));
    }
    const std::string folder = folder_ / "bags/" + name;
    fs::create_directories(folder);
    ASSERT_NO_FATAL_FAILURE(bag.Write(folder + "/" + name + "_0.mcap"));
    std::ofstream(folder + "/metadata.yaml")
        << "rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: mcap\n"
        << "  relative_file_paths:\n    - " << name << "_0.mcap\n";
  }

  Printed Run(const std::string& arguments) {
    Session session{.version = "1.2.3"};
    session.home = folder_ / "home";
    CLI::App app;
    gatekeeper::cli::AddScenarioVerbs(app, session);
    gatekeeper::cli::AddGateVerbs(app, session);
    return Typed(app, session, arguments);
  }
  Printed Import(const std::string& names, const std::string& more,
                 const std::string& frames = kFollowed) {
    std::ofstream(folder_ / "import.yaml") << kChannels << frames;
    std::string files;
    for (const auto& name : {std::string("run7"), std::string("run8")})
      if (names.find(name) != names.npos) files += " " + (folder_ / "bags/" + name);
    return Run("scenario import" + files + " --map " + (folder_ / "import.yaml") + " " + more);
  }
  // The hall robot's suite on the library, all of whose clips are labelled "dusty" from 1 to 3 s.
  Printed JudgeLibrary(const nlohmann::json& imported) {
    for (const auto& clip : imported["clips"]) {
      const Printed labelled = Run("scenario label " + clip["scenario"].get<std::string>() +
                                   " --from 1 --to 3 --tag dusty");
      EXPECT_EQ(labelled.code, 0) << labelled.err;
    }
    tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(0.5F, 0), tests::PolicyYaml());
    tests::WriteSuite(folder_.path(), tests::SuiteYaml());
    return Run("gate run " + (folder_ / "unit") + " --suite " + (folder_ / "suite.yaml") +
               " --scenarios " + (folder_ / "library"));
  }
  std::string To(const std::string& name) { return " --to " + (folder_ / name); }

  tests::TempFolder folder_;
};

TEST_F(ScenarioFolderTest, BagsOfManyDrivesBecomeALibraryThatTheGatesPass) {
  std::string bags;
  for (int i = 0; i < 7; ++i) {
    const std::string name = "drive" + std::to_string(i);
    ASSERT_NO_FATAL_FAILURE(Drive(name, 6, 100.5 + 100 * i, 100 + 100 * i));
    bags += " " + (folder_ / "bags/" + name);
  }
  const std::string bag = folder_ / "bags/drive3/drive3_0.mcap";
  fs::resize_file(bag, fs::file_size(bag) - 40);  // the robot was switched off
  std::ofstream(folder_ / "import.yaml") << kChannels << kFollowed;
  const Printed imported = Run("scenario import" + bags + " --map " + (folder_ / "import.yaml") +
                               " --tag clear -o json" + To("library"));
  ASSERT_EQ(imported.code, 0) << imported.err;
  const auto json = nlohmann::json::parse(imported.out);
  ASSERT_EQ(json["clips"].size(), 7u);
  EXPECT_EQ(json["clips"][0]["channels"]["scan"], 120);
  const Printed judged = JudgeLibrary(json);
  EXPECT_EQ(judged.code, 0) << judged.out << judged.err;
  EXPECT_THAT(judged.out, AllOf(HasSubstr("damage: "), HasSubstr("breaks off")));
}

TEST_F(ScenarioFolderTest, ALongDriveIsOneSampleWhateverItIsCutInto) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 40));
  const Printed imported = Import("run7", "--every 6 --tag clear -o json" + To("library"));
  ASSERT_EQ(imported.code, 0) << imported.err;
  const auto json = nlohmann::json::parse(imported.out);
  ASSERT_EQ(json["clips"].size(), 7u) << "the last 4 s are a clip of their own";
  const Printed judged = JudgeLibrary(json);
  EXPECT_EQ(judged.code, 10) << judged.out << judged.err;
  EXPECT_THAT(judged.out,
              AllOf(HasSubstr("1 recording with recorded commands (of 7 clips, those of one "
                              "recording count once), at least 6 are needed"),
                    HasSubstr("0 failed")));
}

TEST_F(ScenarioFolderTest, ATurnedLaserIsRefusedWithoutFramesAndNothingIsWritten) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 2));
  const Printed refused = Import("run7", To("library"), "");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(
      refused.err,
      AllOf(HasSubstr("put base_scan at x -0.300 m, y 0.000 m in base_link, turned by 180.0"),
            HasSubstr("frames: {body: base_link, site: map}")));
  EXPECT_FALSE(fs::exists(folder_ / "library"));
}

TEST_F(ScenarioFolderTest, AScenarioSaysWhatItWasMadeOf) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 2));
  const Printed imported = Import("run7", To("yard.mcap"));
  ASSERT_EQ(imported.code, 0) << imported.err;
  ASSERT_OK_AND_ASSIGN(const auto scenario, gatekeeper::gates::ReadScenario(folder_ / "yard.yaml"));
  const auto& origin = scenario.document.origin();
  EXPECT_EQ(origin.file(), folder_ / "bags/run7");
  EXPECT_EQ(origin.program(), "gatekeeper 1.2.3");
  EXPECT_EQ(origin.map_sha256(), agent::trust::Sha256(ReadBytes(folder_ / "import.yaml")).hex());
  EXPECT_TRUE(origin.notes().empty());
  // As `sha256sum * | sha256sum` prints it.
  std::string lines;
  for (const std::string& name : {std::string("metadata.yaml"), std::string("run7_0.mcap")})
    lines +=
        agent::trust::Sha256(ReadBytes(folder_ / "bags/run7/" + name)).hex() + "  " + name + "\n";
  EXPECT_EQ(origin.sha256(), agent::trust::Sha256(lines).hex());
}

TEST_F(ScenarioFolderTest, WhatWasLeftOutOrChangedStandsInTheScenarioAndIsPrinted) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 2));
  const Printed imported = Import("run7", To("yard.mcap"),
                                  "  speed_kmh: {topic: /cmd_vel, field: linear.x, scale: 3.6}\n"
                                  "  absent: {topic: /goal, field: linear.z, offset: .5}\n" +
                                      std::string(kFollowed));
  ASSERT_EQ(imported.code, 0) << imported.err;
  const std::string yaml = ReadBytes(folder_ / "yard.yaml");
  for (const std::string& text : {yaml, imported.out}) {
    EXPECT_THAT(text, AllOf(HasSubstr("speed_kmh: numbers were changed, by scale 3.6 and offset 0"),
                            HasSubstr("absent: numbers were changed, by scale 1 and offset 0.5")));
  }
}

TEST_F(ScenarioFolderTest, SeveralRecordingsGoIntoAFolderByTheirNames) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 3));
  ASSERT_NO_FATAL_FAILURE(Drive("run8", 2));
  const Printed imported = Import("run7 run8", "--every 1.5" + To("library"));
  ASSERT_EQ(imported.code, 0) << imported.err;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ / "library"))
    names.push_back(entry.path().filename().string());
  EXPECT_THAT(names,
              testing::UnorderedElementsAre("run7-000.mcap", "run7-000.yaml", "run7-001.mcap",
                                            "run7-001.yaml", "run8-000.mcap", "run8-000.yaml"));
  const Printed one = Import("run7 run8", To("one.mcap"));
  EXPECT_EQ(one.code, 2);
  EXPECT_THAT(one.err, HasSubstr("--to must be a folder"));
}

TEST_F(ScenarioFolderTest, WhatIsThereAlreadyIsOverwrittenOnlyWhenAsked) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 2));
  ASSERT_EQ(Import("run7", To("library")).code, 0);
  std::ofstream(folder_ / "library/run7.yaml", std::ios::app) << "# labelled by hand\n";
  const Printed again = Import("run7", To("library"));
  EXPECT_EQ(again.code, 6);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  EXPECT_THAT(ReadBytes(folder_ / "library/run7.yaml"), HasSubstr("labelled by hand"));
  EXPECT_EQ(Import("run7", "--overwrite" + To("library")).code, 0);
  EXPECT_THAT(ReadBytes(folder_ / "library/run7.yaml"), Not(HasSubstr("labelled by hand")));
}

TEST_F(ScenarioFolderTest, OverwritingTakesAwayClipsThatAreNotMadeAgainAndNobodyElses) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 4));
  ASSERT_NO_FATAL_FAILURE(Drive("run8", 3));
  ASSERT_EQ(Import("run7", To("library")).code, 0);                // run7.yaml, of the whole drive
  ASSERT_EQ(Import("run7", "--every 1" + To("library")).code, 0);  // run7-000 to run7-003
  ASSERT_EQ(Import("run8", "--every 1" + To("library")).code, 0);
  // Another drive that somebody called run7-007, a name that only looks alike, and what is no
  // scenario at all.
  ASSERT_EQ(Import("run8", To("library/run7-007.mcap")).code, 0);
  ASSERT_EQ(Import("run7", To("library/run7-north.mcap")).code, 0);
  std::ofstream(folder_ / "library/run7-009.yaml") << "notes: mine\n";
  // A clip whose recording somebody exchanged for one of their own.
  std::ofstream(folder_ / "library/run7-003.mcap", std::ios::app) << "mine";

  const Printed kept = Import("run7", "--every 2" + To("library"));
  EXPECT_EQ(kept.code, 6) << "without --overwrite nothing changes";
  ASSERT_TRUE(fs::exists(folder_ / "library/run7-003.yaml"));
  const Printed again = Import("run7", "--every 2 --overwrite" + To("library"));
  ASSERT_EQ(again.code, 0) << again.err;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ / "library"))
    names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, testing::UnorderedElementsAre(
                         "run7-000.mcap", "run7-000.yaml", "run7-001.mcap", "run7-001.yaml",
                         "run7-003.mcap", "run7-007.mcap", "run7-007.yaml", "run7-009.yaml",
                         "run7-north.mcap", "run7-north.yaml", "run8-000.mcap", "run8-000.yaml",
                         "run8-001.mcap", "run8-001.yaml", "run8-002.mcap", "run8-002.yaml"));
  EXPECT_THAT(again.out,
              AllOf(HasSubstr("removed " + (folder_ / "library/run7-002.yaml") + ": an earlier"),
                    HasSubstr("removed " + (folder_ / "library/run7.yaml") + ":"),
                    HasSubstr("left alone " + (folder_ / "library/run7-007.yaml") + ": not of"),
                    HasSubstr("left alone " + (folder_ / "library/run7-009.yaml") + ":"),
                    Not(HasSubstr("run8-000")), Not(HasSubstr("north"))));
}

TEST_F(ScenarioFolderTest, OverwritingKeepsWhatItHasJustMadeHoweverTheFolderIsWritten) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 2));
  for (const char* to : {"library", "library/", "library//", "./library/../library/"}) {
    const Printed made = Import("run7", "--every 1 --overwrite" + To(to));
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_THAT(made.out, Not(HasSubstr("removed "))) << to;
    EXPECT_TRUE(fs::exists(folder_ / "library/run7-000.yaml")) << to;
    EXPECT_TRUE(fs::exists(folder_ / "library/run7-001.mcap")) << to;
  }
}

TEST_F(ScenarioFolderTest, OverwritingAPartKeepsTheClipsOfTheRest) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 4));
  ASSERT_EQ(Import("run7", "--every 1" + To("library")).code, 0);
  for (const char* part : {"--from 1", "--until 3"}) {
    const Printed again =
        Import("run7", std::string(part) + " --every 3 --overwrite" + To("library"));
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_THAT(again.out, AllOf(HasSubstr("kept " + (folder_ / "library/run7-002.yaml")),
                                 HasSubstr("remove it yourself"), Not(HasSubstr("removed "))));
    for (const char* name : {"run7-001", "run7-002", "run7-003"})
      EXPECT_TRUE(fs::exists(folder_ / "library/" + name + ".yaml")) << part << name;
  }
}

TEST_F(ScenarioFolderTest, OverwritingRemovesNothingWhereAClipCannotBeMade) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 3, 99));
  const std::string map = folder_ / "import.yaml";
  const std::string import = "scenario import " + (folder_ / "bags/run7") + " --map " + map +
                             " --overwrite" + To("library");
  ASSERT_EQ(Import("run7", To("library")).code, 0);  // run7.yaml, of all of it
  const std::string odom = "schema: import/1\nchannels:\n  odom: {topic: /odom}\n";
  std::ofstream(map) << odom << kFollowed;
  const Printed some = Run(import + " --every 1 -o json");
  ASSERT_EQ(some.code, 0) << some.err;
  const auto json = nlohmann::json::parse(some.out);
  EXPECT_EQ(json["skipped"].size(), 1u) << "the first second has nothing";
  EXPECT_THAT(json["removed"], testing::IsEmpty());
  EXPECT_THAT(json["kept"], ElementsAre(folder_ / "library/run7.yaml"));
  EXPECT_TRUE(fs::exists(folder_ / "library/run7.yaml"));

  std::ofstream(map) << odom << "frames: {body: base_link, site: nowhere}\n";
  EXPECT_NE(Run(import + " --every 1").code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "library/run7.yaml")) << "nothing could be made";
}

TEST_F(ScenarioFolderTest, AClipWithNothingInItIsNamedAndTheOthersAreMade) {
  ASSERT_NO_FATAL_FAILURE(Drive("run7", 3, 99));
  std::ofstream(folder_ / "import.yaml") << "schema: import/1\nchannels:\n  odom: {topic: /odom}\n"
                                         << kFollowed;
  // The transforms that are fixed come a second before the drive.
  const std::string import = "scenario import " + (folder_ / "bags/run7") + " --map " +
                             (folder_ / "import.yaml") + " --every 1 ";
  const Printed some = Run(import + "--until 1" + To("none"));
  EXPECT_EQ(some.code, 5);
  EXPECT_THAT(some.err, HasSubstr("none of the mapped topics has a message"));
  const Printed all = Run(import + To("library"));
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, AllOf(HasSubstr("left out "), HasSubstr("run7-000.mcap: none of the mapped"),
                             HasSubstr("wrote ")));
  EXPECT_FALSE(fs::exists(folder_ / "library/run7-000.yaml"));
  EXPECT_TRUE(fs::exists(folder_ / "library/run7-001.yaml"));
}

TEST_F(ScenarioFolderTest, AMapOfABagIsToldToProgramsToo) {
  tests::CdrBytes grid;
  grid.Header(1, 0, "map").Put<int32_t>(0).Put<uint32_t>(0).Put<float>(0.5f);
  grid.Put<uint32_t>(3).Put<uint32_t>(2).All<double>({0, 0, 0, 0, 0, 0, 1}).Bytes("\1\2\3\4\5\6");
  tests::FramedBag bag;
  bag.Add(1, "/map", "nav_msgs/msg/OccupancyGrid", grid.bytes());
  ASSERT_NO_FATAL_FAILURE(bag.Write(folder_ / "bag.mcap"));
  const Printed made =
      Run("scenario map " + (folder_ / "bag.mcap") + To("maps/hall.yaml") + " -o json");
  ASSERT_EQ(made.code, 0) << made.err;
  const auto told = nlohmann::json::parse(made.out);
  EXPECT_EQ(told["image"], folder_ / "maps/hall.pgm");
  EXPECT_EQ(told["columns"], 3);
  EXPECT_EQ(told["rows"], 2);
  EXPECT_EQ(told["cell_m"], 0.5);
}

TEST(ScenarioClipsTest, PiecesFollowOneAnotherAndAShortRestBelongsToTheLast) {
  constexpr int64_t kS = 1'000'000'000;
  const auto ends = [&](double length_s, Cut cut) {
    std::vector<std::pair<double, double>> pieces;
    const auto found =
        StretchesOf({.first_ns = 5 * kS, .last_ns = 5 * kS + std::llround(length_s * 1e9)}, cut);
    EXPECT_OK(found.status());
    for (const auto& piece : *found) {
      pieces.emplace_back(static_cast<double>(piece.from_ns - 5 * kS) * 1e-9,
                          static_cast<double>(piece.to_ns + 1 - 5 * kS) * 1e-9);
    }
    return pieces;
  };
  using testing::DoubleNear;
  using testing::Pair;
  const auto piece = [](double from_s, double to_s) {
    return Pair(DoubleNear(from_s, 2e-9), DoubleNear(to_s, 2e-9));
  };
  EXPECT_THAT(ends(25, {.every_s = 10}), ElementsAre(piece(0, 10), piece(10, 20), piece(20, 25)));
  EXPECT_THAT(ends(24.9, {.every_s = 10}), ElementsAre(piece(0, 10), piece(10, 24.9)));
  EXPECT_THAT(ends(3, {.every_s = 10}), ElementsAre(piece(0, 3)));
  EXPECT_THAT(ends(25, {.from_s = 3, .until_s = 8}), ElementsAre(piece(3, 8)));
  EXPECT_THAT(ends(25, {.from_s = 3, .until_s = 80, .every_s = 11}),
              ElementsAre(piece(3, 14), piece(14, 25)));
}

TEST(ScenarioClipsTest, APartThatIsNotThereIsRefused) {
  const gatekeeper::ingest::Span span{.first_ns = 0, .last_ns = 10'000'000'000};
  EXPECT_OK(StretchesOf(span, {.from_s = 10}).status());
  EXPECT_THAT(StretchesOf(span, {.from_s = 10.1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("10.000 s long")));
  EXPECT_THAT(StretchesOf(span, {.from_s = 3, .until_s = 3}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("leave nothing")));
  EXPECT_OK(StretchesOf(span, {.every_s = 0.001}).status());
  EXPECT_THAT(StretchesOf(span, {.every_s = 0.0009}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 10000")));
}

TEST(ScenarioClipsTest, ARecordingIsCalledByItsName) {
  for (const char* path : {"run7", "bags/run7", "bags/run7/", "run7.mcap", "/x/run7.mcap.zstd",
                           "run7.db3", "run7.ulg", "./a/../run7.db3.zst"}) {
    EXPECT_EQ(RecordingName(path), "run7") << path;
  }
  EXPECT_EQ(RecordingName("rosbag2_2024.05.01"), "rosbag2_2024.05.01");
}

}  // namespace
