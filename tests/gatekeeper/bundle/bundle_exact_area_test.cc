#include <algorithm>
#include <cmath>
#include <random>

#include "gatekeeper/bundle/exact_area.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/bundle/cell_oracle.h"
#include "tests/support/cases.h"

namespace {

using namespace gatekeeper::bundle;  // NOLINT(google-build-using-namespace)
using agent::runtime::Vec2;

Shape Polygon(std::vector<GridPoint> corners) {
  return {.corners = std::move(corners), .centre = {}, .radius_um = 0};
}
Shape Circle(int64_t x, int64_t y, int64_t r) {
  return {.corners = {}, .centre = {x, y}, .radius_um = r};
}
Shape Square(int64_t x, int64_t y, int64_t side) {
  return Polygon({{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}});
}

bool Inside(const Shape& inner, const Shape& outer) {
  return !FindCell({inner, outer}, [](const std::vector<bool>& in) { return in[0] && !in[1]; });
}
bool Overlap(const Shape& a, const Shape& b) {
  return FindCell({a, b}, [](const std::vector<bool>& in) { return in[0] && in[1]; }).has_value();
}

TEST(OnGridTest, TakesWholeMicrometresUpToTenKilometres) {
  EXPECT_EQ(OnGrid(0.1), 100'000);
  EXPECT_EQ(OnGrid(-12.345678), -12'345'678);
  EXPECT_EQ(OnGrid(10'000.0), 10'000'000'000);
  EXPECT_EQ(OnGrid(10'000.000001), std::nullopt);
  EXPECT_EQ(OnGrid(0.1234567), std::nullopt);
  EXPECT_EQ(OnGrid(std::nan("")), std::nullopt);
  EXPECT_EQ(OnGrid(INFINITY), std::nullopt);
}

TEST(ExactAreaTest, APolygonThatOnlyTouchesIsInsideAndSharesNothing) {
  EXPECT_TRUE(Inside(Square(0, 0, 10), Square(0, 0, 10)));
  EXPECT_TRUE(Inside(Square(0, 0, 5), Square(0, 0, 10)));
  EXPECT_FALSE(Inside(Square(0, 0, 10), Square(0, 0, 9)));
  EXPECT_FALSE(Overlap(Square(0, 0, 10), Square(10, 0, 10)));
  EXPECT_TRUE(Overlap(Square(0, 0, 10), Square(9, 9, 10)));
}

TEST(ExactAreaTest, OneMicrometreBeyondASlantedEdgeOfKilometresIsSeen) {
  const int64_t km = 1'000'000'000;
  const Shape triangle = Polygon({{-3 * km, -7 * km}, {9 * km, 2 * km}, {-5 * km, 8 * km}});
  const Shape larger = Polygon({{-3 * km, -7 * km}, {9 * km, 2 * km}, {-5 * km - 1, 8 * km + 1}});
  EXPECT_TRUE(Inside(triangle, larger));
  EXPECT_FALSE(Inside(larger, triangle));
}

TEST(ExactAreaTest, ACircleFitsAPolygonUpToTouchingItsEdges) {
  EXPECT_TRUE(Inside(Circle(5, 5, 5), Square(0, 0, 10)));
  EXPECT_FALSE(Inside(Circle(5, 5, 6), Square(0, 0, 11)));
  EXPECT_FALSE(Inside(Circle(5, 6, 5), Square(0, 0, 10)));
  // A 3-4-5 triangle's incircle has radius 1; scaled by 1000 it touches all three edges.
  const Shape triangle = Polygon({{0, 0}, {4000, 0}, {0, 3000}});
  EXPECT_TRUE(Inside(Circle(1000, 1000, 1000), triangle));
  EXPECT_FALSE(Inside(Circle(1000, 1000, 1001), triangle));
  EXPECT_FALSE(Inside(Circle(1001, 1000, 1000), triangle));
}

TEST(ExactAreaTest, APolygonFitsACircleUpToItsCorners) {
  // The corners of this square are (+-3, +-4) and (+-4, +-3) turned: all on the circle of radius 5.
  const Shape inscribed = Polygon({{3, 4}, {-4, 3}, {-3, -4}, {4, -3}});
  EXPECT_TRUE(Inside(inscribed, Circle(0, 0, 5)));
  EXPECT_FALSE(Inside(Polygon({{3, 5}, {-4, 3}, {-3, -4}, {4, -3}}), Circle(0, 0, 5)));
}

TEST(ExactAreaTest, CirclesTouchFromInsideAndOutside) {
  EXPECT_TRUE(Inside(Circle(-2, 0, 3), Circle(0, 0, 5)));
  EXPECT_FALSE(Inside(Circle(-3, 0, 3), Circle(0, 0, 5)));
  EXPECT_FALSE(Overlap(Circle(-5, 0, 5), Circle(5, 0, 5)));
  EXPECT_TRUE(Overlap(Circle(-5, 0, 5), Circle(4, 0, 5)));
  EXPECT_TRUE(Inside(Circle(0, 0, 5), Circle(0, 0, 5)));
}

TEST(ExactAreaTest, TwoShapesTogetherMayCoverWhatNeitherDoes) {
  const Shape whole = Square(0, 0, 10);
  const Shape left = Polygon({{0, 0}, {5, 0}, {5, 10}, {0, 10}});
  const Shape right = Polygon({{5, 0}, {10, 0}, {10, 10}, {5, 10}});
  const auto uncovered = [](const std::vector<bool>& in) { return in[0] && !in[1] && !in[2]; };
  EXPECT_FALSE(FindCell({whole, left, right}, uncovered));
  const Shape less = Polygon({{6, 0}, {10, 0}, {10, 10}, {6, 10}});
  const auto gap = FindCell({whole, left, less}, uncovered);
  ASSERT_TRUE(gap);
  EXPECT_GT(gap->x, 5e-6);
  EXPECT_LT(gap->x, 6e-6);
}

TEST(ExactAreaTest, SimpleMeansNoEdgeTouchesAnother) {
  EXPECT_TRUE(IsSimple(Square(0, 0, 10)));
  EXPECT_FALSE(IsSimple(Polygon({{0, 0}, {10, 0}})));
  EXPECT_FALSE(IsSimple(Polygon({{0, 0}, {10, 10}, {10, 0}, {0, 10}})));  // a bow tie
  EXPECT_FALSE(IsSimple(Polygon({{0, 0}, {10, 0}, {20, 0}})));            // no area
  EXPECT_FALSE(IsSimple(Polygon({{0, 0}, {10, 0}, {10, 0}, {0, 10}})));   // an edge of length 0
  EXPECT_FALSE(IsSimple(Polygon({{0, 0}, {10, 0}, {5, 0}, {5, 10}})));    // folds back
  EXPECT_FALSE(
      IsSimple(Polygon({{0, 0}, {10, 0}, {10, 10}, {5, 0}, {0, 10}})));  // a corner on an edge
}

TEST(ExactAreaTest, SideKnowsTheBorderFromBothSides) {
  const Shape square = Square(0, 0, 10);
  EXPECT_EQ(Side(square, {5, 5}), 1);
  EXPECT_EQ(Side(square, {10, 5}), 0);
  EXPECT_EQ(Side(square, {10, 10}), 0);
  EXPECT_EQ(Side(square, {11, 5}), -1);
  EXPECT_EQ(Side(square, {-1, 10}), -1);  // a ray along an edge counts nothing
  EXPECT_EQ(Side(Circle(0, 0, 5), {3, 3}), 1);
  EXPECT_EQ(Side(Circle(0, 0, 5), {3, 4}), 0);
  EXPECT_EQ(Side(Circle(0, 0, 5), {4, 4}), -1);
}

// Circles too: every grid point that lies strictly on one side of all borders is in some cell, an
// oracle that knows nothing of strips. bundle_area_oracle_test.cc asks of polygons alone, with
// fractions. Coordinates are small, so that corners fall on edges and circles touch.
class OracleTest : public testing::TestWithParam<unsigned> {
 protected:
  static constexpr int64_t kUnit = 4;  // points lie on the grid between the corners too
  static constexpr int64_t kReach = 6;

  int64_t Coordinate() {
    return kUnit * std::uniform_int_distribution<int64_t>(-kReach, kReach)(random_);
  }

  Shape AnyShape() {
    if (random_() % 3 == 0) {
      return Circle(Coordinate(), Coordinate(), kUnit * static_cast<int64_t>(1 + random_() % 5));
    }
    while (true) {
      std::vector<GridPoint> corners(3 + random_() % 4);
      for (GridPoint& corner : corners) corner = {Coordinate(), Coordinate()};
      if (const Shape shape = Polygon(corners); IsSimple(shape)) return shape;
    }
  }

  // 1 inside, 0 on the border, -1 outside, asked of anything but the code under test.
  static int SideOf(const Shape& shape, GridPoint p) {
    if (!shape.corners.empty()) {
      const auto held = tests::CellOracle::Holding({shape.corners}, p);
      return !held ? 0 : held->front() ? 1 : -1;
    }
    const int64_t dx = p.x_um - shape.centre.x_um;
    const int64_t dy = p.y_um - shape.centre.y_um;
    const int64_t beyond = dx * dx + dy * dy - shape.radius_um * shape.radius_um;
    return beyond < 0 ? 1 : beyond == 0 ? 0 : -1;
  }

  // Held by exactly the shapes that `asked` names, and on no border.
  static bool IsHeldBy(const std::vector<Shape>& shapes, const std::vector<bool>& asked,
                       GridPoint p) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (SideOf(shapes[i], p) != (asked[i] ? 1 : -1)) return false;
    }
    return true;
  }
  static bool IsOnABorder(const std::vector<Shape>& shapes, GridPoint p) {
    return std::any_of(shapes.begin(), shapes.end(),
                       [&](const Shape& shape) { return SideOf(shape, p) == 0; });
  }

  // Some point of the grid lies in such a cell. The last shape is asked to hold it, so none lies
  // beyond that one.
  static bool SomePointIsHeld(const std::vector<Shape>& shapes, const std::vector<bool>& asked) {
    const Shape& last = shapes.back();
    GridPoint low = {last.centre.x_um - last.radius_um, last.centre.y_um - last.radius_um};
    GridPoint high = {last.centre.x_um + last.radius_um, last.centre.y_um + last.radius_um};
    if (!last.corners.empty()) low = high = last.corners.front();
    for (const GridPoint corner : last.corners) {
      low = {std::min(low.x_um, corner.x_um), std::min(low.y_um, corner.y_um)};
      high = {std::max(high.x_um, corner.x_um), std::max(high.y_um, corner.y_um)};
    }
    for (int64_t x = low.x_um; x <= high.x_um; ++x) {
      for (int64_t y = low.y_um; y <= high.y_um; ++y) {
        if (IsHeldBy(shapes, asked, {x, y})) return true;
      }
    }
    return false;
  }

  std::mt19937 random_{GetParam()};
};

TEST_P(OracleTest, FindsACellExactlyWhenSomePointProvesIt) {
  for (int round = 0; round < tests::Cases(250); ++round) {
    const std::vector<Shape> shapes = {AnyShape(), AnyShape(), AnyShape()};
    const std::vector<bool> asked = {random_() % 2 == 0, random_() % 2 == 0, true};
    const auto cell = FindCell(shapes, [&](const std::vector<bool>& in) { return in == asked; });
    if (!cell) {
      EXPECT_FALSE(SomePointIsHeld(shapes, asked)) << "seed " << GetParam() << " round " << round;
      continue;
    }
    // The proof's own point, or one beside it on a grid a thousand times finer: cells may be thin.
    std::vector<Shape> fine = shapes;
    for (Shape& shape : fine) {
      for (GridPoint& corner : shape.corners) corner = {1000 * corner.x_um, 1000 * corner.y_um};
      shape.centre = {1000 * shape.centre.x_um, 1000 * shape.centre.y_um};
      shape.radius_um *= 1000;
    }
    const GridPoint at{std::llround(cell->x * 1e9), std::llround(cell->y * 1e9)};
    bool proved = false;
    for (const int64_t dx : {0, -1, 1}) {
      for (const int64_t dy : {0, -1, 1}) {
        const GridPoint beside = {at.x_um + dx, at.y_um + dy};
        proved = proved || IsHeldBy(fine, asked, beside) || IsOnABorder(fine, beside);
      }
    }
    EXPECT_TRUE(proved) << "seed " << GetParam() << " round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, OracleTest, testing::Range(1U, 9U));

}  // namespace
