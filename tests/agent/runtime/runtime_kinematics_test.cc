#include <array>
#include <cmath>
#include <random>

#include "agent/runtime/kinematics.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/cases.h"

namespace agent::runtime {
namespace {

DhLink Link(double a, double alpha, double d, double offset = 0) {
  return {.a_m = a, .d_m = d, .theta_offset_rad = offset, .alpha = ExactSinCos(alpha)};
}

TEST(ToolPointTest, FollowsAPlanarArm) {
  const std::vector<DhLink> chain = {Link(0.5, 0, 0), Link(0.4, 0, 0)};
  const Vec3 straight = ToolPoint(chain, std::array{0.0, 0.0});
  EXPECT_NEAR(straight.x, 0.9, 1e-15);
  EXPECT_NEAR(straight.y, 0, 1e-15);
  const Vec3 bent = ToolPoint(chain, std::array{kPi / 2, -kPi / 2});
  EXPECT_NEAR(bent.x, 0.4, 1e-15);
  EXPECT_NEAR(bent.y, 0.5, 1e-15);
  EXPECT_EQ(bent.z, 0);
}

TEST(ToolPointTest, LiftsAShoulderAfterAnUprightBase) {
  // The base turns about z, alpha = 90 degrees lays the shoulder's axis flat.
  const std::vector<DhLink> chain = {Link(0, kPi / 2, 0.3), Link(0.4, 0, 0, kPi / 2)};
  const Vec3 up = ToolPoint(chain, std::array{0.7, 0.0});
  EXPECT_NEAR(up.x, 0, 1e-15);
  EXPECT_NEAR(up.y, 0, 1e-15);
  EXPECT_NEAR(up.z, 0.7, 1e-15);
  const Vec3 ahead = ToolPoint(chain, std::array{kPi / 2, -kPi / 2});
  EXPECT_NEAR(ahead.x, 0, 1e-15);
  EXPECT_NEAR(ahead.y, 0.4, 1e-15);
  EXPECT_NEAR(ahead.z, 0.3, 1e-15);
}

// The matrices of the textbook, multiplied from the base outwards.
using Matrix = std::array<std::array<double, 4>, 4>;

Matrix Times(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      for (size_t k = 0; k < 4; ++k) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

Matrix TextbookLink(double theta, double d, double a, double alpha) {
  const double ct = std::cos(theta), st = std::sin(theta);
  const double ca = std::cos(alpha), sa = std::sin(alpha);
  return {{{ct, -st * ca, st * sa, a * ct},
           {st, ct * ca, -ct * sa, a * st},
           {0, sa, ca, d},
           {0, 0, 0, 1}}};
}

TEST(ToolPointTest, EqualsTheTextbooksMatricesForAnyChain) {
  std::mt19937_64 random(1);
  const auto in = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  };
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const size_t joints = 1 + random() % 7;
    std::vector<DhLink> chain;
    std::vector<double> q;
    Matrix product = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
    for (size_t j = 0; j < joints; ++j) {
      const double a = in(-0.6, 0.6), alpha = in(-kPi, kPi), d = in(-0.4, 0.4);
      const double offset = in(-kPi, kPi);
      chain.push_back(Link(a, alpha, d, offset));
      q.push_back(in(-6, 6));
      product = Times(product, TextbookLink(q.back() + offset, d, a, alpha));
    }
    const Vec3 tool = ToolPoint(chain, q);
    ASSERT_NEAR(tool.x, product[0][3], 1e-12);
    ASSERT_NEAR(tool.y, product[1][3], 1e-12);
    ASSERT_NEAR(tool.z, product[2][3], 1e-12);
  }
}

TEST(DistanceTest, IsEuclids) { EXPECT_EQ(Distance(Vec3{1, 2, 3}, Vec3{3, 5, 9}), 7); }

}  // namespace
}  // namespace agent::runtime
