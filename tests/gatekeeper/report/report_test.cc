#include "gatekeeper/report/text.h"
#include "gatekeeper/report/writer.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/report/sample_report.h"
#include "tests/support/status_matchers.h"

namespace gatekeeper::report {
namespace {

using testing::HasSubstr;
using testing::Not;

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
  EXPECT_OK(ParseReportFormat("sarif"));
  EXPECT_OK(ParseReportFormat("github"));
  EXPECT_OK(ParseReportFormat("html"));
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
