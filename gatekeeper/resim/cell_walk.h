#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "agent/runtime/geometry.h"

namespace gatekeeper::resim {

// One square after the other along a ray (Amanatides and Woo, 1987). Coordinates count in cells.
class CellWalk {
 public:
  CellWalk(double x, double y, double dx, double dy)
      : column_(static_cast<int64_t>(std::floor(x))),
        row_(static_cast<int64_t>(std::floor(y))),
        step_x_(dx > 0 ? 1 : -1),
        step_y_(dy > 0 ? 1 : -1),
        delta_x_(dx == 0 ? kNever : std::abs(1 / dx)),
        delta_y_(dy == 0 ? kNever : std::abs(1 / dy)),
        next_x_(dx == 0 ? kNever : ToBorder(x, column_, step_x_) * delta_x_),
        next_y_(dy == 0 ? kNever : ToBorder(y, row_, step_y_) * delta_y_) {}

  int64_t column() const { return column_; }
  int64_t row() const { return row_; }
  double entry() const { return entry_; }  // where along the ray this cell begins
  double exit() const { return next_x_ < next_y_ ? next_x_ : next_y_; }

  void Advance() {
    entry_ = exit();
    if (next_x_ < next_y_) {
      column_ += step_x_;
      next_x_ += delta_x_;
    } else {
      row_ += step_y_;
      next_y_ += delta_y_;
    }
  }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  static double ToBorder(double at, int64_t cell, int64_t step) {
    const double inside = at - static_cast<double>(cell);
    return step > 0 ? 1 - inside : inside;
  }

  int64_t column_;
  int64_t row_;
  int64_t step_x_;
  int64_t step_y_;
  double delta_x_;
  double delta_y_;
  double next_x_;
  double next_y_;
  double entry_ = 0;
};

}  // namespace gatekeeper::resim
