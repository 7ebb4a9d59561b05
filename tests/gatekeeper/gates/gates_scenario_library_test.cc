#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::StatusIs;

constexpr char kHash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string Yaml(const std::string& id, const std::string& recording = "drive.mcap",
                 const std::string& segments = "  - {from_s: 0, to_s: 2, tags: [clear]}\n") {
  return absl::StrFormat("schema: scenario/1\nid: %s\nrecording: %s\nsha256: %s\nsegments:\n%s", id,
                         recording, kHash, segments);
}

class ScenarioLibraryTest : public testing::Test {
 protected:
  void Put(const std::string& name, const std::string& text) {
    const std::filesystem::path path(folder_ / name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  absl::StatusOr<std::vector<Scenario>> Load() { return LoadScenarios(folder_.path()); }

  tests::TempFolder folder_;
};

TEST_F(ScenarioLibraryTest, FindsScenariosInSubfoldersInOrderOfId) {
  Put("b/second.yaml", Yaml("a2", "recordings/x.mcap"));
  Put("first.yml", Yaml("a1"));
  Put("notes.txt", "not a scenario");
  ASSERT_OK_AND_ASSIGN(const auto scenarios, Load());
  ASSERT_EQ(scenarios.size(), 2u);
  EXPECT_EQ(scenarios[0].document.id(), "a1");
  EXPECT_EQ(scenarios[1].recording, folder_ / "b/recordings/x.mcap");
}

TEST_F(ScenarioLibraryTest, LetsOtherDocumentsOfTheProjectLieBesideThem) {
  Put("suite.yaml", "schema: gate_suite/1\nid: x\n");
  Put("one.yaml", Yaml("one"));
  ASSERT_OK_AND_ASSIGN(const auto scenarios, Load());
  EXPECT_EQ(scenarios.size(), 1u);
}

TEST_F(ScenarioLibraryTest, IsEmptyForAnEmptyFolderAndAnErrorForNone) {
  ASSERT_OK_AND_ASSIGN(const auto scenarios, Load());
  EXPECT_TRUE(scenarios.empty());
  EXPECT_THAT(LoadScenarios(folder_ / "absent"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

TEST_F(ScenarioLibraryTest, RefusesAMisspeltSchemaSoThatNoScenarioHides) {
  Put("one.yaml", "schema: scenaro/1\nid: one\n");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("one.yaml")));
}

TEST_F(ScenarioLibraryTest, RefusesTwoScenariosOfOneId) {
  Put("one.yaml", Yaml("same"));
  Put("two.yaml", Yaml("same"));
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr("one.yaml"), HasSubstr("two.yaml"))));
}

struct Hostile {
  std::string yaml;
  const char* told;
};

class HostileScenarioTest : public ScenarioLibraryTest,
                            public testing::WithParamInterface<Hostile> {};

TEST_P(HostileScenarioTest, IsRefusedWithFileAndLine) {
  Put("bad.yaml", GetParam().yaml);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr("bad.yaml:"), HasSubstr(GetParam().told))));
}

INSTANTIATE_TEST_SUITE_P(
    Files, HostileScenarioTest,
    testing::Values(
        Hostile{Yaml("x", "../secret.mcap"), "must not leave"},
        Hostile{Yaml("x", "a/../../secret.mcap"), "must not leave"},
        Hostile{Yaml("x", "/etc/passwd"), "relative"}, Hostile{Yaml("\"../../x\""), "id must have"},
        Hostile{Yaml("\"<script>\""), "id must have"},
        Hostile{Yaml(std::string(300, 'a')), "id must have"},
        Hostile{Yaml("x", "d.mcap", "  - {from_s: 2, to_s: 1, tags: [a]}\n"), "0 <= from_s < to_s"},
        Hostile{Yaml("x", "d.mcap", "  - {from_s: -1, to_s: 1, tags: [a]}\n"),
                "0 <= from_s < to_s"},
        Hostile{Yaml("x", "d.mcap", "  - {from_s: 0, to_s: 1e300, tags: [a]}\n"),
                "0 <= from_s < to_s"},
        Hostile{Yaml("x", "d.mcap", "  - {from_s: 0, to_s: .inf, tags: [a]}\n"),
                "segments[0].to_s"},
        Hostile{Yaml("x", "d.mcap", "  - {from_s: 0, to_s: 1, tags: []}\n"), "at least one tag"},
        Hostile{Yaml("x", "d.mcap", "  - {from_s: 0, to_s: 1, tags: [\"a b\"]}\n"),
                "a tag is made of"},
        Hostile{"schema: scenario/1\nid: x\nrecording: d.mcap\nsha256: 12\n", "64 hex digits"},
        Hostile{Yaml("x") + "threshold: 1\n", "threshold"}, Hostile{Yaml("x") + "id: y\n", "id"}));

