#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/sealed_memory.h"
#include "agent/base/worker_channel.h"
#include "agent/inference/golden.h"
#include "agent/inference/onnx_runtime.h"
#include "gatekeeper/sim/wire_writer.h"
#include "tests/agent/worker/started_worker.h"
#include "tests/support/onnx_models.h"
#include "tests/support/status_matchers.h"

namespace agent::worker {
namespace {

using base::RunOutcome;
using base::WorkerState;
using testing::AllOf;
using testing::HasSubstr;
using Worker = tests::StartedWorker;

std::map<std::string, std::string> ProcStatus(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::map<std::string, std::string> status;
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(":\t");
    if (colon != std::string::npos) status[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return status;
}

TEST(WorkerProcessTest, AnswersWithTheModelsNumbers) {
  Worker worker(tests::LinearPolicy());
  ASSERT_EQ(worker.Load(), "ready");
  EXPECT_THAT(worker.channel().text(),
              AllOf(HasSubstr("onnxruntime 1."), HasSubstr("; no golden answers")));
  for (const float goal : {4.0F, 8.0F}) {
    std::ranges::copy(std::vector<float>{1, 2, 3}, worker.channel().input(0).begin());
    worker.channel().input(1)[0] = goal;

    ASSERT_EQ(worker.Ask(), RunOutcome::kDone);

    EXPECT_EQ(worker.channel().output(0)[0], 3.0F + 2 * goal);
    EXPECT_EQ(worker.channel().output(0)[1], -0.5F + 0.25F * goal);
  }
}

TEST(WorkerProcessTest, IsSandboxedWhenItSaysItIsReady) {
  const int unrelated = dup(STDIN_FILENO);  // not close-on-exec: leaks into the child
  Worker worker(tests::LinearPolicy());
  ASSERT_EQ(worker.Load(), "ready");

  const auto status = ProcStatus(worker.pid());
  EXPECT_EQ(status.at("NoNewPrivs"), "1");
  if (!agent::base::kSanitized) {
    EXPECT_EQ(status.at("Seccomp"), "2");
    EXPECT_EQ(status.at("Threads"), "1");
  }

  namespace fs = std::filesystem;
  const fs::path proc = "/proc/" + std::to_string(worker.pid());
  for (const fs::directory_entry& fd : fs::directory_iterator(proc / "fd")) {
    EXPECT_LE(std::stoi(fd.path().filename()), STDERR_FILENO) << fs::read_symlink(fd.path());
  }
  std::ifstream file(proc / "limits");
  const std::string limits((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(limits, testing::ContainsRegex("Max core file size +0 +0"));
  EXPECT_THAT(limits, testing::ContainsRegex("Max file size +0 +0"));
  EXPECT_THAT(limits, testing::ContainsRegex("Max open files +64 +64"));
  if (!agent::base::kSanitized) {
    EXPECT_THAT(limits, testing::ContainsRegex("Max address space +4294967296"));
  }
  close(unrelated);
}

TEST(WorkerProcessTest, ServesOnAfterARunThatFailed) {
  Worker worker(tests::TableLookup());
  ASSERT_EQ(worker.Load(), "ready");
  worker.channel().input(0)[0] = 100;
  EXPECT_EQ(worker.Ask(), RunOutcome::kFailed);

  worker.channel().input(0)[0] = 1;
  EXPECT_EQ(worker.Ask(), RunOutcome::kDone);
  EXPECT_EQ(worker.channel().output(0)[0], 20.0F);
}

TEST(WorkerProcessTest, ServesOnAfterAHangAndNeverShowsTheLateAnswer) {
  Worker worker(tests::SlowHalf());
  ASSERT_EQ(worker.Load(), "ready");
  worker.channel().input(0)[0] = 2;
  kill(worker.pid(), SIGSTOP);
  const uint32_t late = worker.channel().Post();
  EXPECT_EQ(worker.channel().WaitAnswer(late, base::SystemClock().Now() + base::Nanos(1'000'000)),
            RunOutcome::kDeadlineMissed);

  kill(worker.pid(), SIGCONT);
  worker.channel().input(0)[0] = 6;
  EXPECT_EQ(worker.Ask(), RunOutcome::kDone);
  EXPECT_EQ(worker.channel().output(0)[0], 3.0F);
}

TEST(WorkerProcessTest, ServesTenThousandRequests) {
  Worker worker(tests::LinearPolicy());
  ASSERT_EQ(worker.Load(), "ready");
  for (int i = 0; i < 10'000; ++i) {
    worker.channel().input(1)[0] = static_cast<float>(i);
    ASSERT_EQ(worker.Ask(), RunOutcome::kDone);
    ASSERT_EQ(worker.channel().output(0)[0], 0.5F + 2.0F * static_cast<float>(i));
  }
}

TEST(WorkerProcessTest, KilledInMidServiceIsReportedAtOnce) {
  Worker worker(tests::LinearPolicy());
  ASSERT_EQ(worker.Load(), "ready");
  ASSERT_EQ(worker.Ask(), RunOutcome::kDone);

  kill(worker.pid(), SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(worker.WaitForExit()));
  worker.channel().Abandon();  // what control does when the child's end reaches it

  EXPECT_EQ(worker.Ask(), RunOutcome::kFailed);
}

TEST(WorkerProcessTest, DiesWithTheProcessThatStartedIt) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans come to us, so that their end can be waited for
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    Worker worker(tests::LinearPolicy());
    worker.Load();
    const pid_t pid = worker.pid();
    if (write(report[1], &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    _exit(0);  // without ending the worker
  }
  pid_t orphan = 0;
  ASSERT_EQ(read(report[0], &orphan, sizeof(orphan)), static_cast<ssize_t>(sizeof(orphan)));
  waitpid(parent, nullptr, 0);

  int status = 0;
  ASSERT_EQ(waitpid(orphan, &status, 0), orphan);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

struct Failure {
  const char* name;
  tests::TestModel model;
  std::string library;
  const char* says;
};

class WorkerFailureTest : public testing::TestWithParam<Failure> {};

TEST_P(WorkerFailureTest, IsReportedAsTextAndExitCode) {
  const base::UniqueFd model = *base::SealBytes("model", GetParam().model.onnx);
  Worker worker(model.get(), GetParam().model.signature,
                {.library = GetParam().library, .golden = {}, .more = {}});

  EXPECT_THAT(worker.Load(), HasSubstr(GetParam().says));

  const int status = worker.WaitForExit();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

tests::TestModel WithWrongInput() {
  tests::TestModel model = tests::LinearPolicy();
  model.signature.inputs[0].shape = {1, 5};
  return model;
}

tests::TestModel CutShort() {
  tests::TestModel model = tests::LinearPolicy();
  model.onnx.resize(model.onnx.size() / 2);
  return model;
}

// 16 GiB made out of a file of a few hundred bytes, while loading or at the first run.
tests::TestModel MemoryBomb() {
  const gatekeeper::sim::OnnxGraph graph{
      .inputs = {{"x", {1, 1}}},
      .outputs = {{"out", {1, 1}}},
      .constants = {{"shape", {2}, {65536, 65536}}},
      .nodes = {{"Cast", {"shape"}, {"sizes"}, {{"to", int64_t{7}}}, ""},
                {"Expand", {"x", "sizes"}, {"huge"}, {}, ""},
                {"ReduceMax", {"huge"}, {"out"}, {{"keepdims", int64_t{1}}}, ""}}};
  return {.onnx = WriteOnnx(graph),
          .signature = {.inputs = {{"x", {1, 1}}}, .outputs = {{"out", {1, 1}}}}};
}

std::vector<Failure> Failures() {
  const std::string library = inference::DefaultLibraryPath();
  std::vector<Failure> failures = {
      {"WrongSignature", WithWrongInput(), library, "input 'scan': found float32[1,3]"},
      {"CutShort", CutShort(), library, "refused before loading"},
      {"NoLibrary", tests::LinearPolicy(), "/nowhere/ort.so", "/nowhere/ort.so"},
  };
  if (!agent::base::kSanitized)
    failures.push_back({"MemoryBomb", MemoryBomb(), library, "warm-up run 1"});
  return failures;
}

INSTANTIATE_TEST_SUITE_P(Each, WorkerFailureTest, testing::ValuesIn(Failures()),
                         [](const auto& info) { return std::string(info.param.name); });

std::string GoldenOf(const tests::TestModel& model) {
  const auto runtime = *inference::OnnxRuntime::Open(inference::DefaultLibraryPath());
  const auto loaded = *runtime->Load(model.onnx, model.signature);
  return WriteGolden(*inference::RecordGolden(*loaded, runtime->numerics_key().Text(), 16, 1));
}

TEST(WorkerProcessTest, GivesItsGoldenAnswersBeforeItServes) {
  const tests::TestModel model = tests::LinearPolicy();
  Worker worker(model, {.golden = GoldenOf(model), .more = {}});
  ASSERT_EQ(worker.Load(), "ready");
  EXPECT_THAT(worker.channel().text(), HasSubstr("; 16 golden answers equal bit for bit"));

  std::ranges::copy(std::vector<float>{1, 2, 3}, worker.channel().input(0).begin());
  worker.channel().input(1)[0] = 4;
  EXPECT_EQ(worker.Ask(), RunOutcome::kDone);
  EXPECT_EQ(worker.channel().output(0)[0], 11.0F);
}

TEST(WorkerProcessTest, RefusesAModelWithOneFlippedBitOfOneWeight) {
  tests::TestModel model = tests::LinearPolicy();
  const std::string golden = GoldenOf(model);
  std::string bias;
  gatekeeper::sim::WireWriter::AppendFloat(bias, 0.5F);
  const size_t at = model.onnx.rfind(bias);
  ASSERT_NE(at, std::string::npos);
  model.onnx[at] = static_cast<char>(model.onnx[at] ^ 1);

  Worker worker(model, {.golden = golden, .more = {}});
  EXPECT_THAT(worker.Load(), AllOf(HasSubstr("cases[0] output 'command'[0] is 0.50000006"),
                                   HasSubstr("golden 0.5 (same numerics key")));
}

TEST(WorkerProcessTest, ComparesWithinAToleranceUnderAnotherNumericsKey) {
  const tests::TestModel model = tests::LinearPolicy();
  inference::Golden golden = *inference::ParseGolden(GoldenOf(model));
  golden.numerics_key = "another computer";
  golden.cases[1].outputs[0][1] *= 1.0005F;
  {
    Worker worker(model, {.golden = WriteGolden(golden), .more = {}});
    EXPECT_EQ(worker.Load(), "ready");
    EXPECT_THAT(worker.channel().text(), HasSubstr("within tolerance of another numerics key"));
  }
  golden.cases[1].outputs[0][1] *= 1.01F;
  Worker worker(model, {.golden = WriteGolden(golden), .more = {}});
  EXPECT_THAT(worker.Load(),
              AllOf(HasSubstr("cases[1] output 'command'[1]"), HasSubstr("beyond the tolerance")));
}

TEST(WorkerProcessTest, RefusesGoldenAnswersThatCannotBeAsked) {
  const tests::TestModel model = tests::LinearPolicy();
  {
    Worker worker(model, {.golden = "{}", .more = {}});
    EXPECT_THAT(worker.Load(), HasSubstr("golden.json: wanted exactly"));
  }
  Worker worker(model, {.golden = GoldenOf(tests::SlowHalf()), .more = {}});
  EXPECT_THAT(worker.Load(), HasSubstr("golden.json: it has 1 inputs, the model card binds 2"));
}

TEST(WorkerProcessTest, NeverFallsSilentlyFromADemandedProvider) {
  {
    Worker worker(tests::LinearPolicy(), {.golden = {}, .more = {"--providers", "cuda"}});
    EXPECT_THAT(worker.Load(), AllOf(HasSubstr("EP_UNAVAILABLE: cuda: "),
                                     HasSubstr("libonnxruntime_providers_shared.so")));
  }
  Worker worker(tests::LinearPolicy(), {.golden = {}, .more = {"--providers", "cuda,cpu"}});
  ASSERT_EQ(worker.Load(), "ready");
  EXPECT_THAT(worker.channel().text(),
              AllOf(HasSubstr("ep=cpu"), HasSubstr("; EP_UNAVAILABLE: cuda: ")));
}

TEST(WorkerProcessTest, TakesItsMemoryCapFromTheCommandLine) {
  if (agent::base::kSanitized) GTEST_SKIP() << "a sanitizer's shadow needs more than any cap";
  {
    Worker worker(tests::LinearPolicy(), {.golden = {}, .more = {"--memory-mib", "1024"}});
    ASSERT_EQ(worker.Load(), "ready");
    std::ifstream file("/proc/" + std::to_string(worker.pid()) + "/limits");
    const std::string limits((std::istreambuf_iterator<char>(file)), {});
    EXPECT_THAT(limits, testing::ContainsRegex("Max address space +1073741824"));
  }
  // Too little even for the library.
  Worker worker(tests::LinearPolicy(), {.golden = {}, .more = {"--memory-mib", "32"}});
  EXPECT_NE(worker.Load(), "ready");
}

TEST(WorkerProcessTest, RefusesWrongUsage) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--memory-mib", "0"},
                                             {"--memory-mib", "many"},
                                             {"--load-cpu-s", "0"},
                                             {"--providers", "gpu"},
                                             {"--providers", "cpu,cpu"},
                                             {"--golden-fd", "x"},
                                             {"--unknown", "1"},
                                             {"--library"}}) {
    Worker worker(tests::LinearPolicy(), {.golden = {}, .more = wrong});
    const int status = worker.WaitForExit();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << wrong[0];
  }
}

TEST(WorkerProcessTest, RefusesModelBytesThatCouldStillChange) {
  const tests::TestModel model = tests::LinearPolicy();
  const base::UniqueFd open(memfd_create("model", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(write(open.get(), model.onnx.data(), model.onnx.size()),
            static_cast<ssize_t>(model.onnx.size()));
  Worker worker(open.get(), model.signature, {});
  EXPECT_THAT(worker.Load(), HasSubstr("can still be changed"));
}

}  // namespace
}  // namespace agent::worker
