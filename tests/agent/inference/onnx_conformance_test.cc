#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "agent/inference/onnx_runtime.h"
#include "tests/agent/inference/bare_ort.h"
#include "tests/agent/inference/onnx_corpus.h"
#include "tests/support/status_matchers.h"

// Each of ONNX's own operator tests through our engine and through ONNX Runtime's bare interface:
// the same verdict and the same bits. What lies outside the engine's contract is named and counted.
//
// The contract is float32 at the boundary: a model's buffers are spans of floats (base::Model), so
// there is no way to hand it another type, or to take one, and every model that has one is refused
// by the name of tensor and type. Inside its graph a model may compute in any type: the
// conversions, comparisons and quantised operators among these tests do, and are judged like the
// others.

namespace agent::inference {
namespace {

using base::RunOutcome;
using tests::BareOrt;
using tests::CorpusCase;
using Floats = std::vector<std::vector<float>>;
using Clock = std::chrono::steady_clock;

// The tolerances of ONNX's own test runner.
constexpr double kRelTolerance = 1e-3;
constexpr double kAbsTolerance = 1e-7;

Floats InputsOf(const CorpusCase& one) {
  Floats inputs;
  for (const auto& tensor : one.inputs) inputs.push_back(tensor.floats);
  return inputs;
}

absl::StatusOr<Floats> RunOurs(const OnnxRuntime& runtime, const CorpusCase& one) {
  auto model = runtime.Load(one.onnx, one.signature());
  if (!model.ok()) return model.status();
  const Floats inputs = InputsOf(one);
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::ranges::copy(inputs[i], (*model)->input(i).begin());
  }
  if ((*model)->Run(std::chrono::minutes(1)) != RunOutcome::kDone) {
    return absl::InternalError("the run failed");
  }
  Floats outputs;
  for (size_t i = 0; i < one.outputs.size(); ++i) {
    const auto output = (*model)->output(i);
    outputs.emplace_back(output.begin(), output.end());
  }
  return outputs;
}

bool SameBits(const Floats& a, const Floats& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size() ||
        std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

bool AsExpected(const Floats& found, const CorpusCase& one) {
  for (size_t i = 0; i < found.size(); ++i) {
    for (size_t e = 0; e < found[i].size(); ++e) {
      const double wanted = one.outputs[i].floats[e];
      const double got = found[i][e];
      const bool same = got == wanted || (std::isnan(got) && std::isnan(wanted));
      if (!same && !(std::abs(got - wanted) <= kAbsTolerance + kRelTolerance * std::abs(wanted))) {
        return false;
      }
    }
  }
  return true;
}

// What became of the cases, by the reason.
class Tally {
 public:
  void Add(const std::string& what, const std::string& name) { cases_[what].push_back(name); }
  size_t of(const std::string& what) const {
    const auto at = cases_.find(what);
    return at == cases_.end() ? 0 : at->second.size();
  }
  size_t total() const {
    size_t total = 0;
    for (const auto& [what, names] : cases_) total += names.size();
    return total;
  }
  void Print() const {
    for (const auto& [what, names] : cases_) {
      std::printf("%4zu  %s\n", names.size(), what.c_str());
      if (!what.starts_with("outside")) continue;
      for (const std::string& name : names) std::printf("        %s\n", name.c_str());
    }
  }

 private:
  std::map<std::string, std::vector<std::string>> cases_;
};

constexpr char kPass[] = "equal: both as expected";
constexpr char kDiffer[] = "equal: both differ from what is expected";
constexpr char kNeither[] = "equal: neither loads or runs it";
constexpr char kRefusedBefore[] = "model refused before loading: ";
constexpr char kRandom[] = "equal verdict: random numbers, no two runs alike";

// As often as our engine runs it: a seeded generator goes on from run to run.
absl::StatusOr<BareOrt::Outputs> RunBare(const BareOrt& bare, const CorpusCase& one) {
  return bare.Run(one.onnx, one.signature(), InputsOf(one), OnnxRuntime::kWarmUpRuns + 1);
}

// "" when the two engines disagree.
std::string Compare(const OnnxRuntime& runtime, const BareOrt& bare, const CorpusCase& one) {
  const auto theirs = RunBare(bare, one);
  const auto ours = RunOurs(runtime, one);
  const std::string why(ours.status().message());
  if (!ours.ok() && why.starts_with(kRefusedBefore)) {
    return "outside the contract: " + why.substr(why.find(": ") + 2);
  }
  if (!theirs.ok()) return ours.ok() ? "" : kNeither;
  if (!ours.ok()) {
    // Zeros are no input for it; a robot's model must take any.
    return why.starts_with("warm-up run 1") ? "outside the contract: fails on zeros" : "";
  }
  if (SameBits(*ours, theirs->floats)) return AsExpected(*ours, one) ? kPass : kDiffer;
  const auto again = RunBare(bare, one);
  return again.ok() && !SameBits(again->floats, theirs->floats) ? kRandom : "";
}

// What the engine must call a type, by its number in onnx.proto; 0 is no tensor. Of
// these models none with complex numbers loads, with ONNX Runtime alone either.
constexpr uint64_t kComplex64 = 14;
const std::map<uint64_t, std::string> kTypes = {{0, "not a tensor"}, {2, "uint8"},
                                                {3, "int8"},         {4, "uint16"},
                                                {5, "int16"},        {6, "int32"},
                                                {7, "int64"},        {8, "string"},
                                                {9, "bool"},         {10, "float16"},
                                                {11, "double"},      {12, "uint32"},
                                                {13, "uint64"},      {kComplex64, "complex64"},
                                                {16, "bfloat16"}};

TEST(OnnxConformanceTest, RefusesEveryTensorOfAnotherTypeThanFloat32ByItsNameAndType) {
  const std::vector<CorpusCase> corpus = tests::ReadCorpus();
  if (corpus.empty()) {
    GTEST_SKIP() << "the operator tests are not there: apt-get install libonnx-testdata";
  }
  ASSERT_OK_AND_ASSIGN(const auto runtime, OnnxRuntime::Open(DefaultLibraryPath()));
  const BareOrt bare(DefaultLibraryPath());
  Tally tally;
  for (const CorpusCase& one : corpus) {
    if (one.outside || !one.foreign) continue;
    const std::string type = kTypes.at(one.foreign->element);
    const absl::Status ours = runtime->Load(one.onnx, one.signature()).status();
    ASSERT_FALSE(ours.ok()) << one.name;
    const std::string why(ours.message());
    if (why.starts_with(kRefusedBefore)) {
      tally.Add("outside the contract: " + why.substr(why.find(": ") + 2), one.name);
    } else if (!bare.Load(one.onnx).ok()) {
      tally.Add(kNeither, one.name);
    } else {
      EXPECT_THAT(why, testing::HasSubstr(one.foreign->side + " '" + one.foreign->tensor +
                                          "': found " + type))
          << one.name;
      tally.Add("refused by name: " + type, one.name);
    }
  }
  tally.Print();

  for (const auto& [element, type] : kTypes) {
    EXPECT_EQ(tally.of("refused by name: " + type) > 0, element != kComplex64) << type;
  }
}

TEST(OnnxConformanceTest, JudgesEveryOperatorTestAsBareOnnxRuntimeDoes) {
  const std::vector<CorpusCase> corpus = tests::ReadCorpus();
  if (corpus.empty()) {
    GTEST_SKIP() << "the operator tests are not there: apt-get install libonnx-testdata";
  }
  ASSERT_OK_AND_ASSIGN(const auto runtime, OnnxRuntime::Open(DefaultLibraryPath()));
  const BareOrt bare(DefaultLibraryPath());
  Tally tally;
  for (const CorpusCase& one : corpus) {
    const std::string what = one.outside ? "outside the contract: " + *one.outside
                             : one.foreign
                                 ? "another type than float32: refused, see the test above"
                                 : Compare(*runtime, bare, one);
    EXPECT_NE(what, "") << one.name << ": ONNX Runtime and our engine disagree";
    tally.Add(what, one.name);
  }
  tally.Print();

  EXPECT_EQ(tally.total(), corpus.size());
  EXPECT_GT(tally.of(kPass), 400U);
}

}  // namespace
}  // namespace agent::inference
