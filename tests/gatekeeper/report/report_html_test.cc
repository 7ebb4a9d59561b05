#include <cmath>
#include <limits>

#include "gatekeeper/report/plot_scale.h"
#include "gatekeeper/report/svg_plot.h"
#include "gatekeeper/report/writer.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/report/sample_report.h"
#include "tests/support/status_matchers.h"

namespace gatekeeper::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Ticks Around(double low, double high) {
  Extent extent;
  extent.Widen(low, high);
  return RoundTicks(extent);
}

TEST(RoundTicksTest, StandAtRoundNumbersThatTakeInEveryValue) {
  EXPECT_THAT(Around(0, 1).at, ElementsAre(0, 0.2, 0.4, 0.6000000000000001, 0.8, 1));
  EXPECT_THAT(Around(0, 100).at, ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(Around(-3, 7).at, ElementsAre(-4, -2, 0, 2, 4, 6, 8));
  for (double span = 1e-6; span < 1e9; span *= 1.37) {
    const Ticks ticks = Around(12.5, 12.5 + span);
    EXPECT_LE(ticks.low, 12.5 + span * 1e-9);
    EXPECT_GE(ticks.high, (12.5 + span) - span * 1e-6);
    EXPECT_GE(ticks.at.size(), 4u) << span;
    EXPECT_LE(ticks.at.size(), 9u) << span;
  }
}

TEST(RoundTicksTest, AnExtentWithoutWidthGetsSome) {
  EXPECT_LT(Around(3, 3).low, 3);
  EXPECT_GT(Around(3, 3).high, 3);
  EXPECT_EQ(RoundTicks(Extent{}).low, 0);
  EXPECT_EQ(RoundTicks(Extent{}).high, 1);
  Extent nothing;
  nothing.Take(kNaN);
  nothing.Take(std::numeric_limits<double>::infinity());
  EXPECT_TRUE(nothing.empty);
}

TEST(RoundTicksTest, LabelsHaveAsManyDecimalsAsTheStep) {
  EXPECT_EQ(Around(0, 1).Label(0.6000000000000001), "0.6");
  EXPECT_EQ(Around(0, 100).Label(40), "40");
  EXPECT_EQ(Around(-1, 1).Label(-1e-17), "0.0");
  EXPECT_EQ(Around(0, 0.02).Label(0.005), "0.005");
}

v1::Figure Line(std::vector<double> x, std::vector<double> y) {
  v1::Figure figure;
  figure.set_title("speed");
  figure.set_x_label("time (s)");
  figure.set_y_label("speed (m/s)");
  v1::Series& series = *figure.add_series();
  series.set_name("commanded");
  for (const double v : x) series.add_x(v);
  for (const double v : y) series.add_y(v);
  return figure;
}

TEST(SvgPlotTest, LooksAsReviewed) {
  v1::Figure figure = Line({0, 1, 2, 3}, {0, 0.5, kNaN, 1});
  v1::Series& second = *figure.add_series();
  second.set_name("<measured> & more");
  second.set_kind(v1::Series::POINTS);
  second.add_x(1);
  second.add_y(0.25);
  v1::Mark& mark = *figure.add_marks();
  mark.set_x(2);
  mark.set_text("here");
  ExpectGolden("plot.svg", SvgPlot(figure));
}

TEST(SvgPlotTest, WhatIsNoNumberBreaksALineAndNeverReachesThePage) {
  const std::string svg = SvgPlot(Line({0, 1, kNaN, 3, 4}, {0, 1, 1, INFINITY, 2}));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_THAT(svg, HasSubstr("M"));
  EXPECT_THAT(SvgPlot(Line({kNaN}, {kNaN})), Not(HasSubstr("<path")));
  EXPECT_THAT(SvgPlot(v1::Figure{}), HasSubstr("</svg>"));
}

TEST(SvgPlotTest, AMapHasTheSameMetreBothWays) {
  v1::Figure map = Line({0, 10}, {0, 1});
  map.set_equal_axes(true);
  v1::Mark& mark = *map.add_marks();
  mark.set_x(5);
  mark.set_y(0.5);
  mark.set_text("12.35 s");
  const std::string svg = SvgPlot(map);
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  const size_t path = svg.find("<path d=\"M");
  ASSERT_NE(path, std::string::npos);
  ASSERT_EQ(std::sscanf(svg.c_str() + path, "<path d=\"M%lf %lfL%lf %lf", &x1, &y1, &x2, &y2), 4);
  EXPECT_NEAR((x2 - x1) / 10, y1 - y2, 0.5);  // labels are to a tenth of a pixel
  EXPECT_THAT(svg, AllOf(HasSubstr("class=\"mark\""), HasSubstr("12.35 s")));
}

TEST(SvgPlotTest, AMapIsAsLargeAsTheWayAndWhatStandsFurtherIsCutOff) {
  v1::Figure map = Line({0, 4}, {0, 0});
  map.set_equal_axes(true);
  const auto way = [&map] {  // its path
    const std::string svg = SvgPlot(map);
    const size_t end = svg.find("class=\"line s0\"");
    const size_t begin = svg.rfind("<path", end);
    return svg.substr(begin, end - begin);
  };
  const std::string alone = way();
  v1::Series& site = *map.add_series();
  site.set_kind(v1::Series::AREA);
  for (const auto& [x, y] : {std::pair{-900, -900}, {900, -900}, {900, 900}}) {
    site.add_x(x);
    site.add_y(y);
  }
  EXPECT_EQ(way(), alone);
  const std::string svg = SvgPlot(map);
  const size_t frame = svg.find("<svg x=");  // which cuts off
  EXPECT_LT(frame, svg.find("class=\"area s1\""));
  EXPECT_LT(svg.find("class=\"line s0\""), svg.find("</svg>", frame));
}

TEST(SvgPlotTest, ManyPointsAreOneElementBelowTheLine) {
  v1::Figure map = Line({0, 10}, {0, 1});
  v1::Series& walls = *map.add_series();
  walls.set_kind(v1::Series::POINTS);
  for (int i = 0; i < 49; ++i) {
    walls.add_x(i * 0.2);
    walls.add_y(i == 7 ? kNaN : 0.5);
  }
  EXPECT_THAT(SvgPlot(map), AllOf(HasSubstr("<circle"), Not(HasSubstr("ground"))));
  walls.add_x(9.8);
  walls.add_y(0.5);
  const std::string svg = SvgPlot(map);
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("<circle")), Not(HasSubstr("nan"))));
  EXPECT_LT(svg.find("class=\"ground\""), svg.find("class=\"line s0\""));
}

