#include "agent/inference/onnx_runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "agent/trust/hash.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "tests/support/onnx_models.h"
#include "tests/support/status_matchers.h"

namespace agent::inference {
namespace {

using absl::StatusCode;
using base::ModelSignature;
using base::RunOutcome;
using std::chrono_literals::operator""s;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using ::tests::StatusIs;
using tests::TestModel;

class OnnxRuntimeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(runtime_, OnnxRuntime::Open(DefaultLibraryPath())); }

  absl::StatusOr<std::unique_ptr<base::Model>> Load(const TestModel& model) {
    return runtime_->Load(model.onnx, model.signature);
  }

  std::shared_ptr<OnnxRuntime> runtime_;
};

TEST(OnnxRuntimeOpenTest, NamesAMissingLibrary) {
  EXPECT_THAT(OnnxRuntime::Open("/nowhere/libonnxruntime.so.1"),
              StatusIs(StatusCode::kNotFound, AllOf(HasSubstr("/nowhere/libonnxruntime.so.1"),
                                                    HasSubstr("deploy/setup"))));
}

TEST(OnnxRuntimeOpenTest, NamesALibraryThatIsNotOnnxRuntime) {
  EXPECT_THAT(OnnxRuntime::Open("libm.so.6"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no symbol OrtGetApiBase")));
}

TEST(OnnxRuntimeOpenTest, NamesAReleaseThatIsTooOld) {
  EXPECT_THAT(OnnxRuntime::Open(FAKE_OLD_ONNXRUNTIME),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("ONNX Runtime 1.14.1"), HasSubstr("too old"))));
}

TEST(OnnxRuntimeOpenTest, TakesTheLibraryFromTheEnvironment) {
  const std::string built_in = DefaultLibraryPath();
  setenv("GATEKEEPER_ONNXRUNTIME", "/opt/lib/my.so", 1);
  EXPECT_EQ(DefaultLibraryPath(), "/opt/lib/my.so");
  setenv("GATEKEEPER_ONNXRUNTIME", "/usr", 1);
  EXPECT_EQ(DefaultLibraryPath(), "/usr/lib/libonnxruntime.so.1");
  unsetenv("GATEKEEPER_ONNXRUNTIME");
  EXPECT_EQ(DefaultLibraryPath(), built_in);
}

TEST_F(OnnxRuntimeTest, KeyNamesWhatDecidesTheBits) {
  const NumericsKey& key = runtime_->numerics_key();
  EXPECT_EQ(key.sha256, trust::Sha256File(DefaultLibraryPath())->hex());
  EXPECT_THAT(key.Text(), AllOf(HasSubstr("onnxruntime 1."), HasSubstr("sha256:" + key.sha256),
                                HasSubstr("ep=cpu opt=all prepack=on threads=1 ")));
  EXPECT_THAT(key.Text(), testing::Not(HasSubstr("unknown")));
}

TEST_F(OnnxRuntimeTest, NamesTheLibraryThatADemandedProviderLacks) {
  const TestModel source = tests::LinearPolicy();
  const std::vector cuda = {base::ExecutionProvider::kCuda};
  EXPECT_THAT(runtime_->Load(source.onnx, source.signature, cuda),
              StatusIs(StatusCode::kUnavailable,
                       AllOf(HasSubstr("EP_UNAVAILABLE: cuda: "),
                             HasSubstr("libonnxruntime_providers_shared.so: cannot open"))));
}

TEST_F(OnnxRuntimeTest, FallsThroughToTheNextProviderAndSaysWhy) {
  const TestModel source = tests::LinearPolicy();
  const std::vector providers = {base::ExecutionProvider::kCuda, base::ExecutionProvider::kCpu};
  ASSERT_OK_AND_ASSIGN(const LoadedModel loaded,
                       runtime_->Load(source.onnx, source.signature, providers));
  EXPECT_THAT(loaded.passed_over, ElementsAre(HasSubstr("EP_UNAVAILABLE: cuda")));
  EXPECT_EQ(loaded.numerics_key, runtime_->numerics_key().Text());
  EXPECT_EQ(loaded.model->Run(10s), RunOutcome::kDone);
}

TEST_F(OnnxRuntimeTest, BlamesTheModelWhenTheLastProviderRefusesIt) {
  TestModel source = tests::LinearPolicy();
  source.signature.inputs[0].name = "lidar";
  const std::vector providers = {base::ExecutionProvider::kCuda, base::ExecutionProvider::kCpu};
  EXPECT_THAT(runtime_->Load(source.onnx, source.signature, providers),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("input 'lidar'")));
}

