#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "agent/inference/golden.h"
#include "tests/support/status_matchers.h"

namespace agent::inference {
namespace {

using absl::StatusCode;
using base::RunOutcome;
using testing::AllOf;
using testing::HasSubstr;
using ::tests::StatusIs;

// out = gain * (x0 + x1)
class Adder final : public base::Model {
 public:
  const base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  RunOutcome Run(base::Nanos) override {
    output_[0] = gain * (input_[0] + input_[1]);
    return outcome;
  }

  float gain = 2;
  RunOutcome outcome = RunOutcome::kDone;

 private:
  base::ModelSignature signature_ = {.inputs = {{"x", {1, 2}}}, .outputs = {{"out", {1, 1}}}};
  std::vector<float> input_ = {0, 0};
  std::vector<float> output_ = {0};
};

constexpr char kGood[] =
    R"({"schema":"golden/1","numerics_key":"k","abs_tolerance":0.001,"rel_tolerance":0.01,)"
    R"("inputs":["x"],"outputs":["out"],"cases":[{"inputs":[[1,2.5]],"outputs":[[7]]}]})";

std::string With(const std::string& from, const std::string& to) {
  std::string text = kGood;
  EXPECT_THAT(text, HasSubstr(from));
  return absl::StrReplaceAll(text, {{from, to}});
}

TEST(GoldenTest, ReadsWhatItWrites) {
  Adder model;
  ASSERT_OK_AND_ASSIGN(const Golden made, RecordGolden(model, "this computer", 5, 7));
  ASSERT_OK_AND_ASSIGN(const Golden read, ParseGolden(WriteGolden(made)));

  EXPECT_EQ(read.numerics_key, "this computer");
  EXPECT_EQ(read.inputs, std::vector<std::string>{"x"});
  ASSERT_EQ(read.cases.size(), 5U);
  for (size_t i = 0; i < made.cases.size(); ++i) {
    EXPECT_EQ(read.cases[i].inputs, made.cases[i].inputs);
    EXPECT_EQ(read.cases[i].outputs, made.cases[i].outputs);
  }
  EXPECT_EQ(WriteGolden(read), WriteGolden(made));
  EXPECT_OK(CheckGolden(read, "this computer", model));
}

TEST(GoldenTest, AsksZerosOnesAndTheSeedsNumbers) {
  Adder model;
  ASSERT_OK_AND_ASSIGN(const Golden made, RecordGolden(model, "k", 4, 7));
  ASSERT_OK_AND_ASSIGN(const Golden again, RecordGolden(model, "k", 4, 7));
  ASSERT_OK_AND_ASSIGN(const Golden other, RecordGolden(model, "k", 4, 8));
  EXPECT_EQ(made.cases[0].inputs[0], (std::vector<float>{0, 0}));
  EXPECT_EQ(made.cases[1].inputs[0], (std::vector<float>{1, 1}));
  for (const float value : made.cases[2].inputs[0]) {
    EXPECT_GE(value, -1);
    EXPECT_LT(value, 1);
  }
  EXPECT_EQ(WriteGolden(made), WriteGolden(again));
  EXPECT_NE(WriteGolden(made), WriteGolden(other));
}

TEST(GoldenTest, DemandsEqualBitsUnderTheSameKeyOnly) {
  Adder model;
  ASSERT_OK_AND_ASSIGN(const Golden golden, ParseGolden(kGood));
  EXPECT_OK(CheckGolden(golden, "k", model));

  model.gain = std::nextafter(2.0F, 3.0F);  // one bit
  EXPECT_THAT(
      CheckGolden(golden, "k", model),
      StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("cases[0] output 'out'[0] is 7.00000"),
                                            HasSubstr("golden 7"), HasSubstr("bit for bit"))));
  EXPECT_OK(CheckGolden(golden, "another computer", model));
}

TEST(GoldenTest, BoundsTheDifferenceUnderAnotherKey) {
  Adder model;  // 0.001 + 0.01 * 7 = 0.071 may differ
  ASSERT_OK_AND_ASSIGN(const Golden golden, ParseGolden(kGood));
  model.gain = 2 + 0.070F / 3.5F;
  EXPECT_OK(CheckGolden(golden, "other", model));
  model.gain = 2 - 0.070F / 3.5F;
  EXPECT_OK(CheckGolden(golden, "other", model));
  for (const float gain :
       {2 + 0.072F / 3.5F, 2 - 0.072F / 3.5F, std::numeric_limits<float>::quiet_NaN(),
        std::numeric_limits<float>::infinity()}) {
    model.gain = gain;
    EXPECT_THAT(CheckGolden(golden, "other", model),
                StatusIs(StatusCode::kDataLoss, HasSubstr("beyond the tolerance")));
  }
}

