#include <filesystem>

#include "agent/base/files.h"
#include "agent/trust/hash.h"
#include "gatekeeper/bundle/rule_diff.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gtest/gtest.h"
#include "tests/support/git_folder.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::bundle::BuildRequest;
using gatekeeper::bundle::BuildUnit;
using gatekeeper::bundle::UngatedUnit;
using gatekeeper::source::Repository;
using testing::AllOf;
using testing::HasSubstr;
using tests::Edit;
using tests::GitFolder;
using tests::NavFile;
using tests::StatusIs;

constexpr char kSpec[] = "nav/release.yaml";

class BuildTest : public testing::Test {
 protected:
  BuildTest() {
    git_.Write(kSpec, tests::NavSpecWithout("golden", "model.onnx"));
    git_.Write("nav/model.onnx", "weights");
    for (const char* name : {"card.yaml", "control_policy.yaml", "fallback_rules.yaml"}) {
      git_.Write(std::string("nav/") + name, NavFile(name));
    }
    git_.Write("site/hall.yaml", NavFile("../site/hall.yaml"));
    git_.Commit("nav 1.0.0");
  }

  absl::StatusOr<UngatedUnit> Build(const std::string& out = "unit",
                                    const std::string& commit = "HEAD") {
    auto repository = Repository::Open(git_.path());
    if (!repository.ok()) return repository.status();
    return BuildUnit(*repository, {commit, kSpec, out_ / out});
  }

  void Recommit(const std::string& name, const std::string& bytes) {
    git_.Write(name, bytes);
    git_.Commit("change");
  }

  GitFolder git_;
  tests::TempFolder out_;
};

MATCHER_P(RefusedWith, text, "") {
  return testing::ExplainMatchResult(StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)),
                                     arg, result_listener);
}

TEST_F(BuildTest, UnpacksTheUnitAndNamesItByItsManifest) {
  ASSERT_OK_AND_ASSIGN(const UngatedUnit unit, Build());

  EXPECT_EQ(unit.label(), "nav@1.0.0");
  EXPECT_EQ(unit.manifest().files_size(), 4);
  ASSERT_OK_AND_ASSIGN(const std::string model, unit.Read("model/model.onnx"));
  EXPECT_EQ(model, "weights");
  agent::base::OsFiles files;
  ASSERT_OK_AND_ASSIGN(const std::string manifest,
                       files.Read((out_ / "unit") + "/manifest.json", 1 << 20));
  EXPECT_EQ(unit.digest(), agent::trust::Sha256(manifest));
  EXPECT_THAT(manifest, AllOf(HasSubstr("\"name\":\"nav\""), HasSubstr("\"commit\":\"")));
}

TEST_F(BuildTest, TheUnitNamesItsSafetyCase) {
  ASSERT_OK_AND_ASSIGN(const UngatedUnit before, Build("before"));
  EXPECT_EQ(before.manifest().safety_case(), "");
  const std::string spec = tests::NavSpecWithout("golden", "model.onnx");
  Recommit(kSpec, spec + "safety_case: SC-12 rev 4\n");
  ASSERT_OK_AND_ASSIGN(const UngatedUnit after, Build("after"));
  EXPECT_EQ(after.manifest().safety_case(), "SC-12 rev 4");
  ASSERT_OK_AND_ASSIGN(const auto diff, gatekeeper::bundle::DiffUnits(before, after));
  EXPECT_EQ(diff.safety_case, "- -> SC-12 rev 4");
  EXPECT_FALSE(diff.same());
  EXPECT_TRUE(diff.rules.empty() && diff.artifacts.empty());

  Recommit(kSpec, spec + "safety_case: " + std::string(200, 'x') + "\n");
  EXPECT_OK(Build("longest"));
  Recommit(kSpec, spec + "safety_case: " + std::string(201, 'x') + "\n");
  EXPECT_THAT(Build("longer"), RefusedWith("safety_case must be one line of at most 200 bytes"));
}

TEST_F(BuildTest, GivesTheSameDigestForTheSameCommitAnywhere) {
  ASSERT_OK_AND_ASSIGN(const UngatedUnit here, Build("here"));
  GitFolder elsewhere;
  elsewhere.Git("pull -q '" + git_.path() + "' main");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(elsewhere.path()));
  ASSERT_OK_AND_ASSIGN(const UngatedUnit there,
                       BuildUnit(repository, {"HEAD", kSpec, out_ / "there"}));
  EXPECT_EQ(here.digest(), there.digest());
}

TEST_F(BuildTest, BuildsAnOldCommitWhateverCameLater) {
  ASSERT_OK_AND_ASSIGN(const UngatedUnit before, Build("before"));
  Recommit("nav/model.onnx", "other weights");
  ASSERT_OK_AND_ASSIGN(const UngatedUnit old, Build("old", "HEAD~1"));
  ASSERT_OK_AND_ASSIGN(const UngatedUnit now, Build("now"));
  EXPECT_EQ(old.digest(), before.digest());
  EXPECT_NE(now.digest(), before.digest());
}