TEST_F(OnnxRuntimeTest, AnswersExactly) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(tests::LinearPolicy()));
  std::ranges::copy(std::vector<float>{1, 2, 3}, model->input(0).begin());
  model->input(1)[0] = 4;

  ASSERT_EQ(model->Run(10s), RunOutcome::kDone);

  EXPECT_THAT(model->output(0), ElementsAre(11.0F, 0.5F));
}

TEST_F(OnnxRuntimeTest, AppliesActivations) {
  using gatekeeper::sim::Activation;
  const gatekeeper::sim::Mlp mlp{.inputs = {{"image", {1, 1, 2, 1}}},
                                 .layers = {{2, 2, {1, 0, 0, 1}, {0, 0}, Activation::kRelu},
                                            {2, 2, {1, 0, 0, 1}, {0, 0}, Activation::kTanh}},
                                 .output = "y"};
  const TestModel relu_tanh{WriteOnnx(MlpGraph(mlp)), {{{"image", {1, 1, 2, 1}}}, {{"y", {1, 2}}}}};
  ASSERT_OK_AND_ASSIGN(const auto model, Load(relu_tanh));
  model->input(0)[0] = -3;
  model->input(0)[1] = 0.5F;

  ASSERT_EQ(model->Run(10s), RunOutcome::kDone);

  EXPECT_EQ(model->output(0)[0], 0.0F);
  EXPECT_NEAR(model->output(0)[1], std::tanh(0.5F), 1e-6F);
}

TEST_F(OnnxRuntimeTest, OutlivesTheBytesAndTheHandleItWasLoadedFrom) {
  std::unique_ptr<base::Model> model;
  {
    const TestModel source = tests::LinearPolicy();
    ASSERT_OK_AND_ASSIGN(model, Load(source));
    runtime_.reset();
  }
  ASSERT_EQ(model->Run(10s), RunOutcome::kDone);
  EXPECT_THAT(model->output(0), ElementsAre(0.5F, -1.0F));
}

TEST_F(OnnxRuntimeTest, ReportsARunLongerThanItsBudgetAndHidesItsAnswer) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(tests::SlowHalf()));
  model->input(0)[0] = 3;

  EXPECT_EQ(model->Run(base::Nanos(1)), RunOutcome::kDeadlineMissed);
  EXPECT_TRUE(std::isnan(model->output(0)[0]));

  EXPECT_EQ(model->Run(10s), RunOutcome::kDone);
  EXPECT_EQ(model->output(0)[0], 1.5F);
}

TEST_F(OnnxRuntimeTest, ReportsAFailedRunAndServesTheNext) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(tests::TableLookup()));
  model->input(0)[0] = 100;
  EXPECT_EQ(model->Run(10s), RunOutcome::kFailed);

  model->input(0)[0] = 2;
  EXPECT_EQ(model->Run(10s), RunOutcome::kDone);
  EXPECT_EQ(model->output(0)[0], 30.0F);
}

TEST_F(OnnxRuntimeTest, FitsAFlatWantedShapeOntoAnyShapeOfThatManyElements) {
  TestModel model = tests::LinearPolicy();
  model.signature.inputs[0].shape = {3};
  EXPECT_OK(Load(model));

  model.signature.inputs[0].shape = {3, 1};  // not flat: taken at its word
  EXPECT_THAT(Load(model), StatusIs(StatusCode::kInvalidArgument,
                                    HasSubstr("'scan': found float32[1,3], wanted float32[3,1]")));
}

TEST_F(OnnxRuntimeTest, ShowsTheFirstElementsOfALongerOutput) {
  TestModel source = tests::LinearPolicy();
  source.signature.outputs[0].shape = {1, 1};
  ASSERT_OK_AND_ASSIGN(const auto model, Load(source));
  ASSERT_EQ(model->Run(10s), RunOutcome::kDone);
  EXPECT_THAT(model->output(0), ElementsAre(0.5F));
}

