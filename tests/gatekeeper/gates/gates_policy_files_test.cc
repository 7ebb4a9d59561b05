#include <filesystem>
#include <fstream>

#include "absl/strings/str_replace.h"
#include "agent/base/files.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/plan.h"
#include "gatekeeper/gates/policy_files.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// Suites, sites and waivers out of a real git repository.

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using tests::GitFolder;
using tests::StatusIs;

class PolicyFilesTest : public testing::Test {
 protected:
  PolicyFilesTest() {
    git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nsite: ../site/hall.yaml\n");
    git_.Write("site/hall.yaml", "the site\n");
    git_.Write("waivers/one.yaml", "the waiver\n");
    git_.Write("waivers/README.md", "not a waiver\n");
    commit_ = git_.Commit("policy");
  }
  absl::StatusOr<NamedSuite> Read(const std::string& commit) {
    auto repository = source::Repository::Open(git_.path());
    if (!repository.ok()) return repository.status();
    return ReadPinnedSuite(*repository,
                           {.name = "policy", .commit = commit, .suite_path = "suites/hall.yaml"},
                           scratch_.path());
  }

  GitFolder git_;
  tests::TempFolder scratch_;
  std::string commit_;
};

TEST_F(PolicyFilesTest, ReadsSuiteSiteAndWaiversOfTheCommit) {
  ASSERT_OK_AND_ASSIGN(const NamedSuite suite, Read(commit_));
  EXPECT_EQ(suite.file, "suites/hall.yaml");
  EXPECT_EQ(suite.yaml, tests::SuiteYaml() + "\nsite: ../site/hall.yaml\n");
  EXPECT_EQ(suite.beside.repository, "policy");
  EXPECT_EQ(suite.beside.commit, commit_);
  EXPECT_EQ(suite.beside.site->file, "site/hall.yaml");
  EXPECT_EQ(suite.beside.site->text, "the site\n");
  ASSERT_EQ(suite.beside.waivers.size(), 1u);
  EXPECT_EQ(suite.beside.waivers[0].file, "waivers/one.yaml");
  EXPECT_EQ(suite.beside.waivers[0].text, "the waiver\n");
}

TEST_F(PolicyFilesTest, ADirtyWorkTreeChangesNothing) {
  git_.Write("suites/hall.yaml", "schema: gate_suite/1\nid: weak\n");
  git_.Write("site/hall.yaml", "a larger site\n");
  git_.Write("waivers/two.yaml", "another waiver\n");
  git_.Git("add -A");  // nor does the index
  ASSERT_OK_AND_ASSIGN(const NamedSuite suite, Read(commit_));
  EXPECT_EQ(suite.yaml, tests::SuiteYaml() + "\nsite: ../site/hall.yaml\n");
  EXPECT_EQ(suite.beside.site->text, "the site\n");
  EXPECT_EQ(suite.beside.waivers.size(), 1u);
}

TEST_F(PolicyFilesTest, AMovedBranchChangesNothing) {
  git_.Write("suites/hall.yaml",
             absl::StrReplaceAll(tests::SuiteYaml(), {{"floor: 0.55", "floor: 0.01"}}));
  git_.Commit("weaken it");
  git_.Git("tag -f " + commit_);  // a tag that is called like the commit
  ASSERT_OK_AND_ASSIGN(const NamedSuite suite, Read(commit_));
  EXPECT_EQ(suite.yaml, tests::SuiteYaml() + "\nsite: ../site/hall.yaml\n");
}

TEST_F(PolicyFilesTest, OnlyAllFortyDigitsPinACommit) {
  for (const std::string& name :
       {std::string("HEAD"), std::string("main"), std::string("master"), std::string(),
        commit_.substr(0, 39), commit_.substr(0, 12), commit_ + "0", "G" + commit_.substr(1)}) {
    EXPECT_THAT(Read(name), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("40 hex")))
        << name;
  }
  EXPECT_THAT(Read(std::string(40, 'a')), StatusIs(absl::StatusCode::kNotFound, HasSubstr("aaaa")));
}

TEST_F(PolicyFilesTest, WhatASuiteNamesMustBeInTheCommit) {
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nsite: ../../outside.yaml\n");
  EXPECT_THAT(Read(git_.Commit("outside")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("outside.yaml")));
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nsite: absent.yaml\n");
  EXPECT_THAT(Read(git_.Commit("absent")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("suites/absent.yaml")));
}

TEST_F(PolicyFilesTest, APlainSuiteBringsItsSiteAndNoWaivers) {
  ASSERT_OK_AND_ASSIGN(const NamedSuite suite, ReadPlainSuite(git_.path() + "/suites/hall.yaml"));
  EXPECT_EQ(suite.beside.repository, "");
  EXPECT_EQ(suite.beside.commit, "");
  EXPECT_EQ(suite.beside.site->text, "the site\n");
  EXPECT_TRUE(suite.beside.waivers.empty());
}

constexpr char kMapYaml[] =
    "image: pictures/hall.pgm\nresolution: 0.05\norigin: [0, 0, 0]\nnegate: 0\n"
    "occupied_thresh: 0.65\nfree_thresh: 0.196\n";

std::string WithMap(const std::string& path) {
  return tests::SuiteYaml() +
         "\nclosed_loop: {runs: 1, max_pose_error_m: 0.3, max_range_error_m: 0.1, "
         "max_collision_rate: 0.9, min_goal_rate: 0.1, goal_within_m: 0.5, map: " +
         path + "}\n";
}

