#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "agent/base/strict_json.h"
#include "agent/trust/unit.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::trust {
namespace {

namespace fs = std::filesystem;
namespace v1 = ::gatekeeper::v1;
using Json = nlohmann::json;
using testing::_;
using testing::AllOf;
using testing::HasSubstr;
using tests::Must;
using tests::StatusIs;

class UnitTest : public testing::Test {
 protected:
  UnitTest() : manifest_(tests::WriteSealedUnit(unit_, signers_)) {}

  // Puts the file back as it was afterwards.
  void With(const std::string& path, const std::string& bytes, const std::function<void()>& body) {
    const std::string before = tests::ReadFile(unit_ + "/" + path);
    tests::WriteFile(unit_ + "/" + path, bytes);
    body();
    tests::WriteFile(unit_ + "/" + path, before);
  }
  absl::Status Verify() const { return VerifyUnit(unit_, signers_.trust).status(); }
  // The verdict of this unit, changed and signed anew by the gate key.
  void SealWithVerdict(const std::string& patch) {
    const Digest digest = Sha256(CanonicalManifest(manifest_));
    const Json verdict = Json::parse(VerdictStatement(manifest_, digest, signers_.Passed()));
    tests::WriteSeal(
        unit_, {{kVerdictBundle,
                 Must(SignStatement(verdict.patch(Json::parse(patch)).dump(), signers_.gate))}});
  }

  const tests::TempFolder folder_;
  const std::string unit_ = folder_ / "unit";
  const tests::Signers signers_;
  const v1::Manifest manifest_;
};

TEST_F(UnitTest, AnIntactSealedUnitIsVerified) {
  ASSERT_OK_AND_ASSIGN(const VerifiedUnit unit, VerifyUnit(unit_, signers_.trust));
  EXPECT_EQ(unit.digest(), Sha256(tests::ReadFile(unit_ + "/manifest.json")));
  EXPECT_EQ(unit.manifest().version(), "1.4.0");
  EXPECT_EQ(unit.manifest_bytes(), tests::ReadFile(unit_ + "/manifest.json"));
  ASSERT_OK_AND_ASSIGN(const std::string model, unit.Read(kModelFile));
  EXPECT_EQ(model, "not really a model");
}

TEST_F(UnitTest, AnUnsealedUnitIsIntactButNotVerified) {
  fs::remove_all(unit_ + "/seal");
  ASSERT_OK_AND_ASSIGN(const IntactUnit unit, VerifyFiles(unit_));
  EXPECT_EQ(unit.digest(), Sha256(CanonicalManifest(manifest_)));
  EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not sealed")));
}

TEST_F(UnitTest, EachSealFileIsNeeded) {
  for (const char* bundle : {kUnitBundle, kVerdictBundle}) {
    const std::string path = unit_ + "/seal/" + bundle;
    const std::string before = tests::ReadFile(path);
    fs::remove(path);
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(bundle)));
    tests::WriteFile(path, before);
  }
  EXPECT_OK(Verify());
}

TEST_F(UnitTest, RefusesEveryFlippedByteOfEveryFile) {
  std::vector<std::string> paths = {"manifest.json", "seal/unit.sigstore.json",
                                    "seal/vsa.sigstore.json"};
  for (const auto& [path, bytes] : tests::UnitBytes()) paths.push_back(path);
  for (const std::string& path : paths) {
    const std::string good = tests::ReadFile(unit_ + "/" + path);
    for (size_t at = 0; at < good.size(); ++at) {
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
      tests::WriteFile(unit_ + "/" + path, flipped);
      const absl::StatusCode code = Verify().code();
      EXPECT_TRUE(code == absl::StatusCode::kDataLoss ||
                  code == absl::StatusCode::kPermissionDenied)
          << path << " byte " << at << ": " << Verify();
    }
    tests::WriteFile(unit_ + "/" + path, good);
  }
  EXPECT_OK(Verify());
}

