#include "gatekeeper/bundle/ungated_unit.h"
#include "gtest/gtest.h"
#include "tests/support/git_folder.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::bundle::UngatedUnit;
using testing::AllOf;
using testing::HasSubstr;
using tests::Edit;
using tests::NavFile;
using tests::StatusIs;

constexpr char kGolden[] = "models/nav-1.0.0.golden.json";

class GoldenBuildTest : public testing::Test {
 protected:
  absl::StatusOr<UngatedUnit> Build(const std::string& golden) {
    git_.Write("nav/release.yaml", NavFile("release-1.0.0.yaml"));
    git_.Write("site/hall.yaml", NavFile("../site/hall.yaml"));
    for (const char* name :
         {"card.yaml", "control_policy.yaml", "fallback_rules.yaml", "models/nav-1.0.0.onnx"}) {
      git_.Write(std::string("nav/") + name, NavFile(name));
    }
    git_.Write(std::string("nav/") + kGolden, golden);
    git_.Commit("nav 1.0.0");
    auto repository = gatekeeper::source::Repository::Open(git_.path());
    if (!repository.ok()) return repository.status();
    return gatekeeper::bundle::BuildUnit(*repository, {"HEAD", "nav/release.yaml", out_ / "unit"});
  }

  tests::GitFolder git_;
  tests::TempFolder out_;
};

TEST_F(GoldenBuildTest, CarriesTheAnswersAsCommitted) {
  ASSERT_OK_AND_ASSIGN(const UngatedUnit unit, Build(NavFile(kGolden)));
  EXPECT_EQ(unit.manifest().files_size(), 5);
  ASSERT_OK_AND_ASSIGN(const std::string carried, unit.Read("model/golden.json"));
  EXPECT_EQ(carried, NavFile(kGolden));
}

TEST_F(GoldenBuildTest, RefusesAnswersOfAnotherModel) {
  EXPECT_THAT(
      Build(NavFile("models/nav-1.3.0.golden.json")),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("nav/release.yaml:6:1: golden: nav/models/nav-1.0.0.golden.json"),
                     HasSubstr("the model card binds"))));
}

TEST_F(GoldenBuildTest, RefusesAnswersThatDoNotRead) {
  EXPECT_THAT(Build(Edit(NavFile(kGolden), "golden/1", "golden/2")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("schema (golden/1)")));
}

}  // namespace
