#include <fstream>
#include <sstream>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/shard.h"
#include "tests/gatekeeper/gates/suite_fixture.h"

// Evidence gathered in parts and judged in one place.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

TEST(PartTest, IsWrittenAsNumberOfCount) {
  ASSERT_OK_AND_ASSIGN(const Part part, Part::Parse("2/3"));
  EXPECT_FALSE(part.Has(0));
  EXPECT_TRUE(part.Has(1));
  EXPECT_TRUE(part.Has(4));
  EXPECT_OK(Part::Parse("10000/10000").status());
  for (const char* wrong : {"", "1", "0/3", "4/3", "1/0", "1/10001", "a/3", "1/b", "-1/3"})
    EXPECT_THAT(Part::Parse(wrong).status(),
                tests::StatusIs(absl::StatusCode::kInvalidArgument, testing::_))
        << wrong;
}

class ShardTest : public SuiteFixture {
 protected:
  ShardTest() { RecordDrives(5); }

  std::string File(int number, int count) const {
    return folder_ / absl::StrFormat("%d-of-%d.shard", number, count);
  }
  std::vector<std::string> RunShards(const bundle::UngatedUnit& unit, int count,
                                     const SuiteInput& input) {
    std::vector<std::string> files;
    for (int number = 1; number <= count; ++number) {
      files.push_back(File(number, count));
      const auto run =
          RunShard(unit, input,
                   {.number = static_cast<uint32_t>(number), .count = static_cast<uint32_t>(count)},
                   files.back());
      EXPECT_OK(run.status());
    }
    return files;
  }
};

TEST_F(ShardTest, OneTwoThreeAndMoreShardsThanScenariosMergeToTheReportOfOneRun) {
  ASSERT_OK_AND_ASSIGN(const auto unit, MakeUnit("unit", 0.3F));
  ASSERT_OK_AND_ASSIGN(const auto deployed, MakeUnit("deployed", 0));
  SuiteInput input = Input();
  input.against = deployed.folder();
  input.cache_folder = folder_ / "cache";  // one run's work is enough for a test
  ASSERT_OK_AND_ASSIGN(const GateRun whole, RunSuite(unit, input));
  EXPECT_EQ(whole.report.outcome(), v1::FAIL);
  for (const int count : {1, 2, 3, 7}) {
    const auto files = RunShards(unit, count, input);
    SuiteInput merging = Input();
    merging.against = deployed.folder();
    merging.library_path = "/nowhere";  // a merge runs no model
    ASSERT_OK_AND_ASSIGN(const GateRun merged, MergeShards(unit, merging, files));
    EXPECT_EQ(merged.report.replays().shards(), static_cast<uint32_t>(count));
    EXPECT_EQ(Comparable(merged.report), Comparable(whole.report)) << count;
  }
}

TEST_F(ShardTest, AllClipsOfADriveLieInOneShard) {
  for (const char* drive : {"drive0", "drive1", "drive3"}) {
    std::ofstream(folder_ / absl::StrFormat("scenarios/%s.yaml", drive), std::ios::app)
        << "origin: {file: bags/run7, sha256: " << std::string(64, 'a') << "}\n";
  }
  ASSERT_OK_AND_ASSIGN(const auto unit, MakeUnit("unit", 0.3F));
  ASSERT_OK_AND_ASSIGN(const GateRun whole, RunSuite(unit, Input()));
  const auto files = RunShards(unit, 3, Input());
  ASSERT_OK_AND_ASSIGN(const GateRun merged, MergeShards(unit, Input(), files));
  EXPECT_EQ(Comparable(merged.report), Comparable(whole.report));
  std::vector<int> scenarios;
  for (const std::string& path : files) {
    ASSERT_OK_AND_ASSIGN(const ShardFile file, ShardFile::Open(path));
    scenarios.push_back(file.index().scenarios_size());
  }
  EXPECT_THAT(scenarios, testing::ElementsAre(3, 1, 1)) << "the drive, drive2, drive4";
}

TEST_F(ShardTest, AGoodUnitGetsItsPassFromShardsMadeByThemselves) {
  suite_ = tests::SuiteYaml();
  tests::RecordScenario(folder_ / "scenarios", "drive5",
                        {.seconds = 4, .number = 5, .dusty_from_s = 2, .without = {}});
  ASSERT_OK_AND_ASSIGN(const auto unit, MakeUnit("unit", 0));
  const auto files = RunShards(unit, 2, Input());
  ASSERT_OK_AND_ASSIGN(const GateRun merged, MergeShards(unit, Input(), files));
  EXPECT_EQ(merged.report.outcome(), v1::PASS) << merged.report.DebugString();
  ASSERT_TRUE(merged.pass.has_value());
  EXPECT_EQ(merged.pass->digest(), unit.digest());
  EXPECT_EQ(merged.report.replays().reused(), 0u);
  EXPECT_GT(merged.report.replays().run(), 12u);
}

TEST_F(ShardTest, ABrokenRecordingIsToldByTheMergeAsByOneRun) {
  suite_ = tests::SuiteYaml();
  std::ofstream(folder_ / "scenarios/drive3.mcap", std::ios::app) << "x";
  ASSERT_OK_AND_ASSIGN(const auto unit, MakeUnit("unit", 0));
  ASSERT_OK_AND_ASSIGN(const GateRun whole, RunSuite(unit, Input()));
  ASSERT_OK_AND_ASSIGN(const GateRun merged,
                       MergeShards(unit, Input(), RunShards(unit, 2, Input())));
  EXPECT_EQ(Gate(merged.report, "integrity").outcome(), v1::FAIL);
  EXPECT_EQ(Comparable(merged.report), Comparable(whole.report));
}

