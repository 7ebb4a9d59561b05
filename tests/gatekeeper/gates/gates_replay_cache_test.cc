#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "agent/trust/hash.h"
#include "gatekeeper/gates/replay_cache.h"
#include "tests/gatekeeper/gates/suite_fixture.h"

// Results that are taken over: what may be believed, and what a run says of it.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

ResultKey Key(const std::string& variant) {
  return {.unit = agent::trust::Sha256("unit"),
          .scenario = agent::trust::Sha256("scenario"),
          .engine = "engine 1",
          .program = agent::trust::Sha256("program"),
          .variant = variant,
          .run = 0};
}

std::vector<std::filesystem::path> FilesBelow(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

std::string Slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void Spill(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class KeptReplayTest : public testing::Test {
 protected:
  KeptReplayTest()
      : scenario_(tests::RecordScenario(folder_.path(), "drive", {.seconds = 2, .without = {}})),
        bench_(tests::MakeBench(tests::GoodDriver)),
        replay_(RunReplay(scenario_, *bench_)) {}

  tests::TempFolder folder_;
  Scenario scenario_;
  std::unique_ptr<TestBench> bench_;
  Replay replay_;
};

TEST_F(KeptReplayTest, ComesBackWhole) {
  ASSERT_OK(replay_.status);
  ASSERT_FALSE(replay_.frames.empty());
  ASSERT_OK_AND_ASSIGN(const std::string bytes, SealResult(Key("as recorded"), Pack(replay_)));
  ASSERT_OK_AND_ASSIGN(const v1::KeptResult kept, OpenResult(Key("as recorded"), bytes));
  Replay back;
  ASSERT_OK(Unpack(kept, scenario_, back));
  EXPECT_EQ(back.id(), "drive");
  EXPECT_EQ(back.verdicts, replay_.verdicts);
  EXPECT_EQ(back.first_ns, replay_.first_ns);
  EXPECT_EQ(back.channels, replay_.channels);
  // And again: what came back gives the same bytes, so nothing was lost on the way.
  EXPECT_EQ(Pack(back).SerializeAsString(), Pack(replay_).SerializeAsString());
  EXPECT_EQ(back.frames.size(), replay_.frames.size());
  EXPECT_EQ(back.frames.back().took, replay_.frames.back().took);
}

TEST_F(KeptReplayTest, IsNotBelievedUnderAnotherJobsKey) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes, SealResult(Key("as recorded"), Pack(replay_)));
  EXPECT_THAT(OpenResult(Key("drop:scan"), bytes).status(),
              tests::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("another job")));
  ResultKey other = Key("as recorded");
  other.run = 1;
  EXPECT_THAT(OpenResult(other, bytes).status(),
              tests::StatusIs(absl::StatusCode::kDataLoss, testing::_));
}

TEST_F(KeptReplayTest, IsNotBelievedWithAnyByteChangedOrMissing) {
  replay_.ticks.resize(3);
  replay_.motion_clearance_m.resize(3);
  replay_.measured.resize(3);
  replay_.frames.clear();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, SealResult(Key("x"), Pack(replay_)));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_FALSE(OpenResult(Key("x"), changed).ok()) << i;
    EXPECT_FALSE(OpenResult(Key("x"), bytes.substr(0, i)).ok()) << i;
  }
}

TEST_F(KeptReplayTest, IsNotBelievedWhenItsTicksGiveAnotherVerdictStream) {
  replay_.ticks[5].set_enforced(0, 9);
  Replay back;
  EXPECT_THAT(Unpack(Pack(replay_), scenario_, back),
              tests::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("verdict stream")));
}

TEST_F(KeptReplayTest, IsNotBelievedWhenItsPartsDifferInNumber) {
  replay_.measured.pop_back();
  Replay back;
  EXPECT_THAT(Unpack(Pack(replay_), scenario_, back),
              tests::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("measured poses")));
}

TEST(ReplayCacheTest, IsRefusedWhereOthersMayWrite) {
  const tests::TempFolder folder;
  ASSERT_OK(ReplayCache::Open(folder / "cache").status());
  ASSERT_EQ(chmod((folder / "cache").c_str(), 0770), 0);
  EXPECT_THAT(ReplayCache::Open(folder / "cache").status(),
              tests::StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("chmod go-w")));
}

v1::KeptResult Drive(const std::string& scenario, size_t size) {
  v1::KeptResult result;
  result.mutable_drive()->set_scenario(scenario);
  for (size_t i = 0; i < size; ++i)
    result.mutable_drive()->add_x_m(std::sin(static_cast<double>(i * i)));
  return result;
}

TEST(ReplayCacheTest, ManyWritersOfTheSameResultsLeaveWholeOnes) {
  const tests::TempFolder folder;
  const auto work = [&](size_t first) {
    auto cache = ReplayCache::Open(folder / "cache");
    ASSERT_OK(cache.status());
    for (size_t i = 0; i < 20; ++i) {
      const size_t n = (first + i) % 20;
      (*cache)->Keep(Key(std::to_string(n)), Drive(std::to_string(n), 100 + n));
      const auto found = (*cache)->Find(Key(std::to_string(n)));
      ASSERT_TRUE(found.has_value());
      EXPECT_EQ(found->drive().x_m_size(), static_cast<int>(100 + n));
    }
    EXPECT_OK((*cache)->trouble());
  };
  {
    std::vector<std::jthread> writers;
    for (size_t i = 0; i < 4; ++i) writers.emplace_back(work, i * 5);
  }
  EXPECT_EQ(FilesBelow(folder / "cache").size(), 20u);  // and no temporary file
}