TEST_F(UnitTest, NamesTheFileAndWhatWasFoundAndWanted) {
  With(kCardFile, "schema: model_card/2\n", [this] {
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss,
                                   AllOf(HasSubstr(kCardFile),
                                         HasSubstr(Sha256("schema: model_card/2\n").hex()),
                                         HasSubstr(Sha256("schema: model_card/1\n").hex()))));
  });
  With(kCardFile, "short", [this] {
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss,
                                   AllOf(HasSubstr("5 bytes"), HasSubstr("wants 21"))));
  });
  With(kCardFile, std::string(1 << 20, 'x'), [this] {
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("larger than the 21")));
  });
}

TEST_F(UnitTest, RefusesAMissingFile) {
  for (const char* path : {kManifestFile, kModelFile, kFallbackFile}) {
    const std::string before = tests::ReadFile(unit_ + "/" + path);
    fs::remove(unit_ + "/" + path);
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss,
                                   AllOf(HasSubstr(path), HasSubstr("missing"))));
    EXPECT_FALSE(VerifyFiles(unit_).ok());
    tests::WriteFile(unit_ + "/" + path, before);
  }
  EXPECT_OK(Verify());
}

TEST_F(UnitTest, AFolderThatIsNotThereIsNotFound) {
  EXPECT_THAT(VerifyUnit(folder_ / "none", signers_.trust),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(VerifyFiles(unit_ + "/manifest.json"), StatusIs(absl::StatusCode::kNotFound, _));
}

TEST_F(UnitTest, RefusesAnythingTheManifestDoesNotKnow) {
  const std::string outside = folder_ / "outside";
  tests::WriteFile(outside, "x");
  const std::pair<const char*, std::function<void(const std::string&)>> strangers[] = {
      {"extra.txt", [](const std::string& path) { tests::WriteFile(path, "x"); }},
      {"model/extra.onnx", [](const std::string& path) { tests::WriteFile(path, "x"); }},
      {"seal/third.sigstore.json", [](const std::string& path) { tests::WriteFile(path, "x"); }},
      {"empty-folder", [](const std::string& path) { fs::create_directory(path); }},
      {".hidden", [](const std::string& path) { tests::WriteFile(path, ""); }},
      {"link", [&](const std::string& path) { fs::create_symlink(outside, path); }},
      {"dangling", [](const std::string& path) { fs::create_symlink("nowhere", path); }},
      {"fifo", [](const std::string& path) { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); }},
  };
  for (const auto& [name, make] : strangers) {
    make(unit_ + "/" + name);
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(name))) << name;
    EXPECT_THAT(VerifyFiles(unit_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(name)));
    fs::remove_all(unit_ + "/" + name);
  }
  EXPECT_OK(Verify());
}

TEST_F(UnitTest, RefusesLinksPipesAndSetIdBitsInPlaceOfItsFiles) {
  const std::string model = unit_ + "/" + kModelFile;
  fs::rename(model, folder_ / "moved");
  fs::create_symlink(folder_ / "moved", model);
  EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("symbolic link")));
  fs::remove(model);
  ASSERT_EQ(mkfifo(model.c_str(), 0600), 0);
  EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("plain file")));
  fs::remove(model);
  fs::rename(folder_ / "moved", model);
  chmod(model.c_str(), 04755);
  EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("set-id")));
  chmod(model.c_str(), 0644);

  fs::rename(unit_ + "/policy", folder_ / "policy");
  fs::create_directory_symlink(folder_ / "policy", unit_ + "/policy");
  EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("policy")));
  fs::remove(unit_ + "/policy");
  fs::rename(folder_ / "policy", unit_ + "/policy");
  EXPECT_OK(Verify());

  for (const char* path : {"manifest.json", "seal/vsa.sigstore.json"}) {
    fs::rename(unit_ + "/" + path, folder_ / "moved");
    fs::create_symlink(folder_ / "moved", unit_ + "/" + path);
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("symbolic link")))
        << path;
    fs::remove(unit_ + "/" + path);
    fs::rename(folder_ / "moved", unit_ + "/" + path);
  }
  EXPECT_OK(Verify());
}