TEST_F(OnnxRuntimeTest, RefusesAnOutputThatClaimsTerabytes) {
  const gatekeeper::sim::OnnxGraph expand{
      .inputs = {{"x", {1, 1}}},
      .outputs = {{"y", {1 << 20, 1 << 20}}},
      .constants = {{"shape", {2}, {1 << 20, 1 << 20}}},
      .nodes = {{"Cast", {"shape"}, {"sizes"}, {{"to", int64_t{7}}}, ""},
                {"Expand", {"x", "sizes"}, {"y"}, {}, ""}}};
  EXPECT_THAT(runtime_->Load(WriteOnnx(expand), {{{"x", {1, 1}}}, {{"y", {1, 1}}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("output 'y': found")));
}

TEST_F(OnnxRuntimeTest, GivesAFreeDimensionTheWantedSize) {
  const gatekeeper::sim::OnnxGraph graph{.inputs = {{"x", {-1, 2}}},
                                         .outputs = {{"y", {-1, 2}}},
                                         .constants = {},
                                         .nodes = {{"Relu", {"x"}, {"y"}, {}, ""}}};
  const TestModel free{WriteOnnx(graph), {{{"x", {3, 2}}}, {{"y", {3, 2}}}}};
  ASSERT_OK_AND_ASSIGN(const auto model, Load(free));
  model->input(0)[5] = 7;
  ASSERT_EQ(model->Run(10s), RunOutcome::kDone);
  EXPECT_THAT(model->output(0), ElementsAre(0, 0, 0, 0, 0, 7));
}

TEST_F(OnnxRuntimeTest, RefusesAnOutputWhoseTrueShapeDiffersFromTheDeclaredOne) {
  const gatekeeper::sim::OnnxGraph graph{.inputs = {{"x", {-1, 2}}},
                                         .outputs = {{"y", {-1, 2}}},
                                         .constants = {},
                                         .nodes = {{"Relu", {"x"}, {"y"}, {}, ""}}};
  const TestModel wrong{WriteOnnx(graph), {{{"x", {3, 2}}}, {{"y", {4, 2}}}}};
  EXPECT_THAT(Load(wrong), StatusIs(StatusCode::kInvalidArgument, HasSubstr("warm-up run 1")));
}

struct WrongSignature {
  const char* name;
  void (*spoil)(ModelSignature&);
  const char* says;
};

class WrongSignatureTest : public OnnxRuntimeTest,
                           public testing::WithParamInterface<WrongSignature> {};

TEST_P(WrongSignatureTest, IsRefusedByName) {
  TestModel model = tests::LinearPolicy();
  GetParam().spoil(model.signature);
  EXPECT_THAT(Load(model), StatusIs(StatusCode::kInvalidArgument, HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongSignatureTest,
    testing::Values(
        WrongSignature{"Size",
                       [](ModelSignature& s) {
                         s.inputs[0].shape = {1, 4};
                       },
                       "input 'scan': found float32[1,3], wanted float32[1,4]"},
        WrongSignature{"Absent", [](ModelSignature& s) { s.inputs[0].name = "lidar"; },
                       "input 'lidar': not in the model, wanted float32[1,3]; the model has 'scan' "
                       "float32[1,3], 'goal' float32[1,1]"},
        WrongSignature{"Unwanted", [](ModelSignature& s) { s.inputs.pop_back(); },
                       "input 'goal': found float32[1,1], but nothing is wanted there"},
        WrongSignature{"Output",
                       [](ModelSignature& s) {
                         s.outputs[0].shape = {1, 3};
                       },
                       "output 'command': found float32[1,2], wanted float32[1,3]"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(OnnxRuntimeTest, RefusesAHostileModelBeforeTheRuntimeSeesIt) {
  gatekeeper::sim::OnnxGraph graph{.inputs = {{"x", {1}}},
                                   .outputs = {{"y", {1}}},
                                   .constants = {},
                                   .nodes = {{"Gelu", {"x"}, {"y"}, {}, "com.microsoft"}}};
  EXPECT_THAT(runtime_->Load(WriteOnnx(graph), {{{"x", {1}}}, {{"y", {1}}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("refused before loading")));
}

TEST_F(OnnxRuntimeTest, SaysWhatTheRuntimeSaidOfAnUnknownOperator) {
  gatekeeper::sim::OnnxGraph graph{.inputs = {{"x", {1}}},
                                   .outputs = {{"y", {1}}},
                                   .constants = {},
                                   .nodes = {{"Frobnicate", {"x"}, {"y"}, {}, ""}}};
  EXPECT_THAT(runtime_->Load(WriteOnnx(graph), {{{"x", {1}}}, {{"y", {1}}}}),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("ONNX Runtime says"), HasSubstr("Frobnicate"))));
}

TEST_F(OnnxRuntimeTest, RefusesEveryTruncation) {
  const TestModel whole = tests::LinearPolicy();
  for (size_t size = 0; size < whole.onnx.size(); ++size) {
    EXPECT_FALSE(runtime_->Load(std::string_view(whole.onnx).substr(0, size), whole.signature).ok())
        << "cut at byte " << size;
  }
}

TEST_F(OnnxRuntimeTest, AnswersAreBitIdenticalOverSessions) {
  const TestModel source = tests::SlowHalf();
  std::vector<float> answers;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto model, Load(source));
    model->input(0)[0] = 0.1F;
    ASSERT_EQ(model->Run(10s), RunOutcome::kDone);
    answers.push_back(model->output(0)[0]);
  }
  EXPECT_THAT(answers, ElementsAre(answers[0], answers[0], answers[0]));
}

}  // namespace
}  // namespace agent::inference
