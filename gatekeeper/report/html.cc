#include <cmath>

#include "absl/strings/str_format.h"
#include "gatekeeper/report/svg_plot.h"
#include "gatekeeper/report/text.h"

// One file that a browser opens without a network: no script, nothing from outside, light or dark
// as the reader has it. Order: the answer, what decided it, pictures, then every finding.

namespace gatekeeper::report {
namespace {

constexpr int kMaxFindingRows = 200;  // of one gate; the JSON report holds all
constexpr int kMaxCells = 2000;       // of one gate's fault matrix
constexpr size_t kMaxText = 2000;

constexpr char kStyle[] = R"(
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#59636e;--line:#d1d9e0;--card:#f6f8fa;
--pass:#1a7f37;--fail:#cf222e;--short:#9a6700;--s0:#0072b2;--s1:#e69f00;--s2:#009e73;--s3:#cc79a7;--s4:#d55e00;--s5:#56b4e9}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--soft:#9198a1;--line:#3d444d;--card:#151b23;
--pass:#3fb950;--fail:#f85149;--short:#d29922;--s0:#56a8e8;--s4:#ff8c42}}
body{margin:0 auto;max-width:1080px;padding:24px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:36px 0 10px}h3{font-size:15px;margin:0 0 6px}
a{color:inherit}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:6px 10px;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--soft);font-size:13px}td.n{text-align:right;font-variant-numeric:tabular-nums}
.chip{display:inline-block;border:1px solid;border-radius:999px;padding:0 10px;font-size:13px;font-weight:600;white-space:nowrap}
.PASS{color:var(--pass)}.FAIL{color:var(--fail)}.INSUFFICIENT{color:var(--short)}
.verdict{border-left:6px solid;padding:4px 0 4px 16px;margin-bottom:20px}.verdict p{margin:4px 0;color:var(--fg)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(460px,1fr));gap:16px}
figure{margin:0;padding:12px;background:var(--card);border:1px solid var(--line);border-radius:8px}
details{border:1px solid var(--line);border-radius:8px;margin:8px 0;padding:8px 14px}summary{cursor:pointer}
figure>svg{width:100%;height:auto;display:block}svg text{fill:var(--fg);font:12px system-ui,sans-serif}svg .tick{fill:var(--soft);font-size:11px}
svg .mid{text-anchor:middle}svg .end{text-anchor:end}svg .grid{stroke:var(--line);stroke-width:1}
svg .line{fill:none;stroke:var(--c);stroke-width:1.6}svg .area{fill:var(--c);fill-opacity:.10;stroke:var(--c);stroke-width:1}
svg .dot,svg .bar{fill:var(--c)}svg .limit{stroke:var(--fail);stroke-width:1.4;stroke-dasharray:5 4}
svg .ground{fill:none;stroke:var(--soft);stroke-width:2.6;stroke-linecap:round}
svg .mark{fill:none;stroke:var(--fail);stroke-width:2.5}svg .note{fill:var(--fail);font-weight:600}
.sg{--c:var(--soft)}.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}
@media print{details{break-inside:avoid}}
)";

std::string Html(const std::string& text) { return EscapeXml(Shortened(text, kMaxText)); }

std::string Chip(v1::GateOutcome outcome, bool waived = false) {
  return absl::StrFormat("<span class=\"chip %s\">%s%s</span>", OutcomeName(outcome),
                         OutcomeName(outcome), waived ? ", waived" : "");
}

std::string Number(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.4g", value) : "";
}

std::string Verdict(const v1::GateReport& report) {
  std::string out = absl::StrFormat("<header class=\"verdict %s\"><h1>%s: %s@%s</h1>\n",
                                    OutcomeName(report.outcome()), OutcomeName(report.outcome()),
                                    Html(report.unit_name()), Html(report.unit_version()));
  out += absl::StrFormat("<p>O%s. %d scenarios, %d ticks.</p>\n", CountText(report).substr(1),
                         report.scenarios(), report.ticks());
  for (const std::string& remark : Remarks(report)) out += "<p>" + Html(remark) + "</p>\n";
  return out + "</header>\n";
}

