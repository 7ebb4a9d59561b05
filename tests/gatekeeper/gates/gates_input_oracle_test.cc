#include "gatekeeper/gates/input_oracle.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"

namespace gatekeeper::gates {
namespace {

constexpr int64_t kStart_ns = 50'000'000'000;
constexpr int64_t kMs_ns = 1'000'000;

class InputOracleTest : public testing::Test {
 protected:
  InputOracleTest() {
    policy_ = tests::PolicyDocument();
    const v1::InputRule scan = policy_.inputs().at("scan");  // 200 ms old, 100 ahead, 500 stuck
    policy_.clear_inputs();
    (*policy_.mutable_inputs())["scan"] = scan;
    (*policy_.mutable_inputs())["scan"].set_min_valid_fraction(0.5);
  }

  // A scan that arrives at `ms`, stamped at `stamp_ms`, with this many of ten beams.
  void Scan(int64_t ms, int64_t stamp_ms, int valid = 10) {
    faults::Message message{
        kStart_ns + ms * kMs_ns, kStart_ns + recorded_ms_.value_or(ms) * kMs_ns, {}};
    v1::LaserScan& scan = *message.observation.mutable_scan();
    scan.set_stamp_ns(stamp_ms == INT64_MIN ? 0 : kStart_ns + stamp_ms * kMs_ns);
    for (int i = 0; i < 10; ++i) scan.add_ranges_m(i < valid ? 2.0F : 0.0F);
    oracle_.Hear(message);
  }
  bool Demands(int64_t ms) {
    oracle_.Step(kStart_ns + ms * kMs_ns);
    return oracle_.demanded_ns() != 0;
  }

  v1::ControlPolicy policy_;
  std::optional<int64_t> recorded_ms_;
  InputOracle oracle_{policy_, kStart_ns};
};

TEST_F(InputOracleTest, SilenceIsDemandedAfterTheAgeAndNotBefore) {
  Scan(0, 0);
  EXPECT_FALSE(Demands(200));
  EXPECT_TRUE(Demands(201));
  EXPECT_EQ(oracle_.demanded(), "input_stale");
}

TEST_F(InputOracleTest, AStampThatFallsOrIsAbsentIsDemandedAtOnce) {
  Scan(0, 0);
  Scan(50, 50);
  EXPECT_FALSE(Demands(50));
  Scan(100, 40);
  EXPECT_TRUE(Demands(100));
}

TEST_F(InputOracleTest, AStampOfZeroIsDemanded) {
  Scan(0, 0);
  Scan(50, INT64_MIN);
  EXPECT_TRUE(Demands(50));
}

TEST_F(InputOracleTest, AStampAheadIsDemandedBeyondLimitAndDoubt) {
  Scan(0, 0);
  Scan(50, 50 + 129);
  EXPECT_FALSE(Demands(50));
  Scan(100, 100 + 129 + 131);
  EXPECT_TRUE(Demands(100)) << "against the fastest message so far";
}

TEST_F(InputOracleTest, StampsThatStandAreDemandedAfterTheirTime) {
  Scan(0, 0);
  for (int64_t ms = 50; ms <= 500; ms += 50) Scan(ms, 0);
  EXPECT_FALSE(Demands(500));
  Scan(550, 0);
  EXPECT_TRUE(Demands(550));
}

TEST_F(InputOracleTest, ABlindScanIsDemanded) {
  Scan(0, 0, 5);
  EXPECT_FALSE(Demands(0));
  Scan(50, 50, 4);
  EXPECT_TRUE(Demands(50));
}

TEST_F(InputOracleTest, WhatWasUnderWayForTooLongIsDemandedThoughItCameJustNow) {
  Scan(0, 0);
  recorded_ms_ = 100;
  Scan(300, 100);
  oracle_.Step(kStart_ns + 300 * kMs_ns);
  EXPECT_EQ(oracle_.demanded_ns(), 0);
  EXPECT_TRUE(Demands(331)) << "231 ms old: the limit and the doubt";
}

TEST_F(InputOracleTest, NothingBeforeTheFaultCounts) {
  InputOracle later(policy_, kStart_ns + 1000 * kMs_ns);
  later.Step(kStart_ns);
  faults::Message message{kStart_ns, kStart_ns, {}};
  message.observation.mutable_scan()->set_stamp_ns(kStart_ns);
  message.observation.mutable_scan()->add_ranges_m(1);
  later.Hear(message);
  later.Step(kStart_ns + 900 * kMs_ns);
  EXPECT_EQ(later.demanded_ns(), 0);
  later.Step(kStart_ns + 1000 * kMs_ns);
  EXPECT_EQ(later.demanded_ns(), kStart_ns + 1000 * kMs_ns);
}

}  // namespace
}  // namespace gatekeeper::gates
