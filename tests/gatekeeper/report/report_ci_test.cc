#include <filesystem>
#include <fstream>

#include "gatekeeper/report/text.h"
#include "gatekeeper/report/writer.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/gatekeeper/report/sample_report.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// What continuous integration systems read, within the limits that they keep in silence.

namespace gatekeeper::report {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

v1::GateReport WithFindings(int gates, int findings, size_t length) {
  v1::GateReport report = Sample();
  for (int g = 0; g < gates; ++g) {
    v1::GateResult gate = Gate("gate" + std::to_string(g), v1::FAIL, "does not hold");
    for (int i = 0; i < findings; ++i) {
      v1::Finding& finding = *gate.add_findings();
      finding.set_scenario("clip" + std::to_string(i));
      finding.set_message(std::string(length, 'x'));
    }
    *report.add_gates() = gate;
  }
  return report;
}

size_t Occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

json Sarif(const v1::GateReport& report, const Place& place = {}) {
  return json::parse(WriteReport(ReportFormat::kSarif, report, place));
}

// The file that each result stands at.
std::vector<std::string> Uris(const json& sarif) {
  std::vector<std::string> uris;
  for (const json& result : sarif["runs"][0]["results"]) {
    EXPECT_EQ(result["locations"].size(), 1u) << result.dump();
    const json& place = result["locations"][0]["physicalLocation"];
    EXPECT_GE(place["region"]["startLine"], 1);
    uris.push_back(place["artifactLocation"]["uri"]);
  }
  return uris;
}

TEST(SarifTest, LooksAsReviewed) {
  ExpectGolden("report.sarif", WriteReport(ReportFormat::kSarif, Sample()));
}

TEST(SarifTest, PutsWhatHappenedInARecordingAtItsScenarioFile) {
  const json results = Sarif(Sample())["runs"][0]["results"];
  ASSERT_EQ(results.size(), 5u);  // three gates that do not hold, and two findings
  const json& place = results[1]["locations"][0];
  EXPECT_EQ(place["physicalLocation"]["artifactLocation"]["uri"], "library/dusty_07.yaml");
  EXPECT_EQ(place["physicalLocation"]["region"]["startLine"], 1);
  EXPECT_EQ(place["logicalLocations"][0]["fullyQualifiedName"], "dusty_07 at 12.35 s");
  EXPECT_EQ(results[3]["locations"][0]["physicalLocation"]["region"]["startLine"], 12);
  EXPECT_EQ(results[4]["level"], "warning");
}

TEST(SarifTest, EveryResultStandsAtAFileOfTheCheckout) {
  std::ifstream golden("tests/gatekeeper/report/golden/report.sarif");
  EXPECT_THAT(Uris(json::parse(golden)),
              ElementsAre("suites/nav.yaml", "library/dusty_07.yaml", "suites/nav.yaml",
                          "policy/control_policy.yaml", "suites/nav.yaml"));

  const Place checkout{.folder = "/home/ci/checkout", .file = "gate.sarif"};
  v1::GateReport report = Sample();
  report.mutable_plan()->set_suite_path("../safety/suites/nav.yaml");
  report.mutable_inputs(0)->set_file("/home/ci/checkout/./library/dusty 07: a.yaml");
  EXPECT_THAT(
      Uris(Sarif(report, checkout)),
      ElementsAre("file:///home/ci/safety/suites/nav.yaml", "library/dusty%2007%3A%20a.yaml",
                  "file:///home/ci/safety/suites/nav.yaml", "policy/control_policy.yaml",
                  "file:///home/ci/safety/suites/nav.yaml"));
  report.clear_inputs();  // a finding about a scenario that is not there any more
  report.mutable_plan()->set_suite_path("/data/suites/nav.yaml");
  for (const std::string& uri : Uris(Sarif(report, checkout))) {
    EXPECT_THAT(uri, testing::AnyOf("file:///data/suites/nav.yaml", "policy/control_policy.yaml"));
  }
}

TEST(SarifTest, FilesOfUnitAndPolicyRepositoryStandWhereTheyLieInTheCheckout) {
  v1::GateReport report = Sample();
  report.add_inputs()->set_id("corpus/crash");
  report.mutable_inputs(1)->set_file("corpus/crash.yaml");
  v1::GateResult& regression = *report.add_gates();
  regression = Gate("regression", v1::FAIL, "corpus of 1 clip: 1 failing");
  regression.add_findings()->set_scenario("corpus/crash");
  v1::Finding& waiver = *regression.add_findings();
  waiver.set_file("waivers/regression.yaml");
  const Place checkout{.folder = "/home/ci/checkout",
                       .file = "",
                       .unit = {.path = "./out/unit"},
                       .policy = {.path = "safety"},
                       .scenarios = {.path = "safety"}};
  const json sarif = Sarif(report, checkout);
  EXPECT_THAT(Uris(sarif),
              ElementsAre("safety/suites/nav.yaml", "safety/library/dusty_07.yaml",
                          "safety/suites/nav.yaml", "out/unit/policy/control_policy.yaml",
                          "safety/suites/nav.yaml", "safety/corpus/crash.yaml",
                          "safety/waivers/regression.yaml", "safety/suites/nav.yaml"));
  const json& run = sarif["runs"][0];
  EXPECT_EQ(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], "file:///home/ci/checkout/");
  for (const json& result : run["results"]) {
    EXPECT_EQ(result["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"],
              "%SRCROOT%");
  }

