#include <limits>

#include "absl/strings/str_replace.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/waiver.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using tests::StatusIs;

constexpr char kGood[] =
    "schema: waiver/1\n"
    "gate: latency\n"
    "unit: nav@1.0.0\n"
    "reason: the new bench computer comes in week 7\n"
    "expires: 2026-02-28\n"
    "requested_by: Ann Lee\n"
    "approved_by: Bob Ray\n";
constexpr int64_t kDay_ms = 86'400'000;
constexpr int64_t kLastDay_ms = 1'772'236'800'000;  // 2026-02-28T00:00:00Z

absl::StatusOr<std::vector<Waiver>> Parse(const std::string& yaml) {
  return ParseWaivers({{.file = "waivers/one.yaml", .text = yaml}});
}

std::vector<v1::GateResult> Results(v1::GateOutcome latency) {
  std::vector<v1::GateResult> results(2);
  results[0].set_id("latency");
  results[0].set_outcome(latency);
  results[1].set_id("worst_segment");
  results[1].set_outcome(v1::PASS);
  return results;
}

TEST(WaiverTest, AGateThatDoesNotHoldCountsAsHeldAndSaysSo) {
  ASSERT_OK_AND_ASSIGN(const auto waivers, Parse(kGood));
  for (const v1::GateOutcome outcome : {v1::FAIL, v1::INSUFFICIENT}) {
    auto results = Results(outcome);
    const auto used = ApplyWaivers(waivers, "nav@1.0.0", kLastDay_ms, results);
    ASSERT_EQ(used.size(), 1u);
    EXPECT_EQ(used[0].document.approved_by(), "Bob Ray");
    EXPECT_EQ(results[0].outcome(), outcome) << "what was found stays";
    EXPECT_TRUE(results[0].waived());
    EXPECT_EQ(Worst(results), v1::PASS);
  }
}

TEST(WaiverTest, AGateThatHoldsNeedsNone) {
  ASSERT_OK_AND_ASSIGN(const auto waivers, Parse(kGood));
  auto results = Results(v1::PASS);
  EXPECT_TRUE(ApplyWaivers(waivers, "nav@1.0.0", kLastDay_ms, results).empty());
  EXPECT_FALSE(results[0].waived());
}

TEST(WaiverTest, HoldsThroughItsLastDayAndNotAMillisecondLonger) {
  ASSERT_OK_AND_ASSIGN(const auto waivers, Parse(kGood));
  auto results = Results(v1::FAIL);
  EXPECT_EQ(ApplyWaivers(waivers, "nav@1.0.0", kLastDay_ms + kDay_ms - 1, results).size(), 1u);

  results = Results(v1::FAIL);
  EXPECT_TRUE(ApplyWaivers(waivers, "nav@1.0.0", kLastDay_ms + kDay_ms, results).empty());
  EXPECT_FALSE(results[0].waived());
  EXPECT_EQ(Worst(results), v1::FAIL);
  ASSERT_EQ(results[0].findings_size(), 1);
  EXPECT_THAT(results[0].findings(0).message(), HasSubstr("ran out on 2026-02-28"));
}

TEST(WaiverTest, IsForOneUnitAndOneGate) {
  ASSERT_OK_AND_ASSIGN(const auto waivers, Parse(kGood));
  auto results = Results(v1::FAIL);
  EXPECT_TRUE(ApplyWaivers(waivers, "nav@1.0.1", kLastDay_ms, results).empty());
  results = Results(v1::PASS);
  results[1].set_outcome(v1::FAIL);
  EXPECT_TRUE(ApplyWaivers(waivers, "nav@1.0.0", kLastDay_ms, results).empty());
  EXPECT_EQ(Worst(results), v1::FAIL);
}

TEST(WaiverTest, WhoDoesNotKnowTheDayHasNoWaiver) {
  ASSERT_OK_AND_ASSIGN(const auto waivers, Parse(kGood));
  auto results = Results(v1::FAIL);
  EXPECT_TRUE(
      ApplyWaivers(waivers, "nav@1.0.0", std::numeric_limits<int64_t>::max(), results).empty());
}

struct BadWaiver {
  const char* from;
  const char* to;
  const char* told;
};

class BadWaiverTest : public testing::TestWithParam<BadWaiver> {};

TEST_P(BadWaiverTest, IsRefusedWithItsPlace) {
  const std::string yaml = absl::StrReplaceAll(kGood, {{GetParam().from, GetParam().to}});
  ASSERT_NE(yaml, kGood);
  EXPECT_THAT(Parse(yaml),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("waivers/one.yaml:"), HasSubstr(GetParam().told))));
}

INSTANTIATE_TEST_SUITE_P(
    Waivers, BadWaiverTest,
    testing::Values(BadWaiver{"latency", "latencies", "there is no gate 'latencies'"},
                    BadWaiver{"latency", "integrity", "integrity is never waived"},
                    BadWaiver{"latency", "static_policy", "static_policy is never waived"},
                    BadWaiver{"latency", "envelope", "envelope is never waived"},
                    BadWaiver{"latency", "determinism", "determinism is never waived"},
                    BadWaiver{"Bob Ray", "Ann Lee", "somebody else than Ann Lee"},
                    BadWaiver{"Bob Ray", "ANN  lee", "somebody else"},
                    BadWaiver{"Bob Ray", "\" \"", "approved_by"},
                    BadWaiver{"Ann Lee", "\"\"", "requested_by"},
                    BadWaiver{"nav@1.0.0", "nav", "name@version"},
                    BadWaiver{"nav@1.0.0", "\"nav@\"", "name@version"},
                    BadWaiver{"2026-02-28", "2026-02-29", "expires"},
                    BadWaiver{"2026-02-28", "2026-2-28", "expires"},
                    BadWaiver{"2026-02-28", "\"2026- 2-28\"", "expires"},
                    BadWaiver{"2026-02-28", "2026-13-01", "expires"},
                    BadWaiver{"2026-02-28", "tomorrow", "expires"},
                    BadWaiver{"the new bench computer comes in week 7", "\"\"", "reason"},
                    BadWaiver{"waiver/1", "waiver/2", "waiver"},
                    BadWaiver{"reason:", "because:", "because"}));

}  // namespace
}  // namespace gatekeeper::gates
