#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/recording/observation_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// kill -9 of the real program at any moment of a run of the gates: the next run finds nothing half
// done, says what an undisturbed one says, and knows how often it was tried.

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;
using tests::ReadBytes;

constexpr int kMoments = 7;  // at which a run is killed: all over its time

class GateKillTest : public testing::Test {
 protected:
  GateKillTest() {
    fs::create_directories(folder_ / "scenarios");
    for (int i = 0; i < 6; ++i) {
      tests::RecordScenario(folder_ / "scenarios", "drive" + std::to_string(i),
                            {.seconds = 4, .number = i, .dusty_from_s = 2, .without = {}});
    }
    // It is drawn aside by dust, so that there are clips to write.
    tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(0.5F, 0.5F), tests::PolicyYaml());
    tests::WriteSuite(folder_.path(),
                      tests::SuiteYaml() +
                          "fault_matrix: {faults: [], onsets: [0.3], durations_s: [0.2], clips: 1, "
                          "detect_within_ms: 600, safe_within_ms: 2500}\n");
  }

  // Of `gatekeeper gate ...`, `seconds` after its start; the exit code, or -1 when it was killed.
  int Run(const std::vector<std::string>& arguments, double seconds = 1e6) {
    std::vector<std::string> words = {GATEKEEPER, "--home", folder_ / "home", "gate"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string printed = folder_ / "printed";
    const auto started = steady_clock::now();
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      if (freopen(printed.c_str(), "w", stdout) == nullptr || dup2(1, 2) < 0) _exit(99);
      execv(GATEKEEPER, argv.data());
      _exit(99);
    }
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
      if (steady_clock::now() - started > std::chrono::duration<double>(seconds))
        kill(child, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    printed_ = ReadBytes(printed);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::vector<std::string> Whole(const std::string& to) const {
    return {"run",         folder_ / "unit",
            "--suite",     folder_ / "suite.yaml",
            "--cache",     folder_ / ("cache" + to),
            "--clips",     folder_ / ("clips" + to),
            "-o",          "json=" + std::string(folder_ / ("report" + to + ".json")),
            "--scenarios", folder_ / "scenarios"};
  }
  std::vector<std::string> Shard(int number) const {
    return {"run",         folder_ / "unit",
            "--suite",     folder_ / "suite.yaml",
            "--scenarios", folder_ / "scenarios",
            "--shard",     std::to_string(number) + "/2",
            "-o",          "shard=" + std::string(folder_ / "shards/") + std::to_string(number)};
  }

  // How long an undisturbed run takes here.
  double UndisturbedRun() {
    const auto started = steady_clock::now();
    EXPECT_EQ(Run(Whole("0")), 3) << printed_;
    return std::chrono::duration<double>(steady_clock::now() - started).count();
  }

  // What a report says, measured times and places of clips apart.
  json Judged(const std::string& report) const {
    json judged = json::object();
    const json whole = json::parse(ReadBytes(folder_ / report));
    for (const json& gate : whole["gates"]) {
      if (gate["id"] != "latency") judged[gate["id"].get<std::string>()] = gate["summary"];
    }
    return judged;
  }

  size_t Begun() const {
    const std::string log = ReadBytes(folder_ / "home/attempts.log");
    size_t begun = 0;
    for (size_t at = log.find("\"begin\""); at != std::string::npos;
         at = log.find("\"begin\"", at + 1))
      ++begun;
    return begun;
  }

  std::vector<std::string> Names(const std::string& in) const {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(folder_ / in))
      names.push_back(file.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  tests::TempFolder folder_;
  std::string printed_;
};

TEST_F(GateKillTest, ARunKilledAtAnyMomentIsCountedAndLeavesNothingHalfDone) {
  ASSERT_EQ(Run({"--help"}), 0);
  fs::create_directories(folder_ / "home");
  const double whole_s = UndisturbedRun();
  size_t killed = 0;
  for (int i = 1; i <= kMoments; ++i) {
    if (Run(Whole("1"), whole_s * i / (kMoments + 1)) == -1) ++killed;
    std::error_code none;
    for (const auto& file : fs::directory_iterator(folder_ / "clips1", none)) {
      if (file.path().extension() != ".mcap") continue;
      ASSERT_OK_AND_ASSIGN(const auto clip, agent::recording::ObservationReader::Open(file.path()));
      EXPECT_OK(clip.ForEach([](const auto&) { return absl::OkStatus(); }));
    }
  }
  EXPECT_GT(killed, 2U);

  EXPECT_EQ(Run(Whole("1")), 3) << printed_;
  EXPECT_THAT(printed_, Not(HasSubstr("warning")));  // of a cache with half a result in it
  EXPECT_EQ(Judged("report1.json"), Judged("report0.json"));
  EXPECT_EQ(Names("clips1"), Names("clips0"));
  const json plan = json::parse(ReadBytes(folder_ / "report1.json"))["plan"];
  EXPECT_EQ(plan["attempt"].get<size_t>(), Begun());
  EXPECT_EQ(plan["attempts_failed"].get<size_t>(), Begun() - 1);
  EXPECT_GT(Begun(), 2U);
}

TEST_F(GateKillTest, AKilledShardIsNoShardAndTheNextOneClearsItAway) {
  fs::create_directories(folder_ / "home");
  fs::create_directories(folder_ / "shards");
  const double whole_s = UndisturbedRun();
  size_t killed = 0;
  for (int i = 1; i <= kMoments; ++i) {
    if (Run(Shard(1), whole_s / 2 * i / (kMoments + 1)) == -1) ++killed;
    if (fs::exists(folder_ / "shards/1")) fs::remove(folder_ / "shards/1");
    EXPECT_LE(Names("shards").size(), 1U) << "what the kills before left";
  }
  EXPECT_GT(killed, 1U);
  for (int number = 1; number <= 2; ++number) EXPECT_EQ(Run(Shard(number)), 0) << printed_;
  EXPECT_EQ(Names("shards"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(Run({"merge", folder_ / "unit", "--suite", folder_ / "suite.yaml", "--scenarios",
                 folder_ / "scenarios", folder_ / "shards/1", folder_ / "shards/2", "-o",
                 "json=" + std::string(folder_ / "merged.json")}),
            3)
      << printed_;
  EXPECT_EQ(Judged("merged.json"), Judged("report0.json"));
}

}  // namespace
