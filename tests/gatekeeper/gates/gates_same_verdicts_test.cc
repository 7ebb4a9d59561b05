#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/gates/evidence_maker.h"
#include "tests/gatekeeper/gates/suite_fixture.h"

// The same clip and the same unit give the same verdicts, however often, on however many threads,
// and in a program that holds the robot's code alone.

namespace gatekeeper::gates {
namespace {

class SameVerdictsTest : public SuiteFixture {
 protected:
  static std::string LineOf(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    char line[256] = {};
    if (pipe == nullptr || std::fgets(line, sizeof(line), pipe) == nullptr) line[0] = 0;
    if (pipe != nullptr && pclose(pipe) != 0) return "the program failed";
    return std::string(absl::StripSuffix(line, "\n"));
  }
};

TEST_F(SameVerdictsTest, InFiveRunsOnOneAndManyThreadsAndInTheRobotsOwnCode) {
  RecordDrives(4);
  ASSERT_OK_AND_ASSIGN(const auto unit, MakeUnit("unit", 0.3F));
  ASSERT_OK_AND_ASSIGN(const auto documents, ReadDocuments(unit));
  ASSERT_OK_AND_ASSIGN(const std::string model, unit.Read(agent::trust::kModelFile));
  ASSERT_OK_AND_ASSIGN(const auto runtime,
                       agent::inference::OnnxRuntime::Open(agent::inference::DefaultLibraryPath()));
  ASSERT_OK_AND_ASSIGN(Crew crew, MakeCrew(unit, documents, model, runtime.get(), 4));
  ASSERT_OK_AND_ASSIGN(const auto scenarios, LoadScenarios(folder_ / "scenarios"));
  const std::vector<bool> intact(scenarios.size(), true);
  FarmBooks books;
  ReplayFarm farm(std::move(crew), Crew(), scenarios, intact, 4, books);
  std::vector<ReplayJob> jobs(scenarios.size());
  for (size_t i = 0; i < jobs.size(); ++i) jobs[i].scenario = i;

  const std::vector<Replay> first = farm.Replays(jobs, 1);
  for (int run = 1; run < 5; ++run) {
    const std::vector<Replay> again = farm.Replays(jobs, run % 2 == 0 ? 1 : 4);
    for (size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(again[i].verdicts, first[i].verdicts) << run;
  }
  for (size_t i = 0; i < jobs.size(); ++i) {
    ASSERT_OK(first[i].status);
    EXPECT_GT(first[i].ticks.size(), 70u);
    EXPECT_EQ(LineOf(absl::StrFormat("'%s' '%s' '%s' %s", ROBOT_REPLAY, unit.folder(),
                                     scenarios[i].recording, unit.digest().hex())),
              first[i].verdicts.hex());
    EXPECT_EQ(first[i].verdicts == first[0].verdicts, i == 0);
  }
}

}  // namespace
}  // namespace gatekeeper::gates