TEST_F(UnitTest, ReadHashesAgainAndNeverLeavesTheManifest) {
  ASSERT_OK_AND_ASSIGN(const VerifiedUnit unit, VerifyUnit(unit_, signers_.trust));
  EXPECT_THAT(unit.Read("../outside"), StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_THAT(unit.Read("manifest.json"), StatusIs(absl::StatusCode::kNotFound, _));
  With(kModelFile, "another bad model!", [&unit] {
    EXPECT_THAT(unit.Read(kModelFile), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("SHA-256")));
  });
  const std::string model = unit_ + "/" + kModelFile;
  fs::rename(model, folder_ / "moved");
  fs::create_symlink(folder_ / "moved", model);
  EXPECT_THAT(unit.Read(kModelFile), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("link")));
}

TEST_F(UnitTest, RefusesVerdictsThatDoNotPermitThisUnit) {
  const std::pair<const char*, const char*> verdicts[] = {
      {"verificationResult",
       R"([{"op":"replace","path":"/predicate/verificationResult","value":"FAILED"}])"},
      {"verificationResult", R"([{"op":"remove","path":"/predicate/verificationResult"}])"},
      {"verificationResult", R"([{"op":"replace","path":"/predicate","value":[]}])"},
      {"subject", R"([{"op":"replace","path":"/subject/0/digest/sha256","value":"00"}])"},
      {"subject", R"([{"op":"replace","path":"/subject/0/name","value":"x"}])"},
      {"subject", R"([{"op":"copy","from":"/subject/0","path":"/subject/1"}])"},
      {"subject", R"([{"op":"replace","path":"/subject","value":[]}])"},
      {"subject", R"([{"op":"remove","path":"/subject"}])"},
      {"verifier/id",
       R"([{"op":"replace","path":"/predicate/verifier/id","value":"https://elsewhere"}])"},
      {"resourceUri",
       R"([{"op":"replace","path":"/predicate/resourceUri","value":"gatekeeper:unit/nav@1.3.0"}])"},
      {"verifiedLevels",
       R"([{"op":"replace","path":"/predicate/verifiedLevels","value":["ROBOT_GATES_L0"]}])"},
      {"verifiedLevels",
       R"([{"op":"replace","path":"/predicate/verifiedLevels","value":"ROBOT_GATES_L1"}])"},
      {"verifiedLevels", R"([{"op":"replace","path":"/predicate/verifiedLevels","value":[]}])"},
      {"policy/digest", R"([{"op":"remove","path":"/predicate/policy"}])"},
      {"policy/digest",
       R"([{"op":"replace","path":"/predicate/policy/digest/sha256","value":"00"}])"},
      {"predicateType",
       R"([{"op":"replace","path":"/predicateType","value":"https://slsa.dev/provenance/v1"}])"},
      {"_type", R"([{"op":"replace","path":"/_type","value":"https://in-toto.io/Statement/v9"}])"},
      {"_type", R"([{"op":"replace","path":"","value":7}])"},
  };
  for (const auto& [field, patch] : verdicts) {
    SealWithVerdict(patch);
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kPermissionDenied,
                                   AllOf(HasSubstr("vsa.sigstore.json"), HasSubstr(field))))
        << patch;
  }
  SealWithVerdict("[]");
  EXPECT_OK(Verify());
  SealWithVerdict(R"([{"op":"add","path":"/predicate/verifiedLevels/0","value":"OTHER_L9"}])");
  EXPECT_OK(Verify()) << "the wanted level among others";
}

TEST_F(UnitTest, RefusesAModelSignatureOfAnythingElse) {
  const Digest digest = Sha256(CanonicalManifest(manifest_));
  const Json good = Json::parse(UnitStatement(manifest_, digest));
  for (
      const char* patch : {
          R"([{"op":"remove","path":"/predicate/resources/0"}])",
          R"([{"op":"replace","path":"/predicate/resources/1/digest","value":"00"}])",
          R"([{"op":"replace","path":"/predicate/resources/1/name","value":"model/other"}])",
          R"([{"op":"replace","path":"/predicate/serialization/method","value":"shards"}])",
          R"([{"op":"replace","path":"/predicate/serialization/ignore_paths","value":["policy"]}])",
          R"([{"op":"replace","path":"/subject/0/digest/sha256","value":"00"}])",
          R"([{"op":"replace","path":"/subject/0/name","value":"nav@1.3.0"}])",
          R"([{"op":"add","path":"/predicate/more","value":1}])",
          R"([{"op":"replace","path":"/predicateType","value":"https://model_signing/signature/v2"}])",
          R"([{"op":"replace","path":"","value":[1]}])",
      }) {
    tests::WriteSeal(unit_, {{kUnitBundle, Must(SignStatement(good.patch(Json::parse(patch)).dump(),
                                                              signers_.build))}});
    EXPECT_THAT(Verify(),
                StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("unit.sigstore.json")))
        << patch;
  }
}

