#include <cmath>

#include "agent/base/split_mix.h"
#include "gatekeeper/gates/calibration.h"
#include "gtest/gtest.h"

namespace gatekeeper::gates {
namespace {

const std::vector<uint32_t> kOnce{1};

TEST(AurocTest, IsTheShareOfPairsInTheRightOrder) {
  EXPECT_EQ(DoubtedAnswers({{0.1, false}, {0.4, false}, {0.35, true}, {0.8, true}}).Auroc(kOnce),
            0.75);
  EXPECT_EQ(DoubtedAnswers({{0.9, true}, {0.1, false}}).Auroc(kOnce), 1);
  EXPECT_EQ(DoubtedAnswers({{0.1, true}, {0.9, false}}).Auroc(kOnce), 0);
  EXPECT_EQ(DoubtedAnswers({{0.5, true}, {0.5, false}}).Auroc(kOnce), 0.5) << "ties are halved";
}

TEST(AurocTest, EqualsCountingEveryPair) {
  agent::base::SplitMix random(41);
  std::vector<DoubtedAnswer> answers;
  std::vector<uint32_t> times;
  for (size_t i = 0; i < 300; ++i) {
    answers.push_back({static_cast<double>(random.Below(40)) / 40, random.Below(4) == 0, i});
    times.push_back(static_cast<uint32_t>(random.Below(3)));
  }
  double pairs = 0;
  double ordered = 0;
  for (const DoubtedAnswer& wrong : answers) {
    for (const DoubtedAnswer& right : answers) {
      if (!wrong.wrong || right.wrong) continue;
      const double weight = times[wrong.block] * times[right.block];
      pairs += weight;
      ordered += weight * (wrong.doubt > right.doubt ? 1 : wrong.doubt == right.doubt ? 0.5 : 0);
    }
  }
  EXPECT_NEAR(DoubtedAnswers(answers).Auroc(times), ordered / pairs, 1e-12);
}

TEST(AurocTest, NeedsRightAndWrongAnswers) {
  EXPECT_TRUE(std::isnan(DoubtedAnswers({{0.5, true}}).Auroc(kOnce)));
  EXPECT_TRUE(std::isnan(DoubtedAnswers({{0.5, false}}).Auroc(kOnce)));
  EXPECT_TRUE(std::isnan(DoubtedAnswers({{0.5, false, 0}, {0.6, true, 1}}).Auroc({1, 0})));
}

TEST(BrierTest, IsTheMeanSquareOfWhatWasSaidTooMuch) {
  // Said 0.1 and was right, said 0.7 and was wrong, said 1.0 and was right: (0.01 + 0.09 + 1) / 3.
  EXPECT_NEAR(DoubtedAnswers({{0.1, false}, {0.7, true}, {1.0, false}}).Brier(kOnce), 1.1 / 3,
              1e-12);
  EXPECT_TRUE(std::isnan(DoubtedAnswers({}).Brier(kOnce)));
}

TEST(CalibrationErrorTest, ComparesWhatWasSaidWithWhatWasBinByBin) {
  // Bin 0.2: said 0.25 and 0.25, one of two wrong: apart by 0.25. Bin 0.9: said 0.95 and 1, both
  // wrong: apart by 0.025. Half of the answers each.
  const DoubtedAnswers answers({{0.25, false}, {0.25, true}, {0.95, true}, {1.0, true}});
  EXPECT_NEAR(answers.CalibrationError(kOnce), 0.5 * 0.25 + 0.5 * 0.025, 1e-12);
  EXPECT_TRUE(std::isnan(DoubtedAnswers({}).CalibrationError(kOnce)));
}

TEST(CalibrationErrorTest, IsSmallForAModelThatKnowsItself) {
  agent::base::SplitMix random(42);
  std::vector<DoubtedAnswer> honest;
  std::vector<DoubtedAnswer> boastful;
  for (int i = 0; i < 20'000; ++i) {
    const double doubt = random.Uniform();
    const bool wrong = random.Uniform() < doubt;
    honest.push_back({doubt, wrong});
    boastful.push_back({doubt / 2, wrong});
  }
  EXPECT_LT(DoubtedAnswers(honest).CalibrationError(kOnce), 0.02);
  EXPECT_NEAR(DoubtedAnswers(boastful).CalibrationError(kOnce), 0.25, 0.02);
  EXPECT_NEAR(DoubtedAnswers(honest).Brier(kOnce), 1.0 / 6, 0.01) << "E[u (1 - u)]";
}

}  // namespace
}  // namespace gatekeeper::gates
