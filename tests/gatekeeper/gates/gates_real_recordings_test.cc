#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "agent/recording/clip.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/importers/carmen.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/importers/tub.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The gates on what real robots recorded.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

// The fixture's policy for a robot with other channels and without an envelope.
struct Papers {
  std::string card;
  std::string policy;
  std::string fallback;
};

Papers PapersFor(const std::string& inputs, const std::string& channel_lines) {
  Papers papers;
  papers.card = "schema: model_card/1\ndescription: test\ninputs:\n" + inputs +
                "outputs:\n  - {tensor: \"y\", index: 0, field: vx_mps}\n"
                "  - {tensor: \"y\", index: 1, field: wz_radps}\n";
  const std::string policy = tests::PolicyYaml();
  const size_t from = policy.find("inputs:\n") + 8;
  papers.policy = policy.substr(0, from) + channel_lines + policy.substr(policy.find("deadline:"));
  papers.policy.resize(papers.policy.find("envelope:"));
  papers.fallback = tests::FallbackYaml();
  const size_t breach = papers.fallback.find("  - {id: envelope_breach");
  papers.fallback.erase(breach, papers.fallback.find('\n', breach) + 1 - breach);
  // These robots' channels come seldom, so that their loss is noticed late.
  papers.fallback = absl::StrReplaceAll(
      papers.fallback, {{"mrc_within_ms: 3000", "mrc_within_ms: 20000"},
                        {"CONTROLLED_STOP, detect_ms: 550", "CONTROLLED_STOP, detect_ms: 8050"}});
  return papers;
}

std::string Required(const std::string& channel, int max_age_ms) {
  return absl::StrFormat(
      "  %s: {required: true, trigger: input_stale, max_age_ms: %d, max_future_ms: 1000, "
      "stuck_after_ms: 5000}\n",
      channel, max_age_ms);
}

std::unique_ptr<TestBench> BenchFor(const Papers& papers,
                                    std::unique_ptr<agent::base::Model> model) {
  auto rules = agent::runtime::LoadRules(papers.card, papers.policy, papers.fallback);
  if (!rules.ok()) ADD_FAILURE() << rules.status();
  auto bench = TestBench::Create(std::string(64, 'a'), *rules, std::move(model));
  if (!bench.ok()) ADD_FAILURE() << bench.status();
  return *std::move(bench);
}

