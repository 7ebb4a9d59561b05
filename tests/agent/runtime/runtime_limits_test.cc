#include <bit>
#include <cmath>
#include <random>

#include "agent/runtime/limits.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/numbers.h"

namespace agent::runtime {
namespace {

constexpr int kDraws = 200'000;

// Any bit pattern, and often one of those that break things.
double Anything(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0: {
      const double edges[] = {kNan, kInfinity, -kInfinity, 0.0, -0.0, 5e-324, 1.7e308, -1.7e308};
      return edges[random() % 8];
    }
    case 1:
      return std::bit_cast<double>(random());
    default:
      return (static_cast<double>(random() % 4'000'001) - 2'000'000) * 1e-6;
  }
}

struct Limit {
  const char* name;
  double (*apply)(double wanted, double a, double b);
};
const Limit kClamps[] = {
    {"ClampInto",
     [](double w, double a, double b) { return ClampInto(w, -std::abs(a), std::abs(b)); }},
    {"ClampIntoAnything", [](double w, double a, double b) { return ClampInto(w, a, b); }},
    {"ClampMagnitude", [](double w, double a, double) { return ClampMagnitude(w, a); }},
    {"ClampRate", [](double w, double a, double b) { return ClampRate(w, a, b); }},
};

TEST(LimitsTest, NeverRaiseAMagnitudeNorTurnASignNorGiveANonFiniteNumber) {
  std::mt19937_64 random(1);
  for (int i = 0; i < kDraws; ++i) {
    const double wanted = Anything(random);
    const double a = Anything(random);
    const double b = Anything(random);
    for (const Limit& limit : kClamps) {
      const double got = limit.apply(wanted, a, b);
      ASSERT_TRUE(std::isfinite(got)) << limit.name << " " << wanted << " " << a << " " << b;
      ASSERT_FALSE(std::signbit(got) && got == 0) << limit.name << ": negative zero";
      if (!std::isfinite(wanted)) {
        ASSERT_EQ(got, 0) << limit.name;
        continue;
      }
      ASSERT_LE(std::abs(got), std::abs(wanted)) << limit.name << " " << a << " " << b;
      ASSERT_TRUE(got == 0 || (got > 0) == (wanted > 0)) << limit.name;
    }
  }
}

TEST(LimitsTest, AreIdempotent) {
  std::mt19937_64 random(2);
  for (int i = 0; i < kDraws; ++i) {
    const double wanted = Anything(random);
    const double a = Anything(random);
    const double b = Anything(random);
    for (const Limit& limit : kClamps) {
      const double once = limit.apply(wanted, a, b);
      ASSERT_EQ(limit.apply(once, a, b), once)
          << limit.name << " " << wanted << " " << a << " " << b;
    }
  }
}

TEST(LimitsTest, AreMonotoneInWhatIsWanted) {
  std::mt19937_64 random(3);
  for (int i = 0; i < kDraws; ++i) {
    double less = Anything(random);
    double more = Anything(random);
    if (!std::isfinite(less) || !std::isfinite(more)) continue;
    if (less > more) std::swap(less, more);
    const double a = Anything(random);
    const double b = Anything(random);
    for (const Limit& limit : kClamps) {
      ASSERT_LE(limit.apply(less, a, b), limit.apply(more, a, b)) << limit.name;
    }
  }
}

TEST(LimitsTest, ATighterAllowanceNeverLetsMoreThrough) {
  std::mt19937_64 random(4);
  for (int i = 0; i < kDraws; ++i) {
    const double wanted = Anything(random);
    const double last = Anything(random);
    double tight = std::abs(Anything(random));
    double wide = std::abs(Anything(random));
    if (!std::isfinite(tight) || !std::isfinite(wide)) continue;
    if (tight > wide) std::swap(tight, wide);
    ASSERT_LE(std::abs(ClampMagnitude(wanted, tight)), std::abs(ClampMagnitude(wanted, wide)));
    ASSERT_LE(std::abs(ClampInto(wanted, -tight, tight)), std::abs(ClampInto(wanted, -wide, wide)));
    ASSERT_LE(std::abs(ClampRate(wanted, last, tight)), std::abs(ClampRate(wanted, last, wide)));
  }
}

TEST(LimitsTest, ClampIntoHoldsBothEnds) {
  EXPECT_EQ(ClampInto(0.99, -0.5, 1), 0.99);
  EXPECT_EQ(ClampInto(1.01, -0.5, 1), 1);
  EXPECT_EQ(ClampInto(-0.49, -0.5, 1), -0.49);
  EXPECT_EQ(ClampInto(-0.51, -0.5, 1), -0.5);
  EXPECT_EQ(ClampInto(-0.1, 0, 1), 0);
}

TEST(LimitsTest, AnAllowanceThatIsNotFiniteAllowsNothing) {
  for (double none : {kNan, kInfinity}) {
    EXPECT_EQ(ClampInto(0.5, -1, none), 0) << none;
    EXPECT_EQ(ClampInto(-0.5, -none, 1), 0) << none;
    EXPECT_EQ(ClampRate(0.5, 0, none), 0) << none;
  }
}

TEST(LimitsTest, ARateFromWhatIsNotFiniteStartsAtZero) {
  for (double last : {kNan, kInfinity, -kInfinity}) {
    EXPECT_EQ(ClampRate(1, last, 0.1), 0.1) << last;
    EXPECT_EQ(ClampRate(-1, last, 0.1), -0.1) << last;
  }
}

TEST(LimitsTest, ARateLimitsGoingAwayFromZeroOnly) {
  EXPECT_DOUBLE_EQ(ClampRate(1.0, 0.5, 0.1), 0.6);
  EXPECT_DOUBLE_EQ(ClampRate(0.59, 0.5, 0.1), 0.59);
  EXPECT_EQ(ClampRate(0.0, 0.5, 0.1), 0.0) << "a model may always brake";
  EXPECT_DOUBLE_EQ(ClampRate(-1.0, -0.5, 0.1), -0.6);
}

TEST(LimitsTest, ARatePassesThroughZeroToChangeSign) {
  EXPECT_EQ(ClampRate(-1.0, 0.5, 0.1), 0.0);
  EXPECT_EQ(ClampRate(1.0, -0.5, 0.1), 0.0);
  EXPECT_DOUBLE_EQ(ClampRate(-1.0, 0.02, 0.1), -0.08) << "what is left of the step may be used";
}

TEST(CurveTest, IsLinearBetweenPointsAndFlatOutside) {
  const Curve curve{{0.2, 0.6, 1.0}, {2.0, 1.0, 0.5}};
  EXPECT_EQ(curve.At(0.0), 2.0);
  EXPECT_EQ(curve.At(0.2), 2.0);
  EXPECT_DOUBLE_EQ(curve.At(0.4), 1.5);
  EXPECT_DOUBLE_EQ(curve.At(0.6), 1.0);
  EXPECT_DOUBLE_EQ(curve.At(0.8), 0.75);
  EXPECT_EQ(curve.At(1.0), 0.5);
  EXPECT_EQ(curve.At(9.0), 0.5);
  EXPECT_EQ(curve.At(kNan), 2.0);
  EXPECT_EQ(curve.Least(), 0.5);
}

TEST(CurveTest, GivesTheValueOfAPointExactly) {
  // 2.0 + 1 * (0.1 - 2.0) is not 0.1.
  EXPECT_EQ((Curve{{0.0, 1.0}, {2.0, 0.1}}.At(1.0)), 0.1);
  EXPECT_EQ((Curve{{0.0, 1.0, 2.0}, {2.0, 0.1, 0.0}}.At(1.0)), 0.1);
}

TEST(CurveTest, MayBeOnePoint) {
  const Curve curve{{0.0}, {1.5}};
  EXPECT_EQ(curve.At(0), 1.5);
  EXPECT_EQ(curve.At(3), 1.5);
}

}  // namespace
}  // namespace agent::runtime