TEST(GoldenTest, IsNoProofWhenARunFails) {
  Adder model;
  ASSERT_OK_AND_ASSIGN(const Golden golden, ParseGolden(kGood));
  model.outcome = RunOutcome::kFailed;
  EXPECT_THAT(CheckGolden(golden, "k", model),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("failed to run on cases[0]")));
  EXPECT_THAT(RecordGolden(model, "k", 3, 1),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("failed to run on cases[0]")));
}

TEST(GoldenTest, RecordsNoAnswerThatNobodyMayDriveBy) {
  Adder model;
  model.gain = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      RecordGolden(model, "k", 3, 1),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("output 'out' of cases[0] is not finite")));
}

TEST(GoldenTest, RefusesAnswersOfAnotherModel) {
  const Adder model;
  const auto refused = [&model](const std::string& text, const char* says) {
    ASSERT_OK_AND_ASSIGN(const Golden golden, ParseGolden(text));
    EXPECT_THAT(CheckGoldenFits(golden, model.signature()),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(says)));
  };
  refused(With("[\"x\"]", "[\"y\"]"), "its input 0 is 'y', the model card's is 'x'");
  refused(With("[1,2.5]", "[1]"), "input 'x' has 1 numbers, the model card binds 2");
  refused(With("[[7]]", "[[7,8]]"), "output 'out' has 2 numbers");
  refused(With("[[7]]", "[[7],[8]]")
              .replace(std::string(kGood).find("[\"out\"]"), 7, "[\"out\",\"b\"]"),
          "it has 2 outputs, the model card binds 1");
}

TEST(GoldenTest, RefusesEveryOtherForm) {
  const std::pair<std::string, const char*> wrong[] = {
      {"", "is not JSON"},
      {"[]", "wanted exactly schema"},
      {With("golden/1", "golden/2"), "wanted exactly schema"},
      {With("\"numerics_key\":\"k\"", "\"numerics_key\":1"), "wanted exactly schema"},
      {With("\"numerics_key\":\"k\",", ""), "wanted exactly schema"},
      {With("{\"schema\"", "{\"more\":1,\"schema\""), "wanted exactly schema"},
      {With("{\"schema\"", "{\"schema\":1,\"schema\""), "repeats the key"},
      {With("0.001", "-0.001"), "abs_tolerance wants"},
      {With("0.001", "1.001"), "abs_tolerance wants"},
      {With("0.01,", "\"0\","), "rel_tolerance wants"},
      {With("[\"x\"]", "[]"), "inputs wants"},
      {With("[\"x\"]", "\"x\""), "inputs wants"},
      {With("[\"x\"]", "[1]"), "inputs wants"},
      {With("[\"out\"]", "[]"), "outputs wants"},
      {With("[{\"inputs\":[[1,2.5]],\"outputs\":[[7]]}]", "[]"), "cases wants"},
      {With("[{\"inputs\":[[1,2.5]],\"outputs\":[[7]]}]", "7"), "cases wants"},
      {With("{\"inputs\":[[1,2.5]],", "{"), "cases[0] wants exactly"},
      {With("[[1,2.5]]", "[[1,2.5],[3]]"), "cases[0].inputs wants 1 lists"},
      {With("[[1,2.5]]", "[7]"), "cases[0].inputs wants a list"},
      {With("2.5", "\"2.5\""), "not a finite"},
      {With("2.5", "null"), "not a finite"},
      {With("2.5", "1e39"), "not a finite"},
      {With("2.5", "1e999"), "is not JSON"},
      {With("2.5", "NaN"), "is not JSON"},
      {std::string(kMaxGoldenBytes + 1, ' '), "at most"},
  };
  for (const auto& [text, says] : wrong) {
    EXPECT_THAT(ParseGolden(text), StatusIs(StatusCode::kInvalidArgument, HasSubstr(says)))
        << text.substr(0, 300);
  }
  std::string many = "{\"inputs\":[[1,2.5]],\"outputs\":[[7]]}";
  for (size_t i = 0; i < kMaxGoldenCases; ++i) many += ",{\"inputs\":[[1,2.5]],\"outputs\":[[7]]}";
  EXPECT_THAT(ParseGolden(With("{\"inputs\":[[1,2.5]],\"outputs\":[[7]]}", many)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("1 to 256")));
}

TEST(GoldenTest, SurvivesEveryTruncationAndEveryFlippedBit) {
  std::string text = kGood;
  size_t refused = 0;
  for (size_t size = 0; size < text.size(); ++size) {
    refused += ParseGolden(text.substr(0, size)).ok() ? 0 : 1;
  }
  EXPECT_EQ(refused, text.size());
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    const auto mask = static_cast<char>(1 << (bit % 8));
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ mask);
    refused += ParseGolden(text).ok() ? 0 : 1;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ mask);
  }
  EXPECT_GT(refused, 2 * text.size());
}

}  // namespace
}  // namespace agent::inference
