#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gatekeeper/report/text.h"
#include "gatekeeper/report/writer.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace gatekeeper::report {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kGolden[] = "tests/gatekeeper/report/golden/";

v1::GateResult Gate(const std::string& id, v1::GateOutcome outcome, const std::string& summary) {
  v1::GateResult gate;
  gate.set_id(id);
  gate.set_outcome(outcome);
  gate.set_summary(summary);
  return gate;
}

v1::GateReport Sample() {
  v1::GateReport report;
  report.set_api_version("gatekeeper/v1");
  report.set_unit_name("nav");
  report.set_unit_version("1.2.0");
  report.set_unit_digest(std::string(64, 'a'));
  report.set_suite_id("nav-release");
  report.set_suite_sha256(std::string(64, 'b'));
  report.set_engine("onnxruntime 1.24 cpu");
  report.set_outcome(v1::FAIL);
  report.set_scenarios(20);
  report.set_ticks(6000);
  report.set_mean_score(0.9421);
  *report.add_gates() = Gate("integrity", v1::PASS, "24 files and recordings match their digests");
  v1::GateResult worst =
      Gate("worst_segment", v1::FAIL, "dusty: 9 of 20 clips agree, lower bound 0.231, floor 0.800");
  worst.set_value(0.45);
  worst.set_bound(0.231);
  worst.set_limit(0.8);
  worst.set_n(20);
  v1::Finding& finding = *worst.add_findings();
  finding.set_scenario("dusty_07");
  finding.set_at_s(12.35);
  finding.set_segment("dusty");
  finding.set_message("61.0% of the dusty ticks agree, wanted 90.0%");
  finding.set_clip("out/worst_segment-1-dusty_07-12.35s.mcap");
  *report.add_gates() = worst;
  v1::GateResult policy = Gate("static_policy", v1::FAIL, "broken rules: 1");
  v1::Finding& line = *policy.add_findings();
  line.set_file("policy/control_policy.yaml");
  line.set_line(12);
  line.set_message("S9: <b>|limits|</b> & \"quotes\"");
  *report.add_gates() = policy;
  *report.add_gates() = Gate("latency", v1::INSUFFICIENT, "0 of 12 frames took longer than 40 ms");
  v1::InputRef& input = *report.add_inputs();
  input.set_id("dusty_07");
  input.set_sha256(std::string(64, 'c'));
  return report;
}

// Compares with the golden file; GATEKEEPER_UPDATE_GOLDENS=1 writes it instead, for review as a
// diff.
void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = kGolden + name;
  if (std::getenv("GATEKEEPER_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream wanted;
  wanted << file.rdbuf();
  EXPECT_EQ(text, wanted.str()) << path;
}

TEST(ReportTest, TableLooksAsReviewed) {
  ExpectGolden("report.txt", WriteReport(ReportFormat::kTable, Sample()));
}
TEST(ReportTest, JsonLooksAsReviewed) {
  ExpectGolden("report.json", WriteReport(ReportFormat::kJson, Sample()));
}
TEST(ReportTest, JUnitLooksAsReviewed) {
  ExpectGolden("report.xml", WriteReport(ReportFormat::kJUnit, Sample()));
}
TEST(ReportTest, MarkdownLooksAsReviewed) {
  ExpectGolden("report.md", WriteReport(ReportFormat::kMarkdown, Sample()));
}

TEST(ReportTest, JsonReadsBackAsTheSameReport) {
  v1::GateReport back;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(WriteReport(ReportFormat::kJson, Sample()), &back)
          .ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(back, Sample()));
}

TEST(ReportTest, CountsAgreeInEveryFormat) {
  const GateCounts counts = Count(Sample());
  EXPECT_EQ(counts.total(), 4);
  EXPECT_THAT(WriteReport(ReportFormat::kTable, Sample()),
              HasSubstr("of 4 gates 1 held, 2 failed, 1 had too little evidence"));
  EXPECT_THAT(WriteReport(ReportFormat::kMarkdown, Sample()),
              HasSubstr("Of 4 gates 1 held, 2 failed, 1 had too little evidence"));
  EXPECT_THAT(WriteReport(ReportFormat::kJUnit, Sample()), HasSubstr("tests=\"4\" failures=\"3\""));
}

TEST(ReportTest, NothingFromOutsideBreaksOutOfItsPlace) {
  v1::GateReport report = Sample();
  v1::Finding& finding = *report.mutable_gates(1)->mutable_findings(0);
  finding.set_message("\x1b[31m]]></failure><testcase/>\n| x | \xff\xfe <img src=x> \x01 ![i](u)");
  const std::string junit = WriteReport(ReportFormat::kJUnit, report);
  EXPECT_THAT(junit, Not(HasSubstr("<testcase/>")));
  EXPECT_THAT(junit, Not(HasSubstr("\x1b")));
  EXPECT_THAT(junit, Not(HasSubstr("\x01")));
  EXPECT_THAT(junit, HasSubstr("\\x1b[31m]]&gt;&lt;/failure&gt;"));
  const std::string markdown = WriteReport(ReportFormat::kMarkdown, report);
  EXPECT_THAT(markdown, Not(HasSubstr("<img")));
  EXPECT_THAT(markdown, HasSubstr("\\| x \\|"));
  EXPECT_THAT(markdown, HasSubstr("\\!\\[i\\]\\(u\\)"));
  EXPECT_THAT(WriteReport(ReportFormat::kTable, report), Not(HasSubstr("\x1b")));
  v1::GateReport back;
  EXPECT_TRUE(
      google::protobuf::util::JsonStringToMessage(WriteReport(ReportFormat::kJson, report), &back)
          .ok());
}

TEST(ReportTest, MarkdownStaysUnderItsBudgetAndCutsWholeSections) {
  v1::GateReport report = Sample();
  for (int gate = 0; gate < 40; ++gate) {
    v1::GateResult long_one = Gate("gate" + std::to_string(gate), v1::FAIL, "long");
    for (int i = 0; i < 150; ++i) {
      v1::Finding& finding = *long_one.add_findings();
      finding.set_scenario("clip");
      finding.set_message(std::string(2000, '<'));
    }
    *report.add_gates() = long_one;
  }
  const std::string markdown = WriteReport(ReportFormat::kMarkdown, report);
  EXPECT_LT(markdown.size(), 900'000u);
  EXPECT_THAT(markdown, HasSubstr("are too long for this page"));
  EXPECT_EQ(markdown.back(), '\n');
}

TEST(ReportTest, AnUnknownOutcomeCountsAsTooLittleEvidence) {
  v1::GateReport report;
  report.add_gates()->set_id("odd");
  EXPECT_EQ(Count(report).insufficient, 1);
  EXPECT_THAT(WriteReport(ReportFormat::kJUnit, report), HasSubstr("failures=\"1\""));
}

TEST(ReportTest, FormatsAreChosenByName) {
  EXPECT_OK(ParseReportFormat("table"));
  EXPECT_OK(ParseReportFormat("json"));
  EXPECT_OK(ParseReportFormat("junit"));
  EXPECT_OK(ParseReportFormat("markdown"));
  EXPECT_THAT(ParseReportFormat("pdf"),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("table, json")));
}

TEST(ShortenedTest, NeverCutsACharacterInTwo) {
  EXPECT_EQ(Shortened("abc", 3), "abc");
  EXPECT_EQ(Shortened("abcdef", 5), "ab...");
  EXPECT_EQ(Shortened("a\xc3\xa4\xc3\xa4\xc3\xa4", 5), "a...");
}

}  // namespace
}  // namespace gatekeeper::report