TEST(ReplayCacheTest, PruningTakesWhatWasLongestNotUsed) {
  const tests::TempFolder folder;
  ASSERT_OK_AND_ASSIGN(const auto cache, ReplayCache::Open(folder / "cache"));
  for (int i = 0; i < 4; ++i) cache->Keep(Key(std::to_string(i)), Drive("d", 1000));
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const auto& file : FilesBelow(folder / "cache"))
    std::filesystem::last_write_time(file, now - std::chrono::hours(24));
  Spill(folder / "cache/README", "not a result");
  ASSERT_TRUE(cache->Find(Key("2")).has_value());  // used today

  ASSERT_OK_AND_ASSIGN(const CacheSize all, PruneCache(folder / "cache", UINT64_MAX));
  EXPECT_EQ(all.results, 4u);
  EXPECT_EQ(all.removed, 0u);
  ASSERT_OK_AND_ASSIGN(const CacheSize one, PruneCache(folder / "cache", all.bytes / 4 + 1));
  EXPECT_EQ(one.results, 1u);
  EXPECT_EQ(one.removed, 3u);
  EXPECT_TRUE(cache->Find(Key("2")).has_value());
  EXPECT_FALSE(cache->Find(Key("1")).has_value());
  EXPECT_EQ(Slurp(folder / "cache/README"), "not a result");
}

class CachedRunTest : public SuiteFixture {
 protected:
  CachedRunTest() { RecordDrives(3); }
  absl::StatusOr<GateRun> Run(float dust_gain = 0) {
    auto unit = MakeUnit("unit", dust_gain);
    if (!unit.ok()) return unit.status();
    SuiteInput input = Input();
    input.cache_folder = folder_ / "cache";
    return RunSuite(*unit, input);
  }
};

TEST_F(CachedRunTest, ASecondRunTakesEverythingOverButOneLookAndSaysSo) {
  ASSERT_OK_AND_ASSIGN(const GateRun first, Run());
  ASSERT_OK_AND_ASSIGN(const GateRun second, Run());
  // Of the repeated runs one in twenty clips is really run again, here one of three.
  EXPECT_EQ(first.report.replays().reused(), 0u);
  EXPECT_EQ(second.report.replays().run(), 1u);
  EXPECT_EQ(second.report.replays().run() + second.report.replays().reused(),
            first.report.replays().run());
  EXPECT_EQ(Comparable(first.report), Comparable(second.report));
  // What was measured is told as it was measured.
  EXPECT_EQ(Gate(first.report, "latency").DebugString(),
            Gate(second.report, "latency").DebugString());
}

TEST_F(CachedRunTest, AnotherModelOrRecordingTakesNothingOverFromThem) {
  ASSERT_OK_AND_ASSIGN(const GateRun first, Run());
  ASSERT_OK_AND_ASSIGN(const GateRun worse, Run(0.3F));
  EXPECT_EQ(worse.report.replays().reused(), 0u);
  EXPECT_LT(worse.report.mean_score(), 0.9 * first.report.mean_score());
  tests::RecordScenario(folder_ / "scenarios", "drive0",
                        {.seconds = 4, .number = 9, .dusty_from_s = 2, .without = {}});
  ASSERT_OK_AND_ASSIGN(const GateRun changed, Run());
  EXPECT_GE(changed.report.replays().run(), first.report.replays().run() / 3);
  EXPECT_GT(changed.report.replays().reused(), 0u);
}

TEST_F(CachedRunTest, DamagedResultsAreMadeAnew) {
  ASSERT_OK_AND_ASSIGN(const GateRun first, Run());
  const auto files = FilesBelow(folder_ / "cache");
  ASSERT_GT(files.size(), 10u);
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string bytes = Slurp(files[i]);
    // Cut off; a bit changed; empty; another job's.
    const std::string damaged[] = {bytes.substr(0, bytes.size() / 2), bytes + "x", "",
                                   Slurp(files[(i + 1) % files.size()])};
    Spill(files[i], damaged[i % 4]);
  }
  ASSERT_OK_AND_ASSIGN(const GateRun second, Run());
  EXPECT_EQ(second.report.replays().reused(), 0u);
  EXPECT_EQ(Comparable(first.report), Comparable(second.report));
  ASSERT_OK_AND_ASSIGN(const GateRun third, Run());
  EXPECT_EQ(third.report.replays().run(), 1u);
}

TEST_F(CachedRunTest, AStreamThatSomebodyPutThereIsFoundOutByTheOtherRuns) {
  ASSERT_OK_AND_ASSIGN(const GateRun first, Run());
  ASSERT_EQ(Gate(first.report, "determinism").outcome(), v1::PASS);
  // The results of a unit that drives otherwise, under this unit's keys: run 0 of every clip.
  SuiteInput input = Input();
  ASSERT_OK_AND_ASSIGN(const auto unit, bundle::UngatedUnit::Open(folder_ / "unit"));
  ASSERT_OK_AND_ASSIGN(const auto scenarios, LoadScenarios(folder_ / "scenarios"));
  ASSERT_OK_AND_ASSIGN(const auto cache, ReplayCache::Open(folder_ / "cache"));
  ASSERT_OK_AND_ASSIGN(const auto program, ProgramDigest());
  const auto other = tests::MakeBench([](double, double, double) { return std::pair(0.2, 0.0); });
  for (const Scenario& scenario : scenarios) {
    cache->Keep({.unit = unit.digest(),
                 .scenario = scenario.sha256,
                 .engine = first.report.engine(),
                 .program = program,
                 .variant = Text(Fault()) + ", timed",
                 .run = 0},
                Pack(RunReplay(scenario, *other)));
  }
  ASSERT_OK_AND_ASSIGN(const GateRun second, Run());
  EXPECT_EQ(Gate(second.report, "determinism").outcome(), v1::FAIL);
}

}  // namespace
}  // namespace gatekeeper::gates
