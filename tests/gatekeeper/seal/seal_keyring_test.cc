#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "agent/trust/certificate.h"
#include "gatekeeper/seal/keyring.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/gatekeeper/seal/sealing_time.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::seal {
namespace {

namespace fs = std::filesystem;
namespace trust = ::agent::trust;
using testing::_;
using testing::HasSubstr;
using tests::kNowMs;
using tests::Must;
using tests::ReadFile;
using tests::StatusIs;

constexpr int64_t kHourMs = 3'600'000;

std::set<std::string> NamesIn(const std::string& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class KeyringTest : public testing::Test {
 protected:
  const tests::TempFolder home_;
  const std::string keys_ = home_ / "keys";
};

TEST_F(KeyringTest, HoldsEverythingAGatekeeperSignsWith) {
  ASSERT_OK(InitKeyring(keys_, {"gatekeeper.example"}, kNowMs));
  EXPECT_EQ(NamesIn(keys_),
            (std::set<std::string>{"ca.key", "ca.pem", "server.key", "server.pem", "build.key",
                                   "build.pub", "gate.key", "gate.pub", "trust.json"}));
  EXPECT_EQ(NamesIn(home_.path()), std::set<std::string>{"keys"}) << "nothing left beside it";
  EXPECT_EQ(ModeOf(keys_), 0700U);
  for (const char* key : {"ca.key", "server.key", "build.key", "gate.key"}) {
    EXPECT_EQ(ModeOf(keys_ + "/" + key), 0600U) << key;
  }
  EXPECT_OK(trust::CheckCertificate(ReadFile(keys_ + "/server.pem"), ReadFile(keys_ + "/ca.pem"),
                                    kNowMs));
  const trust::TrustPolicy policy =
      Must(trust::TrustPolicy::Parse(ReadFile(keys_ + "/trust.json")));
  EXPECT_EQ(policy.Keys(trust::KeyClass::kBuild)[0].Pem(), ReadFile(keys_ + "/build.pub"));
  EXPECT_EQ(policy.Keys(trust::KeyClass::kGate)[0].Pem(), ReadFile(keys_ + "/gate.pub"));
}

TEST_F(KeyringTest, ListsAnApproverByTheirOwnKeyOrOneMadeForThem) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  const trust::PrivateKey own = Must(trust::PrivateKey::Generate());
  tests::WriteFile(home_ / "bo.pub", own.public_key().Pem());

  ASSERT_OK_AND_ASSIGN(const std::string made, AddApprover(keys_, {"local_operator", "ada"}, ""));
  ASSERT_OK_AND_ASSIGN(const std::string none,
                       AddApprover(keys_, {"safety_officer", "bo"}, home_ / "bo.pub"));

  EXPECT_EQ(made, keys_ + "/approver-ada.key");
  EXPECT_EQ(ModeOf(made), 0600U);
  EXPECT_EQ(none, "");
  const trust::TrustPolicy policy =
      Must(trust::TrustPolicy::Parse(ReadFile(keys_ + "/trust.json")));
  ASSERT_EQ(policy.keys().size(), 4U);
  EXPECT_EQ(policy.keys()[2].role, "local_operator");
  EXPECT_EQ(policy.keys()[2].key, Must(trust::PrivateKey::Load(made)).public_key());
  EXPECT_EQ(policy.keys()[3].name, "bo");
  EXPECT_EQ(policy.keys()[3].key, own.public_key());
  EXPECT_OK(LoadSealKeys(keys_));
}

TEST_F(KeyringTest, ListsNoApproverWhoCouldBeTakenForAnother) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  ASSERT_OK(AddApprover(keys_, {"local_operator", "ada"}, ""));
  const std::string before = ReadFile(keys_ + "/trust.json");

  EXPECT_THAT(AddApprover(keys_, {"safety_officer", "ada"}, ""),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("approver-ada.key")));
  EXPECT_THAT(AddApprover(keys_, {"safety_officer", "bo"}, keys_ + "/approver-ada.pub"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("same key")));
  EXPECT_THAT(AddApprover(keys_, {"safety_officer", "../bo"}, ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot name")));
  EXPECT_THAT(AddApprover(keys_, {"Boss", "bo"}, ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("role")));
  EXPECT_THAT(AddApprover(keys_, {"safety_officer", "bo"}, home_ / "none"),
              StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_EQ(ReadFile(keys_ + "/trust.json"), before);
}

TEST_F(KeyringTest, NeverOverwritesAnything) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  const std::string before = ReadFile(keys_ + "/ca.key");
  EXPECT_THAT(InitKeyring(keys_, {}, kNowMs),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("never overwritten")));
  EXPECT_EQ(ReadFile(keys_ + "/ca.key"), before);

  tests::WriteFile(home_ / "other/note.txt", "mine");
  EXPECT_THAT(InitKeyring(home_ / "other", {}, kNowMs),
              StatusIs(absl::StatusCode::kAlreadyExists, _));
  EXPECT_THAT(InitKeyring(home_ / "other/note.txt", {}, kNowMs),
              StatusIs(absl::StatusCode::kAlreadyExists, _));
  EXPECT_EQ(NamesIn(home_ / "other"), std::set<std::string>{"note.txt"});
}