std::string Gates(const v1::GateReport& report) {
  std::string out =
      "<h2>What decided</h2>\n<table><tr><th>gate<th>result<th>what decided<th>n<th>bound"
      "<th>limit</tr>\n";
  for (const v1::GateResult* gate : WorstFirst(report)) {
    const bool counted = gate->n() > 0;
    out += absl::StrFormat(
        "<tr><td><a href=\"#%s\">%s</a><td>%s<td>%s%s<td class=\"n\">%s<td class=\"n\">%s"
        "<td class=\"n\">%s</tr>\n",
        Html(gate->id()), Html(gate->id()), Chip(gate->outcome(), gate->waived()),
        Html(gate->summary()), gate->marginal() ? " <em>(marginal)</em>" : "",
        counted ? absl::StrFormat("%d", gate->n()) : "",
        counted && gate->alpha() > 0 ? Number(gate->bound()) : "",
        counted ? Number(gate->limit()) : "");
  }
  return out + "</table>\n";
}

std::string FigureBox(const v1::Figure& figure) {
  return absl::StrFormat("<figure><h3>%s</h3>\n%s</figure>\n", Html(figure.title()),
                         SvgPlot(figure));
}

// What the rows of a gate count.
const char* RowUnit(const std::string& gate) {
  if (gate == "latency") return "ms";
  if (gate == "coverage") return "hours";
  if (gate == "non_inferiority") return "difference of shares, new less deployed";
  if (gate == "uncertainty") return "share";
  return "share of clips";
}

// The bounds of a gate's segments, lowest first in the eye: one row each, the limit across where it
// is the same for all.
v1::Figure SegmentFigure(const v1::GateResult& gate) {
  v1::Figure figure;
  figure.set_title(gate.id() + ": every segment's value and its bounds");
  figure.set_x_label(RowUnit(gate.id()));
  v1::Series& series = *figure.add_series();
  series.set_name(gate.id());
  series.set_kind(v1::Series::INTERVALS);
  const double limit = gate.segments(0).limit();
  bool common = gate.id() != "coverage";  // whose rows have none
  for (const v1::SegmentBound& segment : gate.segments()) {
    series.add_labels(absl::StrFormat("%s (n %d)", segment.tag(), segment.n()));
    series.add_x(segment.value());
    series.add_low(segment.lower());
    series.add_high(std::max(segment.upper(), segment.value()));
    common = common && segment.limit() == limit;
  }
  if (!common) return figure;
  v1::Mark& mark = *figure.add_marks();
  mark.set_x(limit);
  mark.set_text("limit");
  return figure;
}

std::string Figures(const v1::GateReport& report) {
  std::string out;
  for (const v1::GateResult& gate : report.gates()) {
    if (gate.segments_size() > 0) out += FigureBox(SegmentFigure(gate));
  }
  for (const v1::Figure& figure : report.figures()) out += FigureBox(figure);
  if (out.empty()) return out;
  return "<h2>Pictures</h2>\n<div class=\"figures\">\n" + out + "</div>\n";
}

// The clip's name leads to it, for who opens the page where the run has left it.
std::string Clip(const v1::Finding& finding, const Place& place) {
  if (finding.clip().empty()) return "";
  return absl::StrFormat("<a href=\"%s\"><code>%s</code></a>",
                         EscapeXml(LinkTo(finding.clip(), place)), Html(finding.clip()));
}

