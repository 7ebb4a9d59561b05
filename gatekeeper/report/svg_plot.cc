#include "gatekeeper/report/svg_plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "gatekeeper/report/plot_scale.h"
#include "gatekeeper/report/text.h"

namespace gatekeeper::report {
namespace {

constexpr double kWidth = 600;
constexpr double kLeft = 64;  // for the y labels
constexpr double kRight = 16;
constexpr double kTop = 16;
constexpr double kBottom = 46;  // for the x labels
constexpr double kLegendLine = 18;
constexpr double kLegendEntry = 180;
constexpr double kRow = 22;  // of a bar or interval with a label
constexpr int kMaxMarks = 40;
constexpr size_t kMaxLabel = 28;

// Rows with names beside them (segments, gates) are drawn lying down.
bool Lying(const v1::Figure& figure) {
  return figure.series_size() > 0 && figure.series(0).labels_size() > 0;
}

class Plot {
 public:
  explicit Plot(const v1::Figure& figure) : figure_(figure), lying_(Lying(figure)) { Lay(); }

  std::string Text() {
    out_ = absl::StrFormat("<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n", kWidth,
                           height_ + LegendHeight(), EscapeXml(figure_.title()));
    Axes();
    // A map shows the way and what stands around it, not every zone to its end: what lies outside
    // is cut off by an inner picture. What covers much lies below what is thin.
    if (figure_.equal_axes()) OpenFrame();
    for (const auto kind : {v1::Series::AREA, v1::Series::POINTS, v1::Series::BARS,
                            v1::Series::INTERVALS, v1::Series::LINE}) {
      for (int i = 0; i < figure_.series_size(); ++i) {
        if (figure_.series(i).kind() == kind) Draw(figure_.series(i), i % kColours);
      }
    }
    if (figure_.equal_axes()) out_ += "</svg>\n";
    Marks();
    Legend();
    return out_ + "</svg>\n";
  }

 private:
  static constexpr int kColours = 6;      // classes s0 to s5 of the style sheet
  static constexpr int kManyPoints = 50;  // from here on they are ground, and drawn as such

  static bool IsGround(const v1::Series& series) {
    return series.kind() == v1::Series::POINTS && series.x_size() >= kManyPoints;
  }

  void OpenFrame() {
    const double width = kWidth - left_ - kRight;
    const double height = height_ - kTop - kBottom;
    out_ += absl::StrFormat(
        "<svg x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" viewBox=\"%g %g %g %g\">\n", left_, kTop,
        width, height, left_, kTop, width, height);
  }

  // Whether the picture must be large enough for it.
  bool Leads(const v1::Series& series) const {
    return !figure_.equal_axes() || series.kind() == v1::Series::LINE;
  }

  void Lay() {
    Extent x;
    Extent y;
    for (const v1::Series& series : figure_.series()) {
      if (!Leads(series)) continue;
      for (const double v : series.x()) x.Take(v);
      for (const double v : series.y()) y.Take(v);
      for (const double v : series.low()) (lying_ ? x : y).Take(v);
      for (const double v : series.high()) (lying_ ? x : y).Take(v);
      if (series.kind() == v1::Series::BARS) (lying_ ? x : y).Take(0);
    }
    for (const v1::Mark& mark : figure_.marks()) {
      x.Take(mark.x());
      if (!lying_) y.Take(mark.y());
    }
    const bool map = figure_.equal_axes() && !x.empty && !y.empty;
    if (map) MakeEqual(x, y);
    x_ = RoundTicks(x);
    y_ = RoundTicks(y);
    if (map) {
      Keep(x, x_);
      Keep(y, y_);
    }
    left_ = lying_ ? 210 : kLeft;
    height_ = lying_ ? kTop + kBottom + kRow * figure_.series(0).labels_size() : Height();
  }

  // One metre is as long upwards as sideways: the shorter side is widened around its middle.
  void MakeEqual(Extent& x, Extent& y) const {
    const double wide = kWidth - kLeft - kRight;
    const double high = kMapHeight - kTop - kBottom;
    const double per_m = std::max((x.high - x.low) / wide, (y.high - y.low) / high);
    const auto widen = [](Extent& extent, double to) {
      const double more = std::max(0.0, to - (extent.high - extent.low)) / 2;
      extent.Widen(extent.low - more, extent.high + more);
    };
    const double around = 2 * kMapMargin_m / std::min(wide, high);
    const double room = std::max(per_m * 1.06, per_m + around);  // nothing touches the frame
    widen(x, room * wide);
    widen(y, room * high);
  }