TEST_F(ShardTest, AModelThatDoesNotLoadIsToldByTheMergeAsByOneRun) {
  suite_ = tests::SuiteYaml();
  tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(0.5F, 0), tests::PolicyYaml(),
                   R"({"schema": "golden/1", "numerics_key": "k", "cases": []})");
  ASSERT_OK_AND_ASSIGN(const auto unit, bundle::UngatedUnit::Open(folder_ / "unit"));
  ASSERT_OK_AND_ASSIGN(const GateRun whole, RunSuite(unit, Input()));
  ASSERT_EQ(Gate(whole.report, "integrity").outcome(), v1::FAIL);
  ASSERT_OK_AND_ASSIGN(const GateRun merged,
                       MergeShards(unit, Input(), RunShards(unit, 2, Input())));
  EXPECT_EQ(Comparable(merged.report), Comparable(whole.report));
}

class RefusedShardsTest : public ShardTest {
 protected:
  RefusedShardsTest() {
    suite_ = tests::SuiteYaml();
    auto unit = MakeUnit("unit", 0);
    EXPECT_OK(unit.status());
    unit_.emplace(*std::move(unit));
    files_ = RunShards(*unit_, 3, Input());
  }
  absl::Status Merge(const std::vector<std::string>& files) {
    return MergeShards(*unit_, Input(), files).status();
  }

  std::optional<bundle::UngatedUnit> unit_;
  std::vector<std::string> files_;
};

TEST_F(RefusedShardsTest, MissingDoubleAndForeignOnesAreNamed) {
  EXPECT_OK(Merge({files_[2], files_[0], files_[1]}));  // in any order
  EXPECT_THAT(Merge({files_[0], files_[2]}),
              tests::StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("1 of 3 shards are missing: 2/3")));
  EXPECT_THAT(
      Merge({files_[0], files_[1], files_[1], files_[2]}),
      tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("shard 2/3 is there twice")));
  const auto two = RunShards(*unit_, 2, Input());
  EXPECT_THAT(Merge({files_[0], two[1], files_[2]}),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("of two runs")));
}

TEST_F(RefusedShardsTest, OfAnotherUnitSuiteOrLibrary) {
  ASSERT_OK_AND_ASSIGN(const auto other, MakeUnit("other", 0.1F));
  EXPECT_THAT(MergeShards(other, Input(), files_).status(),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another unit")));
  ASSERT_OK(RunShard(other, Input(), {.number = 2, .count = 3}, folder_ / "other.shard").status());
  EXPECT_THAT(Merge({files_[0], folder_ / "other.shard", files_[2]}),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("their unit differs")));

  suite_ += "# easier\n";
  EXPECT_THAT(Merge(files_),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another suite")));
  suite_ = tests::SuiteYaml();
  tests::RecordScenario(folder_ / "scenarios", "drive9", {.seconds = 2, .without = {}});
  EXPECT_THAT(Merge(files_), tests::StatusIs(absl::StatusCode::kInvalidArgument,
                                             HasSubstr("another scenario library")));
}

TEST_F(RefusedShardsTest, CutOffAnywhereOrChangedAnywhere) {
  std::ifstream in(files_[1], std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const std::string bytes = text.str();
  const std::string bad = folder_ / "bad.shard";
  for (size_t i = 0; i < 40; ++i) {
    const size_t at = bytes.size() * i / 40;
    std::ofstream(bad, std::ios::binary | std::ios::trunc) << bytes.substr(0, at);
    EXPECT_THAT(ShardFile::Open(bad).status(),
                tests::StatusIs(absl::StatusCode::kDataLoss, testing::_))
        << at;
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    std::ofstream(bad, std::ios::binary | std::ios::trunc) << changed;
    EXPECT_THAT(ShardFile::Open(bad).status(),
                tests::StatusIs(absl::StatusCode::kDataLoss, testing::_))
        << at;
  }
  EXPECT_THAT(Merge({files_[0], bad, files_[2]}),
              tests::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("make that shard again")));
}

TEST_F(RefusedShardsTest, AShardWithoutAResultThatTheWholeRunNeeds) {
  // Whole and well signed for, but one result was left out.
  ASSERT_OK_AND_ASSIGN(const ShardFile file, ShardFile::Open(files_[1]));
  ASSERT_OK_AND_ASSIGN(const auto shard, ShardWriter::Create(folder_ / "less.shard", nullptr));
  v1::ShardIndex index = file.index();
  index.clear_entries();
  ASSERT_OK(shard->Finish(index));
  EXPECT_THAT(Merge({files_[0], folder_ / "less.shard", files_[2]}),
              tests::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("scenario drive1")));
}

TEST_F(RefusedShardsTest, NothingIsCountedAsAnAttempt) {
  const AttemptLog log(folder_ / "attempts.log");
  SuiteInput input = Input();
  input.attempts = &log;
  EXPECT_FALSE(MergeShards(*unit_, input, {files_[0], files_[2]}).ok());
  EXPECT_FALSE(std::filesystem::exists(log.path()));
  ASSERT_OK_AND_ASSIGN(const GateRun merged, MergeShards(*unit_, input, files_));
  EXPECT_EQ(merged.report.plan().attempt(), 1u);
}

}  // namespace
}  // namespace gatekeeper::gates
