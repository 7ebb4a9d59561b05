#include "absl/strings/str_replace.h"
#include "gatekeeper/gates/chain_link.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/hurt_fixture.h"

namespace gatekeeper::gates {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FallbackChainTest : public HurtTest {
 protected:
  FallbackChainTest() {
    evidence_.suite.mutable_fallback_chain()->set_clips(1);
    evidence_.suite.mutable_fallback_chain()->set_safe_within_ms(2000);
  }

  // With the unit before and a controller that follows the gap behind the model.
  static std::string Chain() {
    return absl::StrReplaceAll(
        Rules(),
        {{"  CONTROLLED_STOP: {rank: 4",
          "  PREVIOUS_MODEL: {rank: 2, controller: \"unit:previous\", limits: degraded, "
          "max_dwell_s: 3, else: SIMPLE_CONTROLLER}\n"
          "  SIMPLE_CONTROLLER: {rank: 3, controller: follow_gap, limits: degraded, needs: [scan, "
          "odom], follow_gap: {vx_mps: 0.3, wz_abs_max_radps: 0.5, free_m: 1.2, half_width_m: "
          "0.35, field_rad: 1.0}, max_dwell_s: 4, else: CONTROLLED_STOP}\n"
          "  CONTROLLED_STOP: {rank: 4"},
         {"model_failed, layer: model, to: CONTROLLED_STOP",
          "model_failed, layer: model, to: PREVIOUS_MODEL"}});
  }

  v1::GateResult Judge() {
    evidence_.chain_runs = Run(
        PlanFallbackChain(evidence_.replays, bench_->rules(), evidence_.fallback, evidence_.suite));
    return JudgeFallbackChain(evidence_);
  }
};

TEST_F(FallbackChainTest, LinksAreReadFromTheRules) {
  const auto ids = [](const v1::FallbackRules& rules) {
    std::vector<std::string> ids;
    for (const ChainLink& link : LinksOf(rules)) ids.push_back(link.id);
    return ids;
  };
  EXPECT_THAT(ids(evidence_.fallback), ElementsAre("model_lost"));
  Use(Policy(), Chain());
  EXPECT_THAT(ids(evidence_.fallback),
              ElementsAre("previous_sound", "previous_absent", "previous_fails", "previous_nan",
                          "previous_late", "dwell:PREVIOUS_MODEL", "blind:scan", "blind:odom",
                          "dwell:SIMPLE_CONTROLLER"));
  EXPECT_TRUE(LinksOf({}).empty());
}

TEST_F(FallbackChainTest, EveryLinkHoldsInTime) {
  Use(Policy(), Chain());
  Record(1, 14);
  const v1::GateResult result = Judge();
  EXPECT_EQ(result.outcome(), v1::PASS) << Told(result);
  EXPECT_EQ(result.n(), 9u);
  EXPECT_LE(result.bound(), 2000);
  const auto states = [&](const std::string& id) {
    std::string text;
    for (const HurtRun& run : evidence_.chain_runs) {
      if (run.planned.id != id) continue;
      for (const auto& change : run.drive.changes()) {
        if (text.empty() || text.substr(text.rfind(' ') + 1) != change.state())
          text += " " + change.state();
      }
    }
    return text;
  };
  EXPECT_THAT(states("previous_sound"), HasSubstr("NOMINAL PREVIOUS_MODEL"));
  EXPECT_THAT(states("previous_late"), HasSubstr("PREVIOUS_MODEL SIMPLE_CONTROLLER"));
  EXPECT_THAT(states("previous_absent"), HasSubstr("NOMINAL SIMPLE_CONTROLLER"));
  EXPECT_THAT(states("dwell:SIMPLE_CONTROLLER"),
              HasSubstr("SIMPLE_CONTROLLER CONTROLLED_STOP SAFE_STOPPED"));
}

TEST_F(FallbackChainTest, ALinkThatTakesTooLongIsRefusedOnTheRightSideOfTheLimit) {
  Record(1, 10);
  const double slowest_ms = Judge().value();
  ASSERT_GT(slowest_ms, 0);
  evidence_.suite.mutable_fallback_chain()->set_safe_within_ms(slowest_ms);
  EXPECT_EQ(JudgeFallbackChain(evidence_).outcome(), v1::PASS);
  evidence_.suite.mutable_fallback_chain()->set_safe_within_ms(slowest_ms - 1);
  const v1::GateResult result = JudgeFallbackChain(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("CONTROLLED_STOP, or a stop, held after"));
}

TEST_F(FallbackChainTest, TooFewRecordingsAreInsufficient) {
  Record(1, 10);
  evidence_.suite.mutable_fallback_chain()->set_clips(2);
  EXPECT_EQ(Judge().outcome(), v1::INSUFFICIENT);
}

}  // namespace
}  // namespace gatekeeper::gates