  // A clone beside the checkout: nothing of the same name in the checkout is meant.
  Place beside = checkout;
  beside.policy = beside.scenarios = {.path = "../safety"};
  beside.unit = {.path = "/tmp/unit"};
  const json outside = Sarif(report, beside);
  EXPECT_THAT(Uris(outside), testing::Each(testing::StartsWith("file:///")));
  EXPECT_THAT(Uris(outside), testing::Contains("file:///tmp/unit/policy/control_policy.yaml"));
  for (const json& result : outside["runs"][0]["results"]) {
    EXPECT_FALSE(
        result["locations"][0]["physicalLocation"]["artifactLocation"].contains("uriBaseId"));
  }
}

TEST(SarifTest, AWorkingFolderMayBeWrittenThroughALink) {
  const tests::TempFolder folder;
  std::filesystem::create_directories(folder / "real/library");
  std::filesystem::create_directory_symlink(folder / "real", folder / "link");
  Place checkout{.folder = folder / "real", .file = ""};
  checkout.unit = {.path = folder / "link/unit"};
  checkout.policy = {.path = folder / "link/safety"};
  v1::GateReport report = Sample();
  report.mutable_inputs(0)->set_file(folder / "link/library/dusty_07.yaml");
  EXPECT_THAT(
      Uris(Sarif(report, checkout)),
      ElementsAre("safety/suites/nav.yaml", "library/dusty_07.yaml", "safety/suites/nav.yaml",
                  "unit/policy/control_policy.yaml", "safety/suites/nav.yaml"));
}

TEST(SarifTest, FilesOfARepositoryElsewhereSaySoInTheirPath) {
  Place checkout{.folder = "/home/ci/checkout", .file = "", .unit = {.path = "unit"}};
  checkout.policy = {.path = "git.example/safety.git@0123456789ab", .elsewhere = true};
  const json sarif = Sarif(Sample(), checkout);
  EXPECT_THAT(Uris(sarif), ElementsAre("git.example/safety.git%400123456789ab/suites/nav.yaml",
                                       "library/dusty_07.yaml",
                                       "git.example/safety.git%400123456789ab/suites/nav.yaml",
                                       "unit/policy/control_policy.yaml",
                                       "git.example/safety.git%400123456789ab/suites/nav.yaml"));
  const json& run = sarif["runs"][0];
  EXPECT_EQ(run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"],
            "POLICY");
  EXPECT_EQ(run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"],
            "%SRCROOT%");
  EXPECT_FALSE(run["originalUriBaseIds"]["POLICY"].contains("uri"));
  EXPECT_THAT(run["originalUriBaseIds"]["POLICY"]["description"]["text"].get<std::string>(),
              HasSubstr("suites/nav.yaml of git.example/safety.git@0123456789ab"));
}

TEST(GithubTest, AnnotatesFilesOfTheCheckoutOnly) {
  Place checkout{.folder = "/home/ci/checkout", .file = "", .unit = {.path = "out/unit"}};
  checkout.policy = checkout.scenarios = {.path = "../safety"};
  const std::string text = WriteReport(ReportFormat::kGithub, Sample(), checkout);
  EXPECT_THAT(text, HasSubstr("::error file=out/unit/policy/control_policy.yaml,line=12,title="));
  EXPECT_EQ(Occurrences(text, "file="), 1u) << text;
  checkout.scenarios = {};
  EXPECT_THAT(WriteReport(ReportFormat::kGithub, Sample(), checkout),
              HasSubstr("::error file=library/dusty_07.yaml,title="));
}