TEST_F(PolicyFilesTest, AMapIsReadWithTheImageThatItNames) {
  git_.Write("suites/hall.yaml", WithMap("../maps/hall.yaml"));
  git_.Write("maps/hall.yaml", kMapYaml);
  git_.Write("maps/pictures/hall.pgm", std::string("P5\n2 1\n255\n\xfe\0", 13));
  const std::string commit = git_.Commit("with a map");
  ASSERT_OK_AND_ASSIGN(const NamedSuite pinned, Read(commit));
  ASSERT_NE(pinned.beside.map, nullptr);
  EXPECT_EQ(pinned.beside.map->file, "maps/hall.yaml");
  EXPECT_THAT(pinned.beside.map->map.cells,
              testing::ElementsAre(resim::MapCell::kFree, resim::MapCell::kOccupied));
  ASSERT_OK_AND_ASSIGN(const NamedSuite plain, ReadPlainSuite(git_.path() + "/suites/hall.yaml"));
  EXPECT_EQ(plain.beside.map->sha256, pinned.beside.map->sha256);

  git_.Write("maps/pictures/hall.pgm", std::string("P5\n2 1\n255\n\xfe\xfe", 13));
  ASSERT_OK_AND_ASSIGN(const NamedSuite other, Read(git_.Commit("no wall")));
  EXPECT_NE(other.beside.map->sha256, pinned.beside.map->sha256);

  git_.Write("maps/hall.yaml", absl::StrReplaceAll(kMapYaml, {{"0.05", "0"}}));
  EXPECT_THAT(Read(git_.Commit("no cells")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("maps/hall.yaml"), HasSubstr("resolution"))));
  git_.Write("suites/hall.yaml", WithMap("absent.yaml"));
  EXPECT_THAT(Read(git_.Commit("absent map")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("suites/absent.yaml")));
}

TEST_F(PolicyFilesTest, ScenariosThatASuiteNamesAreThoseOfTheCommit) {
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nscenarios: ../library/hall/\n");
  git_.Write("library/hall/one.yaml", "as committed\n");
  git_.Write("library/yard/two.yaml", "of another hall\n");
  const std::string commit = git_.Commit("with scenarios");
  git_.Write("library/hall/one.yaml", "edited\n");
  ASSERT_OK_AND_ASSIGN(const NamedSuite suite, Read(commit));
  ASSERT_TRUE(suite.beside.scenarios.has_value());
  EXPECT_EQ(suite.beside.scenarios->name, "library/hall");
  const std::string folder = suite.beside.scenarios->folder;
  EXPECT_EQ(folder.rfind(scratch_.path(), 0), 0u);
  EXPECT_EQ(agent::base::OsFiles().Read(folder + "/one.yaml", 100).value(), "as committed\n");
  EXPECT_FALSE(std::filesystem::exists(folder + "/two.yaml"));

  ASSERT_OK_AND_ASSIGN(const NamedSuite plain, ReadPlainSuite(git_.path() + "/suites/hall.yaml"));
  EXPECT_EQ(plain.beside.scenarios->folder, git_.path() + "/library/hall");
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nscenarios: ../absent\n");
  EXPECT_THAT(Read(git_.Commit("absent")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nscenarios: /library\n");
  EXPECT_THAT(Read(git_.Commit("absolute")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("relative to the suite")));
}

// The plan

v1::GatePlan Plan(const NamedSuite& named, const std::vector<Scenario>& scenarios,
                  const std::string& engine) {
  const auto suite = ParseSuite(named.yaml, named.file);
  return MakePlan({.suite = *suite,
                   .suite_file = named.file,
                   .policy = named.beside,
                   .scenarios = scenarios,
                   .host_class = "x86-64/avx2",
                   .deployed = "",
                   .engine = engine});
}

TEST_F(PolicyFilesTest, APlanIsNamedByAllThatIsFixedAndByNothingElse) {
  ASSERT_OK_AND_ASSIGN(const NamedSuite named, Read(commit_));
  std::vector<Scenario> scenarios(2);
  scenarios[0].document.set_id("a");
  scenarios[1].document.set_id("b");
  const v1::GatePlan plan = Plan(named, scenarios, "engine 1");
  EXPECT_EQ(plan.policy_commit(), commit_);
  EXPECT_EQ(plan.suite_path(), "suites/hall.yaml");
  EXPECT_EQ(plan.scenarios(), 2u);
  EXPECT_EQ(plan.sha256().size(), 64u);
  EXPECT_EQ(plan.sha256(), Plan(named, scenarios, "engine 1").sha256());
  EXPECT_NE(plan.sha256(), Plan(named, scenarios, "engine 2").sha256());

  NamedSuite other_site = named;
  other_site.beside.site->text = "a larger site\n";
  EXPECT_NE(plan.sha256(), Plan(other_site, scenarios, "engine 1").sha256());
  NamedSuite with_map = named;
  with_map.beside.map = std::make_shared<const MapOfSite>(
      MapOfSite{.file = "map.yaml", .map = {}, .sha256 = agent::trust::Sha256("a map")});
  EXPECT_NE(plan.sha256(), Plan(with_map, scenarios, "engine 1").sha256());
  EXPECT_EQ(Plan(with_map, scenarios, "engine 1").map_sha256(),
            agent::trust::Sha256("a map").hex());
  NamedSuite other_suite = named;
  other_suite.yaml += "# a remark\n";
  EXPECT_NE(plan.sha256(), Plan(other_suite, scenarios, "engine 1").sha256());
  scenarios[1].document.set_id("c");
  EXPECT_NE(plan.sha256(), Plan(named, scenarios, "engine 1").sha256());
}

}  // namespace
}  // namespace gatekeeper::gates
