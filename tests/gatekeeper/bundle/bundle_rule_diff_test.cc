#include "gatekeeper/bundle/rule_diff.h"
#include "gtest/gtest.h"
#include "tests/support/git_folder.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"

namespace {

using namespace gatekeeper::bundle;  // NOLINT(google-build-using-namespace)
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::Edit;
using tests::NavFile;

std::string Policy() { return NavFile("control_policy.yaml"); }
std::string Fallback() { return NavFile("fallback_rules.yaml"); }

class DiffTest : public testing::Test {
 protected:
  absl::StatusOr<UngatedUnit> Unit(const std::string& policy, const std::string& fallback) {
    git_.Write("nav/release.yaml",
               Edit(tests::NavSpecWithout("golden", "m"), "site: ../site/hall.yaml\n", ""));
    git_.Write("nav/m", "weights");
    git_.Write("nav/card.yaml", NavFile("card.yaml"));
    git_.Write("nav/control_policy.yaml", policy);
    git_.Write("nav/fallback_rules.yaml", fallback);
    git_.Commit("release");
    auto repository = gatekeeper::source::Repository::Open(git_.path());
    if (!repository.ok()) return repository.status();
    return BuildUnit(*repository, {"HEAD", "nav/release.yaml", out_ / std::to_string(built_++)});
  }

  // "LOOSER limits.nominal.vx_max_mps 1 -> 1.2" for each change.
  std::vector<std::string> Diff(const std::string& policy, const std::string& fallback) {
    const auto before = Unit(Policy(), Fallback());
    const auto after = Unit(policy, fallback);
    EXPECT_OK(before);
    EXPECT_OK(after);
    const auto diff = DiffUnits(*before, *after);
    EXPECT_OK(diff);
    std::vector<std::string> texts;
    for (const RuleChange& change : diff->rules) {
      const char* effect = change.effect == Effect::kLooser    ? "LOOSER "
                           : change.effect == Effect::kTighter ? "tighter "
                                                               : "different ";
      texts.push_back(effect + change.path + " " + change.before + " -> " + change.after);
    }
    return texts;
  }

  tests::GitFolder git_;
  tests::TempFolder out_;
  int built_ = 0;
};

TEST_F(DiffTest, CommentsAndOrderAreNoDifference) {
  EXPECT_THAT(Diff(Policy() + "# a remark\n", Fallback()), IsEmpty());
}

TEST_F(DiffTest, AHigherSpeedIsLooserAndALowerOneTighter) {
  EXPECT_THAT(Diff(Edit(Edit(Policy(), "    vx_max_mps: 0.4            # stops",
                             "    vx_max_mps: 0.5 # stops"),
                        "    acc_max_mps2: [0.6] ", "    acc_max_mps2: [0.5] "),
                   Fallback()),
              ElementsAre("LOOSER limits.transition.vx_max_mps 0.4 -> 0.5",
                          "tighter limits.transition.acc_max_mps2 [0.6] -> [0.5]"));
}

TEST_F(DiffTest, AMissingZoneIsLooser) {
  std::string policy = Policy();
  const size_t from = policy.find("  # Stairs down");
  policy.erase(from, policy.find("separation:") - from);
  EXPECT_THAT(Diff(policy, Fallback()), ElementsAre("LOOSER envelope.stairs present -> -"));
}

TEST_F(DiffTest, AnInclusionZoneThatGrowsIsLooserAndAnExclusionZoneThatGrowsIsTighter) {
  EXPECT_THAT(
      Diff(Edit(Edit(Policy(), "[[0, 0], [20, 0], [20, 12], [0, 12]]",
                     "[[0, 0], [21, 0], [21, 12], [0, 12]]"),
                "r: 0.8}", "r: 0.9}"),
           Fallback()),
      ElementsAre(
          "LOOSER envelope.hall.polygon_m [[0, 0], [20, 0], [20, 12], [0, 12]] -> "
          "[[0, 0], [21, 0], [21, 12], [0, 12]]",
          "tighter envelope.stairs.circle_m {c: [19, 0.8], r: 0.8} -> {c: [19, 0.8], r: 0.9}"));
}

TEST_F(DiffTest, AMilderAnswerToATriggerIsLooser) {
  EXPECT_THAT(
      Diff(Policy(), Edit(Fallback(), "id: policy_saturated, layer: model, to: PREVIOUS_MODEL",
                          "id: policy_saturated, layer: model, to: DEGRADED")),
      ElementsAre("LOOSER triggers.policy_saturated.to PREVIOUS_MODEL -> DEGRADED"));
}

TEST_F(DiffTest, NamesFilesWhoseBytesDiffer) {
  ASSERT_OK_AND_ASSIGN(const auto before, Unit(Policy(), Fallback()));
  ASSERT_OK_AND_ASSIGN(const auto after, Unit(Policy() + "# remark\n", Fallback()));
  ASSERT_OK_AND_ASSIGN(const UnitDiff diff, DiffUnits(before, after));
  EXPECT_THAT(diff.artifacts, ElementsAre(HasSubstr("policy/control_policy.yaml  ")));
  EXPECT_FALSE(diff.same());
}

}  // namespace
