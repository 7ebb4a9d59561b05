#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "agent/trust/statements.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/seal/seal.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/gatekeeper/seal/sealing_time.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {

// The only maker of a GatePass. This program does not link the gates, so that these tests are about
// sealing alone: here every intact unit passes a suite named by `suite_file`.
class Judgement {
 public:
  static GateRun Passed(const v1::GateReport& report, const bundle::UngatedUnit& unit) {
    return {report, GatePass(report, unit.folder(), unit.digest())};
  }
};

absl::StatusOr<GateRun> RunSuite(const bundle::UngatedUnit& unit, const SuiteInput& input) {
  v1::GateReport report;
  report.set_unit_digest(unit.digest().hex());
  report.set_suite_id(input.suite_file);
  report.set_suite_sha256(agent::trust::Sha256(input.suite_yaml).hex());
  report.set_outcome(v1::PASS);
  v1::InputRef& scenario = *report.add_inputs();
  scenario.set_id("aisle");
  scenario.set_sha256(agent::trust::Sha256("recording").hex());
  v1::GatePlan& plan = *report.mutable_plan();
  plan.set_sha256(agent::trust::Sha256("plan").hex());
  plan.set_attempt(3);
  plan.set_attempts_failed(2);
  if (!input.policy.commit.empty()) {
    plan.set_policy_repository(input.policy.repository);
    plan.set_policy_commit(input.policy.commit);
    plan.set_suite_path(input.suite_file);
    v1::Waiver& waiver = *report.add_waivers();
    waiver.set_gate("latency");
    waiver.set_expires("2026-03-31");
    waiver.set_requested_by("ann");
    waiver.set_approved_by("bob");
  }
  if (!input.against.empty()) {
    report.set_deployed_digest(agent::trust::Sha256(input.against).hex());
    report.mutable_waivers(0)->set_gate("loosening");
  }
  return Judgement::Passed(report, unit);
}

}  // namespace gatekeeper::gates

namespace gatekeeper::seal {
namespace {

namespace fs = std::filesystem;
namespace trust = ::agent::trust;
using Json = nlohmann::json;
using testing::HasSubstr;
using tests::kNowMs;
using tests::Must;
using tests::ReadFile;
using tests::StatusIs;

class SealTest : public testing::Test {
 protected:
  SealTest() {
    tests::WriteUnit(unit_, tests::UnitBytes(), manifest_);
    if (!InitKeyring(keys_, {}, kNowMs).ok()) std::abort();
  }
  gates::GatePass Pass() const {
    const bundle::UngatedUnit unit = Must(bundle::UngatedUnit::Open(unit_));
    gates::SuiteInput input;
    input.suite_yaml = "schema: gate_suite/1\n";
    input.suite_file = "nav";
    return *Must(gates::RunSuite(unit, input)).pass;
  }
  absl::StatusOr<trust::VerifiedUnit> SealIt() const {
    return Seal(Pass(), Must(LoadSealKeys(keys_)), kNowMs);
  }
  // The statement in UNIT/seal/<bundle>.
  Json Statement(const std::string& bundle) const {
    const Json envelope = Json::parse(ReadFile(unit_ + "/seal/" + bundle))["dsseEnvelope"];
    std::string payload;
    EXPECT_TRUE(absl::Base64Unescape(envelope["payload"].get<std::string>(), &payload));
    return Json::parse(payload);
  }