std::string FindingTable(const v1::GateResult& gate, const Place& place) {
  if (gate.findings().empty()) return "";
  std::string out = "<table><tr><th>where<th>second<th>segment<th>finding<th>clip</tr>\n";
  for (int i = 0; i < gate.findings_size() && i < kMaxFindingRows; ++i) {
    const v1::Finding& finding = gate.findings(i);
    const std::string where = finding.file().empty()
                                  ? finding.scenario()
                                  : absl::StrFormat("%s:%d", finding.file(), finding.line());
    out += absl::StrFormat(
        "<tr><td><code>%s</code><td class=\"n\">%s<td>%s<td>%s<td>%s</tr>\n", Html(where),
        finding.scenario().empty() ? "" : absl::StrFormat("%.2f", finding.at_s()),
        Html(finding.segment()), Html(finding.message()), Clip(finding, place));
  }
  out += "</table>\n";
  if (gate.findings_size() > kMaxFindingRows) {
    out += absl::StrFormat("<p class=\"soft\">and %d more: the JSON report has them</p>\n",
                           gate.findings_size() - kMaxFindingRows);
  }
  return out;
}

std::string Cells(const v1::GateResult& gate) {
  if (gate.cells().empty()) return "";
  std::string out =
      "<table><tr><th>fault<th>scenario<th>onset (s)<th>lasts (s)<th>wanted<th>found<th>layer"
      "<th>noticed (ms)<th>safe (ms)<th>result</tr>\n";
  for (int i = 0; i < gate.cells_size() && i < kMaxCells; ++i) {
    const v1::FaultCell& cell = gate.cells(i);
    out += absl::StrFormat(
        "<tr><td>%s<td>%s<td class=\"n\">%s<td class=\"n\">%s<td>%s<td>%s<td>%s<td class=\"n\">%s"
        "<td class=\"n\">%s<td>%s</tr>\n",
        Html(cell.fault()), Html(cell.scenario()), Number(cell.onset_s()),
        Number(cell.duration_s()), Html(cell.wanted()), Html(cell.found()), Html(cell.layer()),
        Number(cell.detect_ms()), Number(cell.safe_ms()), Chip(cell.outcome()));
  }
  out += "</table>\n";
  if (gate.cells_size() > kMaxCells) {
    out += absl::StrFormat("<p class=\"soft\">and %d more cells: the JSON report has them</p>\n",
                           gate.cells_size() - kMaxCells);
  }
  return out;
}

std::string Details(const v1::GateReport& report, const Place& place) {
  std::string out = "<h2>Every gate</h2>\n";
  for (const v1::GateResult* gate : WorstFirst(report)) {
    out += absl::StrFormat("<details id=\"%s\"%s><summary>%s <b>%s</b></summary>\n<p>%s</p>\n",
                           Html(gate->id()), gate->outcome() == v1::PASS ? "" : " open",
                           Chip(gate->outcome(), gate->waived()), Html(gate->id()),
                           Html(gate->summary()));
    out += FindingTable(*gate, place) + Cells(*gate) + "</details>\n";
  }
  return out;
}

std::string Row(const char* name, const std::string& value) {
  if (value.empty()) return "";
  return absl::StrFormat("<tr><th>%s<td><code>%s</code></tr>\n", name, Html(value));
}

std::string Provenance(const v1::GateReport& report) {
  const v1::GatePlan& plan = report.plan();
  std::string out = "<h2>What was run on what</h2>\n<table>\n";
  out += Row("unit sha256", report.unit_digest()) + Row("compared with", report.deployed_digest());
  out += Row("suite", report.suite_id()) + Row("suite sha256", report.suite_sha256());
  out += Row("policy repository", plan.policy_repository()) + Row("commit", plan.policy_commit());
  out += Row("plan sha256", plan.sha256()) + Row("scenarios sha256", plan.library_sha256());
  out += Row("engine", report.engine()) + Row("host class", plan.host_class());
  if (plan.alpha() > 0) out += Row("error rate alpha", Number(plan.alpha()));
  return out + "</table>\n";
}

}  // namespace

std::string HtmlReport(const v1::GateReport& report, const Place& place) {
  return absl::StrFormat(
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width\">\n"
             "<title>%s %s@%s</title>\n<style>%s</style></head><body>\n",
             OutcomeName(report.outcome()), Html(report.unit_name()), Html(report.unit_version()),
             kStyle) +
         Verdict(report) + Gates(report) + Figures(report) + Details(report, place) +
         Provenance(report) + "</body></html>\n";
}

}  // namespace gatekeeper::report