TEST_F(UnitTest, EachClassOfKeySignsOnlyItsOwnStatement) {
  const Digest digest = Sha256(CanonicalManifest(manifest_));
  const std::string unit = UnitStatement(manifest_, digest);
  const std::string verdict = VerdictStatement(manifest_, digest, signers_.Passed());
  const tests::Seal good = tests::SealOf(manifest_, signers_, signers_.Passed());
  const tests::Seal wrong[] = {
      {{kUnitBundle, Must(SignStatement(unit, signers_.gate))}, *good.find(kVerdictBundle)},
      {{kVerdictBundle, Must(SignStatement(verdict, signers_.build))}, *good.find(kUnitBundle)},
      {{kVerdictBundle, good.at(kUnitBundle)}, {kUnitBundle, good.at(kVerdictBundle)}},
      tests::SealOf(manifest_, tests::Signers(), signers_.Passed()),
  };
  for (const tests::Seal& seal : wrong) {
    EXPECT_THAT(VerifyPapers(CanonicalManifest(manifest_), seal, digest, signers_.trust),
                StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not among")));
  }
}

TEST_F(UnitTest, ASealOfAnotherUnitIsRefused) {
  v1::Manifest other = manifest_;
  other.set_version("1.4.1");
  const tests::Seal foreign = tests::SealOf(other, signers_, signers_.Passed());
  const tests::Seal own = tests::SealOf(manifest_, signers_, signers_.Passed());
  for (const char* swapped : {kUnitBundle, kVerdictBundle}) {
    tests::Seal mixed = own;
    mixed[swapped] = foreign.at(swapped);
    tests::WriteSeal(unit_, mixed);
    EXPECT_THAT(Verify(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(swapped)));
  }
}

TEST_F(UnitTest, PapersAreBelievedForTheDigestAskedForAlone) {
  const std::string manifest = CanonicalManifest(manifest_);
  tests::Seal seal = tests::SealOf(manifest_, signers_, signers_.Passed());
  ASSERT_OK_AND_ASSIGN(const v1::Manifest believed,
                       VerifyPapers(manifest, seal, Sha256(manifest), signers_.trust));
  EXPECT_EQ(believed.SerializeAsString(), manifest_.SerializeAsString());
  EXPECT_THAT(VerifyPapers(manifest, seal, Sha256("another"), signers_.trust),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(Sha256("another").hex())));
  seal["third"] = "x";
  EXPECT_THAT(VerifyPapers(manifest, seal, Sha256(manifest), signers_.trust),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("seal/third")));
}

TEST_F(UnitTest, ASignedManifestThatBreaksTheRulesIsStillRefused) {
  v1::Manifest hostile = manifest_;
  hostile.mutable_files(0)->set_path("../../etc/cron.d/x");
  const std::string bytes = CanonicalManifest(hostile);
  EXPECT_THAT(VerifyPapers(bytes, tests::SealOf(hostile, signers_, signers_.Passed()),
                           Sha256(bytes), signers_.trust),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("cron.d")));
}

}  // namespace
}  // namespace agent::trust
