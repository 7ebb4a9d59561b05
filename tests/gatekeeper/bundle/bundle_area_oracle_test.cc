#include <cstdint>
#include <random>
#include <vector>

#include "gatekeeper/bundle/exact_area.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/bundle/cell_oracle.h"
#include "tests/support/cases.h"

// Is an envelope, less what the policy excludes, within a geofence with a hole? Asked of FindCell
// as envelope_checks.cc asks it, and of an oracle that shares nothing with it. Corners lie on a
// grid of 13 by 13, so that edges touch, cross at corners and lie on each other all the time.

namespace {

using namespace gatekeeper::bundle;  // NOLINT(google-build-using-namespace)
using tests::CellOracle;
using tests::Ring;

constexpr int kWithinCases = 100'000;  // by all seeds together
constexpr unsigned kWithinSeeds = 8;

class WithinOracleTest : public testing::TestWithParam<unsigned> {
 protected:
  int64_t From(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }

  Ring AnyRing(size_t most_corners, int64_t reach) {
    while (true) {
      Ring ring(3 + random_() % (most_corners - 2));
      for (GridPoint& corner : ring) corner = {From(-reach, reach), From(-reach, reach)};
      if (IsSimple({.corners = ring, .centre = {}})) return ring;
    }
  }

  // An upright box: its edges lie on those of others often.
  Ring AnyBox(int64_t reach) {
    const int64_t x = From(-reach, reach - 1);
    const int64_t y = From(-reach, reach - 1);
    const int64_t right = From(x + 1, reach);
    const int64_t top = From(y + 1, reach);
    return {{x, y}, {right, y}, {right, top}, {x, top}};
  }

  Ring Any(size_t most_corners, int64_t reach) {
    return random_() % 3 == 0 ? AnyBox(reach) : AnyRing(most_corners, reach);
  }

  // What the policy includes and excludes, then the fence and its hole. Half of the fences are
  // large boxes, so that about as many envelopes stay within as leave.
  std::vector<Ring> AnySite() {
    std::vector<Ring> rings = {Any(5, 4), Any(4, 6), Any(5, 6), Any(4, 5)};
    if (random_() % 2 == 0) {
      const int64_t edge = From(3, 6);
      rings[2] = {{-edge, -4}, {edge, -4}, {edge, From(3, 6)}, {-edge, From(4, 6)}};
    }
    return rings;
  }

  std::mt19937_64 random_{GetParam()};
};

bool Beyond(const std::vector<bool>& in) { return in[0] && !in[1] && !(in[2] && !in[3]); }

TEST_P(WithinOracleTest, AnEnvelopeLeavesAFenceExactlyWhenSomeCellDoes) {
  const int rounds = tests::Cases(kWithinCases) / static_cast<int>(kWithinSeeds) + 1;
  int leaves = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<Ring> rings = AnySite();
    std::vector<Shape> shapes;
    for (const Ring& ring : rings) shapes.push_back({.corners = ring, .centre = {}});
    const CellOracle oracle(rings);
    const bool expected = std::any_of(oracle.cells().begin(), oracle.cells().end(), Beyond);
    ASSERT_EQ(FindCell(shapes, Beyond).has_value(), expected)
        << "seed " << GetParam() << " round " << round;
    leaves += expected ? 1 : 0;
  }
  EXPECT_GT(leaves, rounds / 5);
  EXPECT_LT(leaves, rounds * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, WithinOracleTest, testing::Range(1U, 1 + kWithinSeeds));

// The oracle itself, on cells counted by hand.
TEST(CellOracleTest, KnowsTheCellsOfTwoSquaresThatOverlapTouchOrLieApart) {
  using Cells = std::set<std::vector<bool>>;
  const Ring square = {{0, 0}, {2, 0}, {2, 2}, {0, 2}};
  const auto cells = [&square](int64_t dx, int64_t dy) {
    Ring moved = square;
    for (GridPoint& corner : moved) corner = {corner.x_um + dx, corner.y_um + dy};
    const std::vector<Ring> rings = {square, moved};
    return CellOracle(rings).cells();
  };
  const std::vector<bool> none = {false, false};
  const std::vector<bool> first = {true, false};
  const std::vector<bool> second = {false, true};
  const std::vector<bool> both = {true, true};
  EXPECT_EQ(cells(1, 1), (Cells{none, first, second, both}));
  EXPECT_EQ(cells(2, 0), (Cells{none, first, second}));  // share an edge
  EXPECT_EQ(cells(2, 2), (Cells{none, first, second}));  // share a corner
  EXPECT_EQ(cells(0, 0), (Cells{none, both}));
  EXPECT_EQ(cells(5, 0), (Cells{none, first, second}));
}

}  // namespace