TEST_F(BuildTest, RefusesADirtyTreeAndAnExistingFolder) {
  git_.Write("nav/model.onnx", "uncommitted");
  EXPECT_THAT(Build(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nav/model.onnx")));
  git_.Commit("clean again");
  ASSERT_OK(Build());
  EXPECT_THAT(Build(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("exists already")));
}

TEST_F(BuildTest, LeavesNothingBehindWhenItRefuses) {
  Recommit("nav/card.yaml", "schema: model_card/1\nnonsense: 1\n");
  EXPECT_FALSE(Build().ok());
  EXPECT_TRUE(std::filesystem::is_empty(out_.path()));
}

TEST_F(BuildTest, NamesFileLineAndColumnOfAWrongSpec) {
  const std::string good = tests::NavSpecWithout("golden", "model.onnx");
  Recommit(kSpec, Edit(good, "version: 1.0.0", "version: one"));
  EXPECT_THAT(Build(), RefusedWith("nav/release.yaml:3:1: version must be a semantic version"));
  Recommit(kSpec, Edit(good, "name: nav", "name: Nav 7"));
  EXPECT_THAT(Build(), RefusedWith("nav/release.yaml:2:1: name must be"));
  Recommit(kSpec, Edit(good, "model_card: card.yaml\n", ""));
  EXPECT_THAT(Build(), RefusedWith("model_card is missing"));
  Recommit(kSpec, Edit(good, "model: model.onnx", "model: ../../secret.onnx"));
  EXPECT_THAT(Build(), RefusedWith("must stay inside the repository"));
  Recommit(kSpec, Edit(good, "model: model.onnx", "modle: model.onnx"));
  EXPECT_THAT(Build(), RefusedWith("unknown key 'modle'; did you mean 'model'?"));
  Recommit(kSpec, Edit(good, "hardware: [diff-drive-2]\n", ""));
  EXPECT_THAT(Build(), RefusedWith("at least one hardware class"));
}

TEST_F(BuildTest, SaysWhichKeyNamesAMissingFile) {
  std::filesystem::remove(git_.path() + "/nav/fallback_rules.yaml");
  git_.Commit("remove");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kNotFound,
                                AllOf(HasSubstr("nav/release.yaml:8:1: fallback_rules"),
                                      HasSubstr("holds no file nav/fallback_rules.yaml"))));
}

TEST_F(BuildTest, RefusesRulesThatDoNotHoldTogetherWithFileAndLine) {
  Recommit("nav/control_policy.yaml",
           Edit(NavFile("control_policy.yaml"), "trigger: envelope_breach\n  # Stairs",
                "trigger: fell_over\n  # Stairs"));
  EXPECT_THAT(Build(), RefusedWith("nav/fallback_rules.yaml:"));
}

TEST_F(BuildTest, RefusesAPolicyThatLeavesTheSiteOrItsRobotsCertificate) {
  Recommit("site/hall.yaml", Edit(NavFile("../site/hall.yaml"), "[20, 12]", "[20, 11.999999]"));
  EXPECT_THAT(Build(), RefusedWith("S11: envelope[0] lets the robot be at"));
  Recommit("site/hall.yaml",
           Edit(NavFile("../site/hall.yaml"), "vx_max_mps: 1.2", "vx_max_mps: 0.9"));
  EXPECT_THAT(Build(), RefusedWith("S9: limits.nominal.vx_max_mps asks for 1 of 'diff-drive-2'"));
  Recommit("site/hall.yaml", "schema: site/1\nid: nowhere\nframe: map\n");
  EXPECT_THAT(Build(), RefusedWith("site/hall.yaml:"));
}

TEST_F(BuildTest, CarriesNoSiteAndNeedsNone) {
  ASSERT_OK_AND_ASSIGN(const UngatedUnit with_site, Build("with"));
  EXPECT_EQ(with_site.manifest().files_size(), 4);
  Recommit(kSpec,
           Edit(tests::NavSpecWithout("golden", "model.onnx"), "site: ../site/hall.yaml\n", ""));
  ASSERT_OK_AND_ASSIGN(const UngatedUnit without, Build("without"));
  EXPECT_EQ(without.manifest().files_size(), 4);
}

TEST_F(BuildTest, SaysWhichKeyNamesAMissingSite) {
  std::filesystem::remove(git_.path() + "/site/hall.yaml");
  git_.Commit("remove");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kNotFound,
                                AllOf(HasSubstr("nav/release.yaml:9:1: site: "),
                                      HasSubstr("holds no file site/hall.yaml"))));
}

TEST_F(BuildTest, FollowsAGitLfsPointer) {
  const std::string weights = "weights in large file storage";
  const std::string oid = agent::trust::Sha256(weights).hex();
  git_.Write("nav/model.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:" + oid +
                                   "\nsize " + std::to_string(weights.size()) + "\n");
  git_.Commit("lfs");
  git_.Write(".git/lfs/objects/" + oid.substr(0, 2) + "/" + oid.substr(2, 2) + "/" + oid, weights);
  ASSERT_OK_AND_ASSIGN(const UngatedUnit unit, Build());
  ASSERT_OK_AND_ASSIGN(const std::string model, unit.Read("model/model.onnx"));
  EXPECT_EQ(model, weights);
}

}  // namespace
