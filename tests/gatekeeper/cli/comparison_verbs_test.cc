#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/cli/verbs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/support/git_folder.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// `gatekeeper unit diff` and `check` as a person types them.

namespace {

using gatekeeper::cli::Session;
using testing::HasSubstr;
using tests::Edit;
using tests::NavFile;
using tests::Printed;
using tests::Typed;

Printed Call(const std::string& arguments) {
  Session session;
  CLI::App app;
  gatekeeper::cli::AddComparisonVerbs(app, session);
  return Typed(app, session, arguments);
}

class UnitCheckTest : public testing::Test {
 protected:
  std::string Unit(const std::string& name, const std::string& policy) {
    git_.Write("nav/release.yaml", tests::NavSpecWithout("golden", "m"));
    git_.Write("nav/m", "weights");
    git_.Write("nav/card.yaml", NavFile("card.yaml"));
    git_.Write("nav/control_policy.yaml", policy);
    git_.Write("nav/fallback_rules.yaml", NavFile("fallback_rules.yaml"));
    git_.Write("site/hall.yaml", NavFile("../site/hall.yaml"));
    git_.Commit(name);
    const auto repository = gatekeeper::source::Repository::Open(git_.path());
    EXPECT_OK(repository);
    EXPECT_OK(
        gatekeeper::bundle::BuildUnit(*repository, {"HEAD", "nav/release.yaml", out_ / name}));
    return out_ / name;
  }

  static std::string Policy() { return NavFile("control_policy.yaml"); }
  static std::string Slower() {
    return Edit(Policy(), "    wz_acc_max_radps2: 6.0", "    wz_acc_max_radps2: 5.0");
  }

  tests::GitFolder git_;
  tests::TempFolder out_;
};

TEST_F(UnitCheckTest, TakesWhatIsTighter) {
  const Printed printed =
      Call("check " + Unit("after", Slower()) + " --against " + Unit("before", Policy()));
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_THAT(printed.out, HasSubstr("tighter  control policy  limits.nominal.wz_acc_max_radps2"));
  EXPECT_THAT(printed.out, HasSubstr("nothing is looser"));
}

TEST_F(UnitCheckTest, RefusesWhatIsLooserUntilASecondPersonHasApproved) {
  const std::string call =
      "check " + Unit("after", Policy()) + " --against " + Unit("before", Slower());
  const Printed refused = Call(call);
  EXPECT_EQ(refused.code, 6);
  EXPECT_THAT(refused.out, HasSubstr("LOOSER"));
  EXPECT_THAT(refused.err, HasSubstr("S16: 1 rule is looser than in nav@1.0.0"));

  const Printed approved = Call(call + " --approve-looser ada");
  EXPECT_EQ(approved.code, 0);
  EXPECT_THAT(approved.out, HasSubstr("1 looser, approved by ada"));
}

TEST_F(UnitCheckTest, RefusesAPreviousUnitThatDoesNotFit) {
  const std::string faster =
      Edit(Edit(Policy(), "rate_hz: 20", "rate_hz: 25"), "hard_ms: 30 ", "hard_ms: 25 ");
  const Printed refused =
      Call("check " + Unit("after", Policy()) + " --against " + Unit("before", faster));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.out, HasSubstr("S12: states.PREVIOUS_MODEL.controller cannot be nav@1.0.0: "
                                     "it was made for 25 Hz, not for 20"));
}

TEST_F(UnitCheckTest, FindsNoDifferenceBetweenAUnitAndItself) {
  const std::string unit = Unit("unit", Policy());
  const Printed printed = Call("diff " + unit + " " + unit);
  EXPECT_EQ(printed.code, 0);
  EXPECT_THAT(printed.out, HasSubstr("no difference"));
  EXPECT_EQ(Call("check nowhere --against " + unit).code, 5);
}

}  // namespace
