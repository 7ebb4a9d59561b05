#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "gatekeeper/sim/wire_writer.h"
#include "tests/agent/worker/started_worker.h"
#include "tests/support/hostile_models.h"
#include "tests/support/status_matchers.h"

// Every hostile file goes to a worker of its own while another one serves: the file is refused by
// name or contained, and the live unit answers each frame with its own numbers.

namespace agent::worker {
namespace {

using base::RunOutcome;
using std::chrono::milliseconds;
using testing::HasSubstr;
using tests::HostileModel;
using tests::StartedWorker;
using tests::TreacherousModel;

// Less than a model may have, so that a bomb meets it soon; more than the largest good one needs.
StartedWorker::Options Limited() {
  return {.golden = {}, .more = {"--memory-mib", "1024", "--load-cpu-s", "3"}};
}

// The unit that drives meanwhile.
class LiveUnit {
 public:
  LiveUnit() : worker_(tests::LinearPolicy()) { EXPECT_EQ(worker_.Load(), "ready"); }

  // One frame, and whether it was answered with this unit's own number.
  void Frame() {
    const auto goal = static_cast<float>(++frames_ % 1'000);
    std::ranges::copy(std::vector<float>{1, 2, 3}, worker_.channel().input(0).begin());
    worker_.channel().input(1)[0] = goal;
    const bool right =
        worker_.Ask() == RunOutcome::kDone && worker_.channel().output(0)[0] == 3.0F + 2.0F * goal;
    wrong_ += right ? 0 : 1;
  }
  int frames() const { return frames_; }
  int wrong() const { return wrong_; }

 private:
  StartedWorker worker_;
  int frames_ = 0;
  int wrong_ = 0;
};

class HostileTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { live_ = new LiveUnit; }
  static void TearDownTestSuite() { delete live_; }
  ~HostileTest() override {
    if (!IsSkipped()) {
      EXPECT_GT(live_->frames(), frames_before_);
    }
    EXPECT_EQ(live_->wrong(), 0);
  }

  // Until it is ready or gone, the live unit working on.
  static std::string LoadBeside(StartedWorker& worker) {
    do {
      live_->Frame();
    } while (!worker.LoadedOrGone());
    return worker.Ready() ? "ready" : worker.channel().text();
  }
  static RunOutcome AskBeside(StartedWorker& worker, float x, base::Nanos patience) {
    worker.channel().input(0)[0] = x;
    const uint32_t sequence = worker.channel().Post();
    const base::Nanos until = base::SystemClock().Now() + patience;
    RunOutcome outcome = RunOutcome::kDeadlineMissed;
    while (outcome == RunOutcome::kDeadlineMissed && base::SystemClock().Now() < until) {
      live_->Frame();
      (void)worker.Ended();
      outcome = worker.channel().WaitAnswer(sequence, base::SystemClock().Now() + milliseconds(2));
    }
    return outcome;
  }

  static LiveUnit* live_;
  const int frames_before_ = live_->frames();
};
LiveUnit* HostileTest::live_ = nullptr;

class RefusedTest : public HostileTest, public testing::WithParamInterface<HostileModel> {};

TEST_P(RefusedTest, HasANamedReason) {
  StartedWorker worker(GetParam().model, Limited());
  const std::string said = LoadBeside(worker);
  EXPECT_THAT(said, HasSubstr("refused before loading"));
  EXPECT_THAT(said, HasSubstr(GetParam().says));
  const int status = worker.WaitForExit();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
}

INSTANTIATE_TEST_SUITE_P(Scan, RefusedTest, testing::ValuesIn(tests::ModelsTheScanRefuses()),
                         [](const auto& info) { return info.param.name; });

class NotLoadedTest : public HostileTest, public testing::WithParamInterface<HostileModel> {};

TEST_P(NotLoadedTest, EndsInItsOwnProcess) {
  const bool bomb = GetParam().name.starts_with("Folds");
  if (bomb && agent::base::kSanitized) GTEST_SKIP() << "no memory cap under a sanitizer";
  StartedWorker worker(GetParam().model, Limited());
  const std::string said = LoadBeside(worker);
  EXPECT_NE(said, "ready");
  EXPECT_THAT(said, HasSubstr(GetParam().says));
  // By its own report, or by the kernel when its processor time was up.
  const int status = worker.WaitForExit();
  EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 1) ||
              (bomb && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
      << status << " " << said;
}

INSTANTIATE_TEST_SUITE_P(Each, NotLoadedTest, testing::ValuesIn(tests::ModelsThatDoNotLoad()),
                         [](const auto& info) { return info.param.name; });

class ContainedTest : public HostileTest, public testing::WithParamInterface<TreacherousModel> {};

TEST_P(ContainedTest, NeverAnswersWhatItWasProvokedTo) {
  if (GetParam().name == "Hangs" && agent::base::kSanitized) {
    GTEST_SKIP() << "a sanitizer's load alone takes the processor time it may have";
  }
  StartedWorker worker(GetParam().model, Limited());
  ASSERT_EQ(LoadBeside(worker), "ready") << worker.channel().text();
  ASSERT_EQ(AskBeside(worker, GetParam().harmless, tests::kPatience), RunOutcome::kDone);

  const RunOutcome outcome = AskBeside(worker, GetParam().provoking, milliseconds(500));

  // Failed, late or dead: in each case the robot gets the fallback's command.
  EXPECT_NE(outcome, RunOutcome::kDone);
}

INSTANTIATE_TEST_SUITE_P(Each, ContainedTest,
                         testing::ValuesIn(tests::ModelsThatTurnWhileServing()),
                         [](const auto& info) { return info.param.name; });

TEST_F(HostileTest, NanWeightsRunAndOnlyGoldenAnswersStopThem) {
  tests::TestModel model = tests::LinearPolicy();
  std::string bias;
  gatekeeper::sim::WireWriter::AppendFloat(bias, 0.5F);
  std::string nan;
  gatekeeper::sim::WireWriter::AppendFloat(nan, std::nanf(""));
  const size_t at = model.onnx.rfind(bias);
  ASSERT_NE(at, std::string::npos);
  model.onnx.replace(at, nan.size(), nan);
  {
    StartedWorker worker(model, Limited());
    ASSERT_EQ(LoadBeside(worker), "ready");
    ASSERT_EQ(worker.Ask(), RunOutcome::kDone);
    EXPECT_TRUE(std::isnan(worker.channel().output(0)[0]));  // what the controller rejects
  }
  const std::string golden =
      R"({"schema":"golden/1","numerics_key":"other","abs_tolerance":1,"rel_tolerance":1,)"
      R"("inputs":["scan","goal"],"outputs":["command"],)"
      R"("cases":[{"inputs":[[0,0,0],[0]],"outputs":[[0.5,-1]]}]})";
  StartedWorker worker(model, {.golden = golden, .more = {}});
  EXPECT_THAT(LoadBeside(worker), HasSubstr("cases[0] output 'command'[0] is nan"));
}

}  // namespace
}  // namespace agent::worker