TEST(RealRecordingsTest, TheBackwardStampsOfIntelAreNamedAndTheControllerStopsForThem) {
  const std::string log = tests::SharedRecording("carmen/intel-corrected.log.gz");
  SKIP_WITHOUT(log);
  tests::TempFolder folder;
  Scenario scenario;
  scenario.recording = folder / "intel.mcap";
  scenario.document.set_id("intel");
  ASSERT_OK(tests::ImportCarmen(log, scenario.recording));
  const Papers papers = PapersFor(
      "  - {tensor: x, channel: odom, fields: [vx_mps, wz_radps]}\n"
      "  - {tensor: x, channel: scan, scan: {sectors: 1, from_rad: -1.0, to_rad: 1.0, "
      "range_max_m: 8.0}}\n",
      Required("scan", 8000) + Required("odom", 2000));
  const auto imitate = [](double vx, double wz, double) { return std::pair(vx, wz); };

  const auto bench = BenchFor(papers, tests::MakeModel(imitate));
  Evidence evidence;
  evidence.suite = tests::SuiteDocument();
  evidence.policy = tests::PolicyDocument();
  evidence.policy.clear_inputs();
  evidence.replays.push_back(RunReplay(scenario, *bench));
  const Replay& replay = evidence.replays.front();
  ASSERT_OK(replay.status);

  uint64_t backward = 0;
  for (const RecordingFault& fault : replay.faults) {
    if (fault.channel == "scan" && fault.what.find("backwards") != std::string::npos) {
      backward = fault.times;
    }
  }
  EXPECT_EQ(backward, 4u);
  const v1::GateResult result = JudgeRecordings(evidence);
  EXPECT_EQ(result.outcome(), v1::PASS) << "broken clocks are what robots live with";
  const auto named =
      std::find_if(result.findings().begin(), result.findings().end(), [](const v1::Finding& f) {
        return f.message().find("scan: stamp runs backwards") != std::string::npos;
      });
  ASSERT_NE(named, result.findings().end());
  EXPECT_EQ(named->scenario(), "intel");
  EXPECT_GT(named->at_s(), 0);
  const auto stopped_for_it = [](const v1::TickRecord& tick) {
    const auto& reasons = tick.reasons();
    return std::find(reasons.begin(), reasons.end(), "input:scan:out_of_order") != reasons.end() &&
           tick.state() != "NOMINAL";
  };
  EXPECT_TRUE(std::any_of(replay.ticks.begin(), replay.ticks.end(), stopped_for_it));
  EXPECT_GT(replay.ticks.size(), 50'000u);
  EXPECT_EQ(RunReplay(scenario, *bench).verdicts, replay.verdicts);
}

// --- The ordering trap: the better mean with the worse segment, on a real car's camera. ---

// y = weights * (image, 1), and a note of every image it was shown.
class ImageModel final : public agent::base::Model {
 public:
  ImageModel(int width, int height, std::vector<std::vector<double>> weights,
             std::vector<std::vector<double>>* seen)
      : weights_(std::move(weights)), seen_(seen), input_(static_cast<size_t>(width * height)) {
    signature_.inputs = {{"x", {1, 1, height, width}}};
    signature_.outputs = {{"y", {1, 2}}};
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  agent::base::RunOutcome Run(agent::base::Nanos) override {
    std::vector<double> features(input_.begin(), input_.end());
    features.push_back(1);
    for (size_t row = 0; row < weights_.size(); ++row) {
      output_[row] = static_cast<float>(
          std::inner_product(features.begin(), features.end(), weights_[row].begin(), 0.0));
    }
    if (seen_ != nullptr) seen_->push_back(std::move(features));
    return agent::base::RunOutcome::kDone;
  }

 private:
  std::vector<std::vector<double>> weights_;
  std::vector<std::vector<double>>* seen_;
  agent::base::ModelSignature signature_;
  std::vector<float> input_;
  std::vector<float> output_{0, 0};
};

// Ridge regression by Gaussian elimination on the normal equations.
std::vector<double> Fit(const std::vector<std::vector<double>>& rows,
                        const std::vector<double>& wanted, double ridge) {
  const size_t n = rows.front().size();
  std::vector<std::vector<double>> a(n, std::vector<double>(n + 1, 0));
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) a[i][j] += rows[r][i] * rows[r][j];
      a[i][n] += rows[r][i] * wanted[r];
    }
  }
  for (size_t i = 0; i < n; ++i) a[i][i] += ridge;  // also keeps every pivot above 0
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = i + 1; k < n; ++k) {
      const double factor = a[k][i] / a[i][i];
      for (size_t j = i; j <= n; ++j) a[k][j] -= factor * a[i][j];
    }
  }
  std::vector<double> x(n);
  for (size_t i = n; i-- > 0;) {
    x[i] = a[i][n];
    for (size_t j = i + 1; j < n; ++j) x[i] -= a[i][j] * x[j];
    x[i] /= a[i][i];
  }
  return x;
}

class TubTest : public testing::Test {
 protected:
  static constexpr int kClips = 20;      // of 2.5 s
  static constexpr int kGlareClips = 5;  // the brightest ones