  // An axis from end to end of the extent, without the round numbers beyond it.
  static void Keep(const Extent& extent, Ticks& ticks) {
    ticks.low = extent.low;
    ticks.high = extent.high;
    ticks.at.erase(std::remove_if(ticks.at.begin(), ticks.at.end(),
                                  [&](double v) { return v < extent.low || v > extent.high; }),
                   ticks.at.end());
  }

  double Height() const { return figure_.equal_axes() ? kMapHeight : 300; }
  double X(double v) const {
    return left_ + (v - x_.low) / (x_.high - x_.low) * (kWidth - left_ - kRight);
  }
  double Y(double v) const {
    return height_ - kBottom - (v - y_.low) / (y_.high - y_.low) * (height_ - kTop - kBottom);
  }
  double RowY(int row) const { return kTop + kRow * (row + 0.5); }

  void Text(double x, double y, const char* style, const std::string& text) {
    out_ += absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, style,
                            EscapeXml(text));
  }
  void Line(double x1, double y1, double x2, double y2, const std::string& style) {
    out_ +=
        absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n",
                        x1, y1, x2, y2, style);
  }

  void Axes() {
    const double bottom = height_ - kBottom;
    for (const double v : x_.at) {
      Line(X(v), kTop, X(v), bottom, "grid");
      Text(X(v), bottom + 16, "tick mid", x_.Label(v));
    }
    if (!lying_) {
      for (const double v : y_.at) {
        Line(left_, Y(v), kWidth - kRight, Y(v), "grid");
        Text(left_ - 8, Y(v) + 4, "tick end", y_.Label(v));
      }
      out_ += absl::StrFormat(
          "<text transform=\"translate(14 %.1f) rotate(-90)\" class=\"label mid\">%s</text>\n",
          (kTop + bottom) / 2, EscapeXml(figure_.y_label()));
    }
    Text((left_ + kWidth - kRight) / 2, bottom + 36, "label mid", figure_.x_label());
    for (int row = 0; lying_ && row < figure_.series(0).labels_size(); ++row) {
      Text(left_ - 8, RowY(row) + 4, "tick end",
           Shortened(figure_.series(0).labels(row), kMaxLabel));
    }
  }

  void Draw(const v1::Series& series, int colour) {
    switch (series.kind()) {
      case v1::Series::BARS:
        return lying_ ? LyingBars(series, colour) : Bars(series, colour);
      case v1::Series::INTERVALS:
        return lying_ ? LyingIntervals(series, colour) : Intervals(series, colour);
      case v1::Series::POINTS:
        return Points(series, colour);
      case v1::Series::AREA:
        return Path(series, absl::StrFormat("area s%d", colour), true);
      default:
        return Path(series, absl::StrFormat("line s%d", colour), false);
    }
  }

  void Path(const v1::Series& series, const std::string& style, bool closed) {
    std::string path;
    bool pen_up = true;
    for (int i = 0; i < std::min(series.x_size(), series.y_size()); ++i) {
      if (!std::isfinite(series.x(i)) || !std::isfinite(series.y(i))) {
        pen_up = true;
        continue;
      }
      path += absl::StrFormat("%c%.1f %.1f", pen_up ? 'M' : 'L', X(series.x(i)), Y(series.y(i)));
      pen_up = false;
    }
    if (path.empty()) return;
    out_ += absl::StrFormat("<path d=\"%s%s\" class=\"%s\"/>\n", path, closed ? "Z" : "", style);
  }

  // One path of round dots: an element each would make up most of the page.
  void Ground(const v1::Series& series) {
    std::string path;
    for (int i = 0; i < std::min(series.x_size(), series.y_size()); ++i) {
      if (!std::isfinite(series.x(i)) || !std::isfinite(series.y(i))) continue;
      path += absl::StrFormat("M%.1f %.1fh0", X(series.x(i)), Y(series.y(i)));
    }
    out_ += absl::StrFormat("<path d=\"%s\" class=\"ground\"/>\n", path);
  }

  void Points(const v1::Series& series, int colour) {
    if (IsGround(series)) return Ground(series);
    for (int i = 0; i < std::min(series.x_size(), series.y_size()); ++i) {
      if (!std::isfinite(series.x(i)) || !std::isfinite(series.y(i))) continue;
      out_ += absl::StrFormat("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"dot s%d\"/>\n",
                              X(series.x(i)), Y(series.y(i)), colour);
    }
  }

  void Box(double x1, double y1, double x2, double y2, int colour) {
    out_ += absl::StrFormat(
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"bar s%d\"/>\n",
        std::min(x1, x2), std::min(y1, y2), std::max(std::abs(x2 - x1), 0.5),
        std::max(std::abs(y2 - y1), 0.5), colour);
  }

