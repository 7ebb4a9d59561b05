#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/stage.h"
#include "tests/support/nav_release.h"

// Bad bytes and bad input on the way from a commit to the server: refused with a clear message and
// the documented exit code, and nothing half-written.

namespace tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A gatekeeper without a robot: nothing here may come as far as one.
class EmptyOffice : public Stage {
 public:
  EmptyOffice() { Serve(); }
};
Stage& EmptyStage() {
  static EmptyOffice office;
  return office;
}

// A copy of the sealed unit, to be spoilt.
std::string Copy(const std::string& name) {
  std::string copy = EmptyStage().path(name);
  fs::remove_all(copy);
  fs::copy(EmptyStage().SealedUnit("1.0.0"), copy, fs::copy_options::recursive);
  return copy;
}
Finished Verify(const std::string& unit) { return EmptyStage().Cli({"unit", "verify", unit}); }
Finished Push(const std::string& unit) { return EmptyStage().Cli({"unit", "push", unit}); }
void ExpectNothingPushed() {
  EXPECT_THAT(EmptyStage().Cli({"unit", "list"}).out, Not(HasSubstr("nav@")));
  const std::string blobs = EmptyStage().home() + "/blobs";
  EXPECT_TRUE(!fs::exists(blobs) || fs::is_empty(blobs));
}
Finished Build(const std::string& spec, const std::string& out) {
  return EmptyStage().Cli({"unit", "build", "--repo", EmptyStage().repository().path(), "--spec",
                           spec, "--out", EmptyStage().path(out)});
}
// Nothing of that name, and no temporary neighbour.
void ExpectNotBuilt(const std::string& out) {
  for (const auto& entry : fs::directory_iterator(EmptyStage().path(""))) {
    EXPECT_THAT(entry.path().filename().string(), Not(testing::StartsWith(out)));
  }
}
Finished Gate(const std::string& unit, const std::string& suite, const std::string& scenarios,
              const std::string& clips) {
  return EmptyStage().Cli({"gate", "run", unit, "--suite", suite, "--scenarios", scenarios,
                           "--sign", "--clips", clips});
}

TEST(FaultsTest, OneFlippedBitAnywhereInAUnitIsFound) {
  const std::string sound = Copy("sound");
  ASSERT_EQ(Verify(sound).code, 0) << Verify(sound).err;
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(sound)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), sound));
  }
  ASSERT_EQ(files.size(), 7U);
  for (const std::string& file : files) {
    const std::string unit = Copy("tampered");
    std::string bytes = ReadWhole(unit + "/" + file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    WriteWhole(unit + "/" + file, bytes);
    const Finished verified = Verify(unit);
    EXPECT_EQ(verified.code, 9) << file;
    EXPECT_THAT(verified.err, AnyOf(HasSubstr(file), HasSubstr("manifest.json"))) << file;
    const Finished pushed = Push(unit);
    // A manifest that is no manifest any more is told as what it is.
    EXPECT_THAT(pushed.code, file == "manifest.json" ? AnyOf(2, 9) : AnyOf(9, 9))
        << file << pushed.err;
  }
  ExpectNothingPushed();
}

TEST(FaultsTest, AManifestEditedAfterSealingIsRefused) {
  const std::string unit = Copy("edited");
  WriteWhole(unit + "/manifest.json", Edit(ReadWhole(unit + "/manifest.json"),
                                           "\"version\":\"1.0.0\"", "\"version\":\"1.0.1\""));
  for (const Finished& refused : {Verify(unit), Push(unit)}) {
    EXPECT_EQ(refused.code, 9) << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("manifest.json"));
  }
  ExpectNothingPushed();
}

TEST(FaultsTest, AMissingFileAndAnExtraOneAreNamed) {
  const std::string unit = Copy("incomplete");
  fs::remove(unit + "/model/card.yaml");
  for (const Finished& refused : {Verify(unit), Push(unit)}) {
    EXPECT_EQ(refused.code, 9);
    EXPECT_THAT(refused.err, HasSubstr("model/card.yaml is missing"));
  }
  const std::string more = Copy("more");
  WriteWhole(more + "/model/extra.bin", "x");
  EXPECT_EQ(Verify(more).code, 9);
  EXPECT_THAT(Verify(more).err, HasSubstr("model/extra.bin"));
  ExpectNothingPushed();
}