TEST_F(KeyringTest, TakesAnEmptyFolderATrailingSlashAndNewParents) {
  fs::create_directory(keys_);
  EXPECT_OK(InitKeyring(keys_, {}, kNowMs));
  EXPECT_OK(InitKeyring(home_ / "new/parents/keys/", {}, kNowMs));
  EXPECT_TRUE(fs::exists(home_ / "new/parents/keys/trust.json"));
}

TEST_F(KeyringTest, ABadServerNameLeavesNothingBehind) {
  EXPECT_THAT(InitKeyring(keys_, {"not a host"}, kNowMs),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a host")));
  EXPECT_TRUE(NamesIn(home_.path()).empty());
}

TEST_F(KeyringTest, TwoGatekeepersShareNoKeyAndNoName) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  ASSERT_OK(InitKeyring(home_ / "second", {}, kNowMs));
  const SealKeys first = Must(LoadSealKeys(keys_));
  const SealKeys second = Must(LoadSealKeys(home_ / "second"));
  EXPECT_NE(first.build.public_key().key_id(), second.build.public_key().key_id());
  EXPECT_NE(first.trust.verifier_id(), second.trust.verifier_id());
}

TEST_F(KeyringTest, AnOperatorGetsAKeyAndACertificate) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  ASSERT_OK_AND_ASSIGN(const ClientFiles ada,
                       IssueOperator(keys_, "ada", std::chrono::hours(12), kNowMs));
  EXPECT_EQ(ada.key_path, keys_ + "/operator-ada.key");
  EXPECT_EQ(ada.certificate_path, keys_ + "/operator-ada.pem");
  EXPECT_EQ(ModeOf(ada.key_path), 0600U);
  const std::string certificate = ReadFile(ada.certificate_path);
  EXPECT_EQ(Must(trust::SpiffeId(certificate)), "spiffe://gatekeeper/operator/ada");
  EXPECT_EQ(Must(trust::NotAfterMs(certificate)), kNowMs + 12 * kHourMs);
  EXPECT_OK(trust::CheckCertificate(certificate, ReadFile(keys_ + "/ca.pem"), kNowMs));
}

TEST_F(KeyringTest, AnOperatorsPairIsReplacedOnlyOnceItHasExpired) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  const auto issue = [this](int64_t at) {
    return IssueOperator(keys_, "ada", std::chrono::hours(12), at);
  };
  ASSERT_OK_AND_ASSIGN(const ClientFiles ada, issue(kNowMs));
  const std::string before = ReadFile(ada.key_path);
  EXPECT_THAT(issue(kNowMs + 12 * kHourMs),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("ada")));
  EXPECT_EQ(ReadFile(ada.key_path), before);
  EXPECT_OK(issue(kNowMs + 12 * kHourMs + 1000));
  EXPECT_NE(ReadFile(ada.key_path), before);
}

TEST_F(KeyringTest, AKeyWithoutItsCertificateIsStartedAnew) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  tests::WriteFile(keys_ + "/operator-ada.key", "half a pair, as a crash would leave it");
  EXPECT_OK(IssueOperator(keys_, "ada", std::chrono::hours(12), kNowMs));
}

TEST_F(KeyringTest, AnOperatorsNameCannotLeaveTheFolder) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  for (const char* name : {"", "../ada", "a/b", "-", "a b"}) {
    EXPECT_THAT(IssueOperator(keys_, name, std::chrono::hours(12), kNowMs),
                StatusIs(absl::StatusCode::kInvalidArgument, _))
        << name;
  }
}

TEST_F(KeyringTest, SealsOnlyWithKeysThatItsOwnTrustFileLists) {
  ASSERT_OK(InitKeyring(keys_, {}, kNowMs));
  EXPECT_OK(LoadSealKeys(keys_));
  ASSERT_OK(InitKeyring(home_ / "second", {}, kNowMs));
  fs::copy_file(home_ / "second/gate.key", keys_ + "/gate.key",
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(LoadSealKeys(keys_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("gate.key")));
  fs::copy_file(keys_ + "/build.key", keys_ + "/gate.key", fs::copy_options::overwrite_existing);
  EXPECT_THAT(LoadSealKeys(keys_), StatusIs(absl::StatusCode::kFailedPrecondition, _))
      << "a build key is no gate key";
  chmod((keys_ + "/build.key").c_str(), 0640);
  EXPECT_THAT(LoadSealKeys(keys_),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("build.key")));
  EXPECT_THAT(LoadSealKeys(home_ / "none"), StatusIs(absl::StatusCode::kNotFound, _));
}

}  // namespace
}  // namespace gatekeeper::seal