TEST(SarifTest, TheSameFindingKeepsItsFingerprintWhenItsNumbersChange) {
  v1::GateReport later = Sample();
  v1::Finding& finding = *later.mutable_gates(1)->mutable_findings(0);
  finding.set_at_s(13.0);
  finding.set_message("62.0% of the dusty ticks agree, wanted 90.0%");
  const auto print = [](const v1::GateReport& report, size_t result) {
    return Sarif(report)["runs"][0]["results"][result]["partialFingerprints"];
  };
  EXPECT_EQ(print(Sample(), 1), print(later, 1));
  EXPECT_NE(print(Sample(), 1), print(Sample(), 0));
  finding.set_segment("clean");
  EXPECT_NE(print(Sample(), 1), print(later, 1));
}

TEST(SarifTest, HoldsAtMostFiveThousandResultsInTenMegabytes) {
  const std::string text = WriteReport(ReportFormat::kSarif, WithFindings(3, 4000, 5000));
  EXPECT_LT(text.size(), 10'000'000u);
  const json sarif = json::parse(text);
  EXPECT_EQ(Uris(sarif).size(), 5000u);
  // 5 of the sample and three times 4001, less the 4999 that stand before.
  EXPECT_THAT(sarif["runs"][0]["results"].back()["message"]["text"].get<std::string>(),
              StartsWith("and 7009 more"));
}

TEST(SarifTest, FiveThousandFitAndOneMoreDoesNot) {
  const json fits = Sarif(WithFindings(1, 4994, 10));
  EXPECT_EQ(Uris(fits).size(), 5000u);
  EXPECT_THAT(fits.dump(), Not(HasSubstr("more: the other reports")));
  const json cut = Sarif(WithFindings(1, 4995, 10));
  EXPECT_EQ(Uris(cut).size(), 5000u);
  EXPECT_THAT(cut.dump(), HasSubstr("and 2 more: the other reports"));
}

TEST(GithubTest, LooksAsReviewed) {
  ExpectGolden("report.github", WriteReport(ReportFormat::kGithub, Sample()));
}

TEST(GithubTest, SaysAtMostTenOfAKindAndHowManyAreLeftOut) {
  // 2 gates of the sample and 20 more, their findings 2 and 60.
  const std::string text = WriteReport(ReportFormat::kGithub, WithFindings(20, 3, 10));
  EXPECT_EQ(Occurrences(text, "::error "), 10u);
  EXPECT_THAT(text, HasSubstr("and 75 more"));
  EXPECT_EQ(Occurrences(text, "::warning "), 1u);
}

TEST(GithubTest, TenFitAndElevenDoNot) {
  // The sample has four errors: two gates and their findings.
  const std::string ten = WriteReport(ReportFormat::kGithub, WithFindings(2, 2, 10));
  EXPECT_EQ(Occurrences(ten, "::error "), 10u);
  EXPECT_THAT(ten, Not(HasSubstr(" more")));
  const std::string twelve = WriteReport(ReportFormat::kGithub, WithFindings(2, 3, 10));
  EXPECT_EQ(Occurrences(twelve, "::error "), 10u);
  EXPECT_THAT(twelve, HasSubstr("and 3 more"));
}

TEST(GithubTest, NoMessageStartsACommandOfItsOwn) {
  v1::GateReport report = Sample();
  report.mutable_gates(2)->mutable_findings(0)->set_file("a,line=1::b%");
  report.mutable_gates(2)->mutable_findings(0)->set_message("x\n::stop-commands::y %0A");
  const std::string text = WriteReport(ReportFormat::kGithub, report);
  EXPECT_THAT(text, HasSubstr("file=a%2Cline=1%3A%3Ab%25,"));
  EXPECT_THAT(text, Not(HasSubstr("\n::stop")));
  EXPECT_THAT(text, HasSubstr("%250A"));
}

TEST(GithubTest, SaysSoWhenEverythingHeld) {
  v1::GateReport report;
  report.set_outcome(v1::PASS);
  *report.add_gates() = Gate("integrity", v1::PASS, "fine");
  EXPECT_EQ(WriteReport(ReportFormat::kGithub, report),
            "::notice title=gates::PASS: of 1 gates 1 held\n");
}