  // Standing bars: x is the middle of each; as wide as the step to the next.
  void Bars(const v1::Series& series, int colour) {
    const int n = std::min(series.x_size(), series.y_size());
    const double step = n > 1 ? (series.x(n - 1) - series.x(0)) / (n - 1) : x_.step;
    for (int i = 0; i < n; ++i) {
      if (!std::isfinite(series.y(i))) continue;
      Box(std::max(X(series.x(i) - step / 2), left_) + 0.5, Y(0),
          std::min(X(series.x(i) + step / 2), kWidth - kRight) - 0.5, Y(series.y(i)), colour);
    }
  }

  void LyingBars(const v1::Series& series, int colour) {
    for (int i = 0; i < series.x_size(); ++i) {
      if (!std::isfinite(series.x(i))) continue;
      Box(X(0), RowY(i) - kRow * 0.3, X(series.x(i)), RowY(i) + kRow * 0.3, colour);
    }
  }

  void Intervals(const v1::Series& series, int colour) {
    const std::string style = absl::StrFormat("line s%d", colour);
    for (int i = 0; i < std::min({series.x_size(), series.low_size(), series.high_size()}); ++i) {
      if (!std::isfinite(series.low(i)) || !std::isfinite(series.high(i))) continue;
      Line(X(series.x(i)), Y(series.low(i)), X(series.x(i)), Y(series.high(i)), style);
    }
    Points(series, colour);
  }

  // Rows: x is the value, low and high its bounds.
  void LyingIntervals(const v1::Series& series, int colour) {
    const std::string style = absl::StrFormat("line s%d", colour);
    for (int i = 0; i < series.x_size(); ++i) {
      if (i < series.low_size() && i < series.high_size() && std::isfinite(series.low(i)) &&
          std::isfinite(series.high(i))) {
        Line(X(series.low(i)), RowY(i), X(series.high(i)), RowY(i), style);
        Line(X(series.low(i)), RowY(i) - 5, X(series.low(i)), RowY(i) + 5, style);
      }
      if (!std::isfinite(series.x(i))) continue;
      out_ += absl::StrFormat("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"dot s%d\"/>\n",
                              X(series.x(i)), RowY(i), colour);
    }
  }

  // On a map or curve a dot with its text; beside rows a line across all of them.
  void Marks() {
    for (int i = 0; i < std::min(figure_.marks_size(), kMaxMarks); ++i) {
      const v1::Mark& mark = figure_.marks(i);
      if (!std::isfinite(mark.x())) continue;
      const bool dot = !lying_ && figure_.equal_axes() && std::isfinite(mark.y());
      const double y =
          dot ? Y(mark.y()) : kTop + 10 + 14 * (i % 4);  // neighbours beside one another
      if (dot) {
        out_ += absl::StrFormat("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" class=\"mark\"/>\n",
                                X(mark.x()), y);
      } else {
        Line(X(mark.x()), kTop, X(mark.x()), height_ - kBottom, "limit");
      }
      const bool right = X(mark.x()) > kWidth * 0.7;
      Text(X(mark.x()) + (right ? -9 : 9), dot ? y + 4 : y, right ? "note end" : "note",
           mark.text());
    }
  }

  bool HasLegend() const { return figure_.series_size() > 1; }
  double LegendHeight() const {
    const int a_line = static_cast<int>((kWidth - kLeft) / kLegendEntry);
    return HasLegend() ? kLegendLine * ((figure_.series_size() + a_line - 1) / a_line) + 4 : 0;
  }

  void Legend() {
    if (!HasLegend()) return;
    double x = kLeft;
    double y = height_ + 8;
    for (int i = 0; i < figure_.series_size(); ++i) {
      if (x + kLegendEntry > kWidth) {
        x = kLeft;
        y += kLegendLine;
      }
      const std::string style =
          IsGround(figure_.series(i)) ? "sg" : absl::StrFormat("s%d", i % kColours);
      out_ += absl::StrFormat(
          "<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"6\" class=\"bar %s\"/>\n", x, y - 6,
          style);
      Text(x + 20, y, "tick", Shortened(figure_.series(i).name(), kMaxLabel));
      x += kLegendEntry;
    }
  }

  static constexpr double kMapHeight = 520;
  static constexpr double kMapMargin_m = 3;  // what a robot could have been about to touch
  const v1::Figure& figure_;
  bool lying_;
  Ticks x_;
  Ticks y_;
  double left_ = kLeft;
  double height_ = 0;
  std::string out_;
};

}  // namespace

std::string SvgPlot(const v1::Figure& figure) { return Plot(figure).Text(); }

}  // namespace gatekeeper::report