  void Cut(const std::string& tub) {
    const std::string whole = folder_ / "tub.mcap";
    ASSERT_OK(tests::ImportTub(tub, whole));
    for (int i = 0; i < kClips; ++i) {
      Scenario& scenario = scenarios_[static_cast<size_t>(i)];
      scenario.document.set_id(absl::StrFormat("tub%02d", i));
      scenario.recording = folder_ / (scenario.document.id() + ".mcap");
      const int64_t from_ns = i * int64_t{2'500'000'000};
      ASSERT_OK(agent::recording::WriteClip({.sources = {whole},
                                             .from_ns = from_ns,
                                             .to_ns = from_ns + 2'499'000'000,
                                             .destination = scenario.recording,
                                             .metadata = {}}));
    }
    TagByBrightness();
  }

  Papers PapersOf(int width, int height) const {
    return PapersFor(absl::StrFormat("  - {tensor: x, channel: image, image: {width: %d, height: "
                                     "%d, color: mono}}\n",
                                     width, height),
                     Required("image", 200));
  }

  // What the model sees and what the driver did, of the clips with one of the tags.
  struct Lesson {
    std::vector<std::vector<double>> images;
    std::vector<double> throttle;
    std::vector<double> steering;
  };
  Lesson Watch(int width, int height, const std::string& tag) {
    Lesson lesson;
    const std::vector<double> nothing(static_cast<size_t>(width * height) + 1, 0);
    const auto bench = BenchFor(
        PapersOf(width, height),
        std::make_unique<ImageModel>(width, height, std::vector{nothing, nothing}, &lesson.images));
    for (const Scenario& scenario : scenarios_) {
      if (!tag.empty() && !InSegment(scenario.document, 0, tag)) continue;
      const Replay replay = RunReplay(scenario, *bench);
      for (const Frame& frame : replay.frames) {
        const RecordedCommand& driven = replay.commands[frame.tick];
        lesson.throttle.push_back(driven.values[0]);
        lesson.steering.push_back(driven.values[1]);
      }
    }
    return lesson;
  }

  void TagByBrightness() {
    std::vector<std::pair<double, size_t>> order;
    for (size_t i = 0; i < scenarios_.size(); ++i) {
      std::vector<std::vector<double>> seen;
      const auto bench =
          BenchFor(PapersOf(1, 1),
                   std::make_unique<ImageModel>(
                       1, 1, std::vector{std::vector{0.0, 0.0}, std::vector{0.0, 0.0}}, &seen));
      RunReplay(scenarios_[i], *bench);
      double sum = 0;
      for (const auto& image : seen) sum += image[0];
      order.emplace_back(-sum / static_cast<double>(seen.size()), i);
    }
    std::sort(order.begin(), order.end());
    for (size_t rank = 0; rank < order.size(); ++rank) {
      v1::Segment& segment = *scenarios_[order[rank].second].document.add_segments();
      segment.set_to_s(3);
      segment.add_tags(rank < kGlareClips ? "glare" : "plain");
    }
  }

  // What a linear model sees, and which clips it learned from (all of them: empty).
  struct Recipe {
    int width = 0;
    int height = 0;
    std::string learned_from;
  };
  // That model, judged on all clips.
  Evidence Drive(const Recipe& recipe) {
    constexpr double kRidge = 0.01;
    const Lesson lesson = Watch(recipe.width, recipe.height, recipe.learned_from);
    const std::vector weights{Fit(lesson.images, lesson.throttle, kRidge),
                              Fit(lesson.images, lesson.steering, kRidge)};
    const auto bench =
        BenchFor(PapersOf(recipe.width, recipe.height),
                 std::make_unique<ImageModel>(recipe.width, recipe.height, weights, nullptr));
    Evidence evidence;
    evidence.suite = tests::SuiteDocument();
    evidence.policy = tests::PolicyDocument();
    for (const Scenario& scenario : scenarios_) {
      evidence.replays.push_back(RunReplay(scenario, *bench));
      EXPECT_OK(evidence.replays.back().status);
    }
    v1::Agreement& agreement = *evidence.suite.mutable_agreement();
    agreement.set_vx_tolerance_mps(0.15);
    agreement.set_wz_tolerance_radps(0.3);
    agreement.set_clip_pass_fraction(0.7);
    v1::SegmentGate& gate = *evidence.suite.mutable_worst_segment();
    gate.clear_tags();
    gate.add_tags("plain");
    gate.add_tags("glare");
    gate.set_min_clips(5);
    gate.set_floor(0.4);
    return evidence;
  }

  tests::TempFolder folder_;
  std::vector<Scenario> scenarios_{kClips};
};

double Mean(const Evidence& evidence) {
  return MeanScore(evidence.replays, evidence.policy, evidence.suite.agreement());
}

TEST_F(TubTest, ABetterMeanWithAWorseSegmentIsRefused) {
  const std::string tub = tests::SharedRecording("donkeycar-tub/tub.tar.gz");
  SKIP_WITHOUT(tub);
  ASSERT_NO_FATAL_FAILURE(Cut(tub));
  const Evidence honest = Drive({.width = 8, .height = 6, .learned_from = {}});
  const Evidence trap = Drive({.width = 16, .height = 12, .learned_from = "plain"});

  EXPECT_GT(Mean(trap), Mean(honest) + 0.01);
  EXPECT_EQ(JudgeWorstSegment(honest).outcome(), v1::PASS) << JudgeWorstSegment(honest).summary();
  const v1::GateResult result = JudgeWorstSegment(trap);
  EXPECT_EQ(result.outcome(), v1::FAIL) << result.summary();
  EXPECT_THAT(result.summary(), HasSubstr("glare: "));
  ASSERT_GT(result.findings_size(), 0);
  EXPECT_EQ(result.findings(0).segment(), "glare");
}

TEST_F(TubTest, ABetterMeanThatFailsWhatTheDeployedUnitPassedIsRefusedByName) {
  const std::string tub = tests::SharedRecording("donkeycar-tub/tub.tar.gz");
  SKIP_WITHOUT(tub);
  ASSERT_NO_FATAL_FAILURE(Cut(tub));
  Evidence honest = Drive({.width = 8, .height = 6, .learned_from = {}});
  Evidence trap = Drive({.width = 16, .height = 12, .learned_from = "plain"});
  ASSERT_GT(Mean(trap), Mean(honest) + 0.01);
  trap.suite.mutable_non_inferiority()->set_delta(0.2);
  trap.suite.mutable_non_inferiority()->set_max_newly_failing(kClips);
  DeployedUnit& deployed = trap.deployed.emplace();
  deployed.label = "lane@1.0.0";
  deployed.policy = honest.policy;
  deployed.replays = std::move(honest.replays);

  const v1::GateResult result = JudgeNonInferiority(trap);
  EXPECT_EQ(result.outcome(), v1::FAIL) << result.summary();
  EXPECT_THAT(result.summary(), HasSubstr("glare: lower bound of the difference on 5 recordings"));
  const auto agreement =
      std::find_if(result.segments().begin(), result.segments().end(),
                   [](const v1::SegmentBound& row) { return row.tag() == "agreement of ticks"; });
  ASSERT_NE(agreement, result.segments().end());
  EXPECT_GT(agreement->value(), 0.01) << "better tick by tick";
  // Every clip that fails newly is one of the bright ones, and is named.
  ASSERT_GT(result.findings_size(), 0);
  for (const v1::Finding& finding : result.findings()) {
    const auto clip = std::find_if(scenarios_.begin(), scenarios_.end(), [&](const Scenario& s) {
      return s.document.id() == finding.scenario();
    });
    ASSERT_NE(clip, scenarios_.end());
    EXPECT_TRUE(InSegment(clip->document, 0, "glare")) << finding.scenario();
    EXPECT_THAT(finding.message(), HasSubstr("passes with lane@1.0.0"));
  }
  // With as many clips as it likes allowed to fail, the segment still refuses; with none, they do.
  trap.suite.mutable_non_inferiority()->set_max_newly_failing(0);
  trap.suite.mutable_worst_segment()->mutable_tags()->RemoveLast();  // nobody asks for glare
  EXPECT_EQ(JudgeNonInferiority(trap).outcome(), v1::FAIL);
}

}  // namespace
}  // namespace gatekeeper::gates