TEST(SvgPlotTest, RowsWithNamesLieDown) {
  v1::Figure figure;
  v1::Series& series = *figure.add_series();
  series.set_kind(v1::Series::INTERVALS);
  for (const char* label : {"clean (n 24)", "dusty (n 20)"}) {
    series.add_labels(label);
    series.add_x(0.9);
    series.add_low(0.7);
    series.add_high(0.99);
  }
  const std::string svg = SvgPlot(figure);
  EXPECT_THAT(svg, AllOf(HasSubstr("clean (n 24)"), HasSubstr("dusty (n 20)")));
}

TEST(HtmlTest, LooksAsReviewed) {
  v1::GateReport report = Sample();
  v1::SegmentBound& segment = *report.mutable_gates(1)->add_segments();
  segment.set_tag("dusty");
  segment.set_outcome(v1::FAIL);
  segment.set_n(20);
  segment.set_value(0.45);
  segment.set_lower(0.231);
  segment.set_upper(0.68);
  segment.set_limit(0.8);
  *report.add_figures() = Line({0, 1}, {0, 1});
  v1::FaultCell& cell = *report.mutable_gates(0)->add_cells();
  cell.set_fault("drop:scan");
  cell.set_scenario("dusty_07");
  cell.set_wanted("stale_scan");
  cell.set_found("stale_scan");
  cell.set_detect_ms(kNaN);
  cell.set_safe_ms(812);
  cell.set_outcome(v1::PASS);
  ExpectGolden("report.html", WriteReport(ReportFormat::kHtml, report));
}

TEST(HtmlTest, StandsAloneAndRunsNothing) {
  v1::GateReport report = Sample();
  report.mutable_gates(1)->mutable_findings(0)->set_message("<script>alert(1)</script>");
  report.set_unit_name("\"><img src=x>");
  const std::string page = WriteReport(ReportFormat::kHtml, report);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
}

TEST(HtmlTest, AClipsNameLeadsToItFromWhereThePageLies) {
  const auto page = [](const std::string& clip, const std::string& file) {
    v1::GateReport report = Sample();
    report.mutable_gates(1)->mutable_findings(0)->set_clip(clip);
    return WriteReport(ReportFormat::kHtml, report, {.folder = "/home/ci", .file = file});
  };
  EXPECT_THAT(page("clips/a.mcap", "gate.html"),
              HasSubstr("<a href=\"clips/a.mcap\"><code>clips/a.mcap</code></a>"));
  EXPECT_THAT(page("clips/a.mcap", "out/gate.html"), HasSubstr("<a href=\"../clips/a.mcap\">"));
  EXPECT_THAT(page("/data/a.mcap", "gate.html"), HasSubstr("<a href=\"../../data/a.mcap\">"));
  EXPECT_THAT(page("javascript:\"x", "gate.html"), HasSubstr("<a href=\"javascript%3A%22x\">"));
  EXPECT_THAT(page("", "gate.html"), Not(HasSubstr("<a href=\"\"")));
}

TEST(HtmlTest, CutsLongListsAndSaysSo) {
  v1::GateReport report = Sample();
  v1::GateResult& gate = *report.mutable_gates(1);
  for (int i = 0; i < 300; ++i) gate.add_findings()->set_message("again");
  EXPECT_THAT(WriteReport(ReportFormat::kHtml, report), HasSubstr("and 101 more: the JSON report"));
}

}  // namespace
}  // namespace gatekeeper::report