TEST(FaultsTest, AnotherGatekeepersKeysAreNotTrusted) {
  const std::string other = EmptyStage().path("other");
  ASSERT_EQ(RunProgram({GATEKEEPER, "init", other}).code, 0);
  const Finished refused = EmptyStage().Cli(
      {"unit", "verify", EmptyStage().SealedUnit("1.0.0"), "--trust", other + "/trust.json"});
  EXPECT_EQ(refused.code, 9);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("signed by key"), HasSubstr("not among")));

  // The same to a server: sealed with keys that it does not know.
  const std::string unit = EmptyStage().path("foreign");
  fs::copy(EmptyStage().BuiltUnit("1.0.0"), unit, fs::copy_options::recursive);
  ASSERT_EQ(RunProgram({GATEKEEPER, "--home", other, "gate", "run", unit, "--suite",
                        EmptyStage().suite(), "--scenarios", EmptyStage().scenarios(), "--sign"})
                .code,
            0);
  const Finished pushed = Push(unit);
  EXPECT_EQ(pushed.code, 9) << pushed.err;
  EXPECT_THAT(pushed.err, HasSubstr("not among"));
  ExpectNothingPushed();
}

TEST(FaultsTest, AnUnsealedUnitIsNotPushed) {
  const Finished pushed = Push(EmptyStage().BuiltUnit("1.0.0"));
  EXPECT_EQ(pushed.code, 6) << pushed.err;
  EXPECT_THAT(pushed.err, AllOf(HasSubstr("not sealed"), HasSubstr("gate run")));
  const Finished verified = Verify(EmptyStage().BuiltUnit("1.0.0"));
  EXPECT_EQ(verified.code, 9);
  EXPECT_THAT(verified.err, HasSubstr("not sealed"));
  ExpectNothingPushed();
}

TEST(FaultsTest, AFailedGateAndMissingEvidenceSealNothing) {
  const std::string unit = EmptyStage().path("ungated");
  fs::copy(EmptyStage().BuiltUnit("1.0.0"), unit, fs::copy_options::recursive);
  const std::string strict = EmptyStage().path("strict.yaml");
  WriteWhole(strict, Edit(ReadWhole(EmptyStage().suite()), "max_clamp_fraction: 0.9",
                          "max_clamp_fraction: 0.0001"));
  const std::string clips = EmptyStage().path("clips");
  const Finished failed = Gate(unit, strict, EmptyStage().scenarios(), clips);
  EXPECT_EQ(failed.code, 3) << failed.out << failed.err;
  EXPECT_THAT(failed.out, testing::ContainsRegex("raw_vs_enforced +FAIL"));
  EXPECT_FALSE(fs::is_empty(clips)) << "no counterexample";

  fs::create_directory(EmptyStage().path("empty"));
  const Finished nothing = Gate(unit, EmptyStage().suite(), EmptyStage().path("empty"), clips);
  EXPECT_EQ(nothing.code, 10) << nothing.out << nothing.err;
  EXPECT_THAT(nothing.out, HasSubstr("INSUFFICIENT"));

  EXPECT_FALSE(fs::exists(unit + "/seal"));
}

TEST(FaultsTest, ADirtyTreeIsNotBuilt) {
  const GitFolder& repository = EmptyStage().repository();
  repository.Write("card.yaml", NavFile("card.yaml") + "# tried something\n");
  repository.Write("notes.txt", "not in git");
  const Finished refused = Build("release-1.0.0.yaml", "dirty");
  EXPECT_EQ(refused.code, 6);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("card.yaml"), HasSubstr("notes.txt")));
  ExpectNotBuilt("dirty");
  repository.Git("checkout -q card.yaml");
  repository.Git("clean -fdq");
}