TEST_F(ScenarioLibraryTest, FindsARecordingThatIsOnlyNamedByItsDigest) {
  const std::string bytes = "the recording's bytes";
  const std::string digest = agent::trust::Sha256(bytes).hex();
  Put("one.yaml", "schema: scenario/1\nid: one\nsha256: " + digest + "\n");
  Put("elsewhere/other.mcap", "another");
  EXPECT_THAT(LoadScenarios(folder_.path(), folder_ / "elsewhere"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("one.yaml"), HasSubstr(digest), HasSubstr("--recordings"))));

  Put("elsewhere/deep/drive.mcap", bytes);
  ASSERT_OK_AND_ASSIGN(const auto outside, LoadScenarios(folder_.path(), folder_ / "elsewhere"));
  EXPECT_EQ(outside.front().recording, folder_ / "elsewhere/deep/drive.mcap");
  ASSERT_OK_AND_ASSIGN(const auto beside, LoadScenarios(folder_.path()));
  EXPECT_EQ(beside.front().recording, folder_ / "elsewhere/deep/drive.mcap");
}

TEST_F(ScenarioLibraryTest, FindsARecordingThatIsNotWhereItsScenarioSays) {
  const std::string bytes = "the recording's bytes";
  const std::string digest = agent::trust::Sha256(bytes).hex();
  Put("library/one.yaml",
      "schema: scenario/1\nid: one\nrecording: one.mcap\nsha256: " + digest + "\n");
  Put("elsewhere/drive.mcap", bytes);
  const auto recording = [&](const std::string& recordings) {
    const auto scenarios = LoadScenarios(folder_ / "library", recordings);
    return scenarios.ok() ? scenarios->front().recording
                          : std::string(scenarios.status().message());
  };
  EXPECT_EQ(recording(folder_ / "elsewhere"), folder_ / "elsewhere/drive.mcap");
  // Whether it is missed is for who reads it to say: a merge reads none.
  EXPECT_EQ(recording(""), folder_ / "library/one.mcap");
  EXPECT_EQ(recording(folder_ / "absent"), folder_ / "library/one.mcap");
  Put("library/one.mcap", "another");
  EXPECT_EQ(recording(folder_ / "elsewhere"), folder_ / "library/one.mcap");
}

TEST_F(ScenarioLibraryTest, AFolderMayBeCalledOtherwise) {
  Put("scratch/hall/one.yaml", Yaml("one"));
  ASSERT_OK_AND_ASSIGN(const auto scenarios, LoadScenarios(folder_ / "scratch", "", "library"));
  EXPECT_EQ(scenarios.front().file, "library/hall/one.yaml");
  EXPECT_EQ(scenarios.front().recording, folder_ / "scratch/hall/drive.mcap");
  Put("scratch/two.yaml", Yaml("two") + "threshold: 1\n");
  EXPECT_THAT(LoadScenarios(folder_ / "scratch", "", "library"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("library/two.yaml:"), Not(HasSubstr("scratch")))));
}

TEST_F(ScenarioLibraryTest, AFileThatOnlyBearsTheDigestInItsNameIsNotTheRecording) {
  const std::string digest = agent::trust::Sha256("right").hex();
  Put("one.yaml", "schema: scenario/1\nid: one\nsha256: " + digest + "\n");
  Put(digest + ".mcap", "wrong");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, HasSubstr(digest)));
  Put("z.mcap", "right");
  ASSERT_OK_AND_ASSIGN(const auto scenarios, Load());
  EXPECT_EQ(scenarios.front().recording, folder_ / "z.mcap");
}

TEST_F(ScenarioLibraryTest, SurvivesEveryTruncationAndAFlipOfEveryByte) {
  const std::string good = Yaml("x");
  for (size_t i = 0; i < good.size(); ++i) {
    Put("one.yaml", good.substr(0, i));
    const auto cut = Load();
    EXPECT_TRUE(!cut.ok() || cut->size() <= 1);
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    Put("one.yaml", flipped);
    const auto other = Load();
    EXPECT_TRUE(!other.ok() || other->size() <= 1);
  }
}

TEST_F(ScenarioLibraryTest, RefusesAnOversizedFileBeforeReadingIt) {
  Put("big.yaml", std::string(1'000'000, '#'));
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("big.yaml")));
}

TEST(SegmentTest, HoldsItsStartButNotItsEnd) {
  v1::Scenario scenario;
  v1::Segment& segment = *scenario.add_segments();
  segment.set_from_s(1);
  segment.set_to_s(2);
  segment.add_tags("dusty");
  segment.add_tags("narrow");
  EXPECT_FALSE(InSegment(scenario, 0.999, "dusty"));
  EXPECT_TRUE(InSegment(scenario, 1, "dusty"));
  EXPECT_FALSE(InSegment(scenario, 2, "dusty"));
  EXPECT_FALSE(InSegment(scenario, 1.5, "clear"));
  EXPECT_EQ(TagsAt(scenario, 1.5), "dusty,narrow");
}

}  // namespace
}  // namespace gatekeeper::gates