  const tests::TempFolder folder_;
  const std::string unit_ = folder_ / "unit";
  const std::string keys_ = folder_ / "keys";
  const v1::Manifest manifest_ = tests::ManifestOf(tests::UnitBytes());
};

TEST_F(SealTest, AUnitThatPassedIsBelievedByARobot) {
  ASSERT_OK_AND_ASSIGN(const trust::VerifiedUnit sealed, SealIt());
  EXPECT_EQ(sealed.digest(), trust::Sha256(trust::CanonicalManifest(manifest_)));
  EXPECT_OK(
      trust::VerifyUnit(unit_, Must(trust::TrustPolicy::Parse(ReadFile(keys_ + "/trust.json")))));
  EXPECT_EQ(sealed.digest(), Pass().digest()) << "sealing does not change what a unit is";
}

TEST_F(SealTest, TheVerdictSaysWhoJudgedWhatByWhichSuite) {
  ASSERT_OK(SealIt());
  const Json wanted = Json::parse(R"({
      "verifier": {"id": ""}, "timeVerified": "2026-01-01T00:00:00Z",
      "resourceUri": "gatekeeper:unit/nav@1.4.0",
      "policy": {"uri": "gatekeeper:suite/nav", "digest": {"sha256": ""}},
      "inputAttestations": [{"uri": "gatekeeper:scenario/aisle", "digest": {"sha256": ""}},
          {"uri": "gatekeeper:plan/attempt-3-failed-2", "digest": {"sha256": ""}}],
      "verificationResult": "PASSED", "verifiedLevels": ["ROBOT_GATES_L1"]})");
  Json predicate = Statement("vsa.sigstore.json")["predicate"];
  EXPECT_EQ(predicate["verifier"]["id"], Must(LoadSealKeys(keys_)).trust.verifier_id());
  EXPECT_EQ(predicate["policy"]["digest"]["sha256"], trust::Sha256("schema: gate_suite/1\n").hex());
  EXPECT_EQ(predicate["inputAttestations"][0]["digest"]["sha256"],
            trust::Sha256("recording").hex());
  EXPECT_EQ(predicate["inputAttestations"][1]["digest"]["sha256"], trust::Sha256("plan").hex());
  predicate["verifier"]["id"] = "";
  predicate["policy"]["digest"]["sha256"] = "";
  predicate["inputAttestations"][0]["digest"]["sha256"] = "";
  predicate["inputAttestations"][1]["digest"]["sha256"] = "";
  EXPECT_EQ(predicate, wanted);
}

TEST_F(SealTest, TheVerdictNamesThePolicyCommitAndWhoWaivedWhat) {
  gates::SuiteInput input;
  input.suite_yaml = "schema: gate_suite/1\n";
  input.suite_file = "suites/nav.yaml";
  input.policy.repository = "https://example.org/policy.git";
  input.policy.commit = std::string(40, 'a');
  const bundle::UngatedUnit unit = Must(bundle::UngatedUnit::Open(unit_));
  ASSERT_OK(Seal(*Must(gates::RunSuite(unit, input)).pass, Must(LoadSealKeys(keys_)), kNowMs));
  const Json predicate = Statement("vsa.sigstore.json")["predicate"];
  EXPECT_EQ(predicate["policy"]["uri"],
            "git+https://example.org/policy.git@" + std::string(40, 'a') + "#suites/nav.yaml");
  ASSERT_EQ(predicate["inputAttestations"].size(), 3u);
  EXPECT_EQ(predicate["inputAttestations"][2]["uri"],
            "gatekeeper:waiver/latency/until-2026-03-31/ann+bob");
}

TEST_F(SealTest, TheVerdictCarriesTheStepThatTwoPeopleAllowed) {
  gates::SuiteInput input;
  input.suite_yaml = "schema: gate_suite/1\n";
  input.policy.commit = std::string(40, 'a');
  const bundle::UngatedUnit unit = Must(bundle::UngatedUnit::Open(unit_));
  const auto seal = [&] {
    ASSERT_OK(Seal(*Must(gates::RunSuite(unit, input)).pass, Must(LoadSealKeys(keys_)), kNowMs));
  };
  seal();  // latency was waived, and nothing compared
  EXPECT_FALSE(trust::LooserStepOf(Statement("vsa.sigstore.json")).has_value());
  input.against = "deployed";
  seal();

  const auto step = trust::LooserStepOf(Statement("vsa.sigstore.json"));
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->from, trust::Sha256("deployed").hex());
  EXPECT_EQ(step->people, "ann+bob");
  EXPECT_EQ(step->last_day, "2026-03-31");
}

// `(cd unit; sha256sum of every file in byte order, joined as bytes) | sha256sum` is the model
// signature's subject: what the format's own verifier works out from the folder.
TEST_F(SealTest, TheModelSignatureCoversEveryFileAsItsFormatDemands) {
  ASSERT_OK(SealIt());
  const Json statement = Statement("unit.sigstore.json");
  const std::string command =
      "cd " + unit_ +
      " && find . -type f -not -path './seal/*' | sed 's#^./##' | LC_ALL=C sort | "
      "while read f; do openssl dgst -sha256 -binary $f; done | openssl dgst -sha256 -r > " +
      (folder_ / "root");
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(statement["subject"][0]["digest"]["sha256"], ReadFile(folder_ / "root").substr(0, 64));
  EXPECT_EQ(statement["predicateType"], "https://model_signing/signature/v1.0");
  EXPECT_EQ(statement["predicate"]["resources"].size(), 5U);
}

TEST_F(SealTest, RefusesAFolderThatIsNoLongerTheUnitThatPassed) {
  const gates::GatePass pass = Pass();
  const SealKeys keys = Must(LoadSealKeys(keys_));

  tests::WriteFile(unit_ + "/model/model.onnx", "not really another");
  EXPECT_THAT(Seal(pass, keys, kNowMs),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("model.onnx")));

  std::map<std::string, std::string> files = tests::UnitBytes();
  files["model/model.onnx"] = "not really another";
  tests::WriteUnit(unit_, files, tests::ManifestOf(files));
  EXPECT_THAT(Seal(pass, keys, kNowMs),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("run the gates again")));
  EXPECT_FALSE(fs::exists(unit_ + "/seal")) << "nothing was signed";
}

TEST_F(SealTest, SealingAgainReplacesTheSeal) {
  ASSERT_OK(SealIt());
  const std::string before = ReadFile(unit_ + "/seal/vsa.sigstore.json");
  ASSERT_OK(SealIt());
  EXPECT_NE(ReadFile(unit_ + "/seal/vsa.sigstore.json"), before);
}

TEST_F(SealTest, NothingIsLeftBesideTheUnitAndACrashedAttemptDoesNotMatter) {
  tests::WriteFile(unit_ + ".seal.tmp/unit.sigstore.json", "half");
  ASSERT_OK(SealIt());
  EXPECT_FALSE(fs::exists(unit_ + ".seal.tmp"));
  EXPECT_EQ(std::distance(fs::directory_iterator(unit_ + "/seal"), {}), 2);
}

TEST_F(SealTest, RefusesToWriteASealThatNoRobotWouldBelieve) {
  SealKeys keys = Must(LoadSealKeys(keys_));
  keys.gate = Must(trust::PrivateKey::Generate());
  EXPECT_THAT(Seal(Pass(), keys, kNowMs),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not among")));
  EXPECT_FALSE(fs::exists(unit_ + "/seal"));
}

}  // namespace
}  // namespace gatekeeper::seal