TEST(FaultsTest, AWrongKeyIsNamedWithFileLineColumnAndItsNeighbour) {
  const GitFolder& repository = EmptyStage().repository();
  repository.Write("control_policy.yaml",
                   Edit(ReadWhole(repository.path() + "/control_policy.yaml"), "\nid: nav-indoor",
                        "\nidd: nav-indoor"));
  repository.Commit("a typing error");
  const Finished refused = Build("release-1.0.0.yaml", "misspelt");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("control_policy.yaml:5:1: "), HasSubstr("'idd'"),
                                 HasSubstr("did you mean 'id'?")));
  ExpectNotBuilt("misspelt");
  repository.Git("revert --no-edit HEAD");

  const std::string plan = EmptyStage().path("bad-plan.yaml");
  WriteWhole(plan, Edit(ReadWhole(EmptyStage().at_once()), "trial_s", "trail_s"));
  const Finished started =
      EmptyStage().Cli({"rollout", "start", "nav@1.0.0", "--fleet", "north", "--plan", plan});
  EXPECT_EQ(started.code, 2);
  EXPECT_THAT(started.err, AllOf(HasSubstr("bad-plan.yaml:4:"), HasSubstr("'trail_s'"),
                                 HasSubstr("did you mean 'trial_s'?")));

  const std::string suite = EmptyStage().path("bad-suite.yaml");
  WriteWhole(suite, Edit(ReadWhole(EmptyStage().suite()), "alpha: 0.05", "alpha: five"));
  const Finished gated = Gate(EmptyStage().BuiltUnit("1.0.0"), suite, EmptyStage().scenarios(),
                              EmptyStage().path("clips"));
  EXPECT_EQ(gated.code, 2);
  EXPECT_THAT(gated.err, AllOf(HasSubstr("bad-suite.yaml:3:"), HasSubstr("alpha")));
}

TEST(FaultsTest, WhatACommitDoesNotHoldIsNamed) {
  const Finished spec = Build("release-9.yaml", "absent");
  EXPECT_EQ(spec.code, 5);
  EXPECT_THAT(spec.err, HasSubstr("release-9.yaml"));
  const Finished repository =
      EmptyStage().Cli({"unit", "build", "--repo", EmptyStage().path("nowhere"), "--out",
                        EmptyStage().path("absent")});
  EXPECT_EQ(repository.code, 5);
  EXPECT_THAT(repository.err, HasSubstr("git repository"));
  ExpectNotBuilt("absent");
}

TEST(FaultsTest, ADamagedRecordingIsNoEvidence) {
  const std::string scenarios = EmptyStage().path("damaged");
  fs::copy(EmptyStage().scenarios(), scenarios);
  const std::string recording = scenarios + "/clean-000.mcap";
  std::string bytes = ReadWhole(recording);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  WriteWhole(recording, bytes);
  const Finished judged = Gate(EmptyStage().BuiltUnit("1.0.0"), EmptyStage().suite(), scenarios,
                               EmptyStage().path("clips"));
  EXPECT_EQ(judged.code, 3) << judged.out << judged.err;
  EXPECT_THAT(judged.out, HasSubstr("clean-000"));
}

TEST(FaultsTest, APortInUseAndASecondServerAreRefused) {
  const std::string other = EmptyStage().path("second");
  ASSERT_EQ(RunProgram({GATEKEEPER, "init", other}).code, 0);
  const Finished port = RunProgram({GATEKEEPER, "--home", other, "serve", "--listen",
                                    EmptyStage().address(), "--enrol-listen", "127.0.0.1:0"});
  EXPECT_EQ(port.code, 6) << port.err;
  EXPECT_THAT(port.err, AllOf(HasSubstr(EmptyStage().address()), HasSubstr("in use")));

  const Finished home = RunProgram({GATEKEEPER, "--home", EmptyStage().home(), "serve", "--listen",
                                    "127.0.0.1:0", "--enrol-listen", "127.0.0.1:0"});
  EXPECT_EQ(home.code, 6) << home.err;
  EXPECT_THAT(home.err, HasSubstr("another gatekeeper serves"));

  const Finished empty = RunProgram({GATEKEEPER, "--home", EmptyStage().path("nobody"), "serve"});
  EXPECT_EQ(empty.code, 5) << empty.err;
  EXPECT_EQ(EmptyStage().Cli({"unit", "list"}).code, 0) << "the first one serves on";
}

}  // namespace
}  // namespace tests