TEST(WaivedTest, NoFormatCountsAWaivedGateAsFailedNorHidesIt) {
  v1::GateReport report = Sample();
  report.mutable_gates(1)->set_waived(true);
  v1::Waiver& waiver = *report.add_waivers();
  waiver.set_gate("worst_segment");
  waiver.set_reason("dust season, see the hall's log");
  waiver.set_expires("2026-12-01");
  waiver.set_requested_by("ann");
  waiver.set_approved_by("ben");
  const std::string counts = "of 4 gates 1 held, 1 failed, 1 had too little evidence, 1 waived";
  EXPECT_EQ(CountText(report), counts);
  for (const ReportFormat format :
       {ReportFormat::kTable, ReportFormat::kMarkdown, ReportFormat::kHtml}) {
    const std::string text = WriteReport(format, report);
    EXPECT_THAT(text, HasSubstr(counts.substr(1)));
    EXPECT_THAT(text, AllOf(HasSubstr("ann"), HasSubstr("ben"), HasSubstr("dust season")));
    EXPECT_THAT(text, HasSubstr("FAIL, waived"));
  }
  const std::string junit = WriteReport(ReportFormat::kJUnit, report);
  EXPECT_THAT(junit, AllOf(HasSubstr("failures=\"2\""), HasSubstr("FAIL, waived: dusty")));
  EXPECT_EQ(Sarif(report)["runs"][0]["results"][0]["level"], "warning");
  EXPECT_EQ(Occurrences(WriteReport(ReportFormat::kGithub, report), "::error "), 2u);
}

TEST(RemarksTest, TellWhatAReaderMustKnowBesideTheGates) {
  v1::GateReport report = Sample();
  EXPECT_TRUE(Remarks(report).empty());
  report.mutable_plan()->set_policy_repository("git@safety:policies");
  report.mutable_plan()->set_policy_commit(std::string(40, 'd'));
  report.mutable_plan()->set_attempt(5);
  report.mutable_plan()->set_attempts_failed(4);
  report.mutable_plan()->set_failed_since_pass(7);
  report.set_deployed_digest(std::string(64, 'e'));
  report.add_not_planned("closed_loop");
  report.add_not_planned("coverage");
  report.mutable_replays()->set_run(2);
  report.mutable_replays()->set_reused(18);
  report.mutable_replays()->set_shards(4);
  EXPECT_THAT(
      Remarks(report),
      testing::ElementsAre(
          "The suite is git@safety:policies's at commit dddddddddddd.",
          "Attempt 5 of this unit under this suite; 4 earlier ones did not hold.",
          "7 attempts with nav, in any version, did not hold under this suite since one passed.",
          "Compared with sha256:eeeeeeeeeeee.", "Not part of this suite: closed_loop, coverage.",
          "2 replays were run, 18 kept from earlier runs.", "Merged from 4 shards."));
  for (const ReportFormat format :
       {ReportFormat::kTable, ReportFormat::kMarkdown, ReportFormat::kHtml}) {
    EXPECT_THAT(WriteReport(format, report),
                AllOf(HasSubstr("Attempt 5 of this unit"), HasSubstr("7 attempts with nav")));
  }
  EXPECT_THAT(WriteReport(ReportFormat::kJson, report), HasSubstr("\"failed_since_pass\": 7"));
}

TEST(RemarksTest, NobodyCountsIsSaidAndNoFailureIsNot) {
  v1::GateReport report = Sample();
  report.mutable_plan()->set_sha256(std::string(64, 'f'));
  EXPECT_THAT(Remarks(report), testing::Contains(HasSubstr("Nobody counts attempts")));
  EXPECT_THAT(Remarks(report), testing::Not(testing::Contains(HasSubstr("in any version"))));
  report.mutable_plan()->set_attempt(1);
  report.mutable_plan()->set_failed_since_pass(1);
  EXPECT_THAT(Remarks(report), testing::Not(testing::Contains(HasSubstr("Nobody counts"))));
  EXPECT_THAT(Remarks(report), testing::Contains(StartsWith("1 attempt with nav, ")));
}

TEST(JUnitTest, TwentyThousandFindingsStayBelowItsLimits) {
  const std::string text = WriteReport(ReportFormat::kJUnit, WithFindings(40, 500, 2000));
  EXPECT_LT(text.size(), 30'000'000u);
  EXPECT_LT(Occurrences(text, "<"), 250'000u);
}

}  // namespace
}  // namespace gatekeeper::report
