#include <sys/stat.h>

#include <chrono>
#include <string>
#include <vector>

#include "agent/base/files.h"
#include "agent/base/strict_json.h"
#include "agent/control/rearm_desk.h"
#include "agent/trust/rearm_approval.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/control/crash_files.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// What the desk does by itself: when a challenge is made anew, whom it is for, and what becomes of
// files that cannot be read or written.

namespace agent::control {
namespace {

using base::Nanos;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::Must;
using tests::StatusIs;

constexpr char kCertificate[] = "state/agent/cert.pem";
constexpr char kApprovals[] = "state/control/rearm/approvals.jsonl";
constexpr char kAnswer[] = "state/control/rearm/answer.json";

class RearmDeskTest : public testing::Test {
 protected:
  RearmDeskTest() {
    files_.Put(kCertificate, RobotPem());
    files_.Put("state/trust.json", People().trust.ToJson());
  }

  static const tests::Signers& People() {  // keys take their time
    static const tests::Signers people;
    return people;
  }
  static const std::string& RobotPem() {
    static const std::string pem = tests::RobotCertificate("r1");
    return pem;
  }
  static std::string OperatorPem() {
    constexpr int64_t kWallMs = 1'767'225'600'000;
    const auto authority = Must(trust::CertificateAuthority::Create(
        Must(trust::PrivateKey::Generate()), "test CA", 30, kWallMs));
    const auto key = Must(trust::PrivateKey::Generate());
    return Must(authority.Issue(
        {.csr_pem = Must(trust::MakeCsr(key)), .identity = {trust::Party::kOperator, "r1"}},
        kWallMs));
  }

  std::string Nonce() const { return desk_.challenge()->nonce(); }
  std::string Robot() const { return desk_.challenge()->robot(); }
  std::string ByAda() const {
    return Must(
        trust::SignRearmApproval(*desk_.challenge(), {"local_operator", "ada"}, People().ada));
  }
  std::string ByBo() const {
    return Must(
        trust::SignRearmApproval(*desk_.challenge(), {"safety_officer", "bo"}, People().bo));
  }

  tests::CrashFiles files_;
  RearmDesk desk_{files_, "state"};
  RearmDesk::Stop stop_ = {.incident = std::string(32, '1'),
                           .unit = std::string(64, 'a'),
                           .roles = {"local_operator", "safety_officer"},
                           .ttl = seconds(10)};
};

TEST_F(RearmDeskTest, KeepsOneChallengeAsLongAsItIsForThatStopAndNotExpired) {
  EXPECT_TRUE(desk_.Open(stop_, seconds(100)));
  const std::string first = Nonce();
  EXPECT_EQ(Robot(), "r1");
  EXPECT_EQ(desk_.made_at(), Nanos(seconds(100)));
  EXPECT_FALSE(desk_.Open(stop_, seconds(110) - Nanos(1)));
  EXPECT_EQ(Nonce(), first);
  EXPECT_TRUE(desk_.Open(stop_, seconds(110)));
  const std::string second = Nonce();
  EXPECT_NE(second, first);
  stop_.incident[0] = '2';
  EXPECT_TRUE(desk_.Open(stop_, seconds(111)));
  EXPECT_NE(Nonce(), second);
  EXPECT_TRUE(desk_.Close());
  EXPECT_EQ(desk_.challenge(), nullptr);
  EXPECT_FALSE(desk_.Close());
}

TEST_F(RearmDeskTest, LooksForTheRobotsNameOnceASecondUntilThereIsOne) {
  ASSERT_OK(files_.RemoveAll(kCertificate));
  EXPECT_TRUE(desk_.Open(stop_, seconds(100)));
  EXPECT_EQ(Robot(), "");
  const std::string nameless = Nonce();
  EXPECT_THAT(desk_.Judge({}), StatusIs(absl::StatusCode::kFailedPrecondition,
                                        HasSubstr("holds no certificate; enrol it")));
  EXPECT_FALSE(desk_.Open(stop_, seconds(101)));
  files_.Put(kCertificate, RobotPem());
  EXPECT_FALSE(desk_.Open(stop_, seconds(102) - Nanos(1)));
  EXPECT_TRUE(desk_.Open(stop_, seconds(102)));
  EXPECT_EQ(Robot(), "r1");
  EXPECT_NE(Nonce(), nameless);
}

TEST_F(RearmDeskTest, TakesNoNameFromWhatIsNoRobotsCertificate) {
  for (const std::string& pem : {std::string("no certificate"), OperatorPem()}) {
    files_.Put(kCertificate, pem);
    desk_.Close();
    EXPECT_TRUE(desk_.Open(stop_, seconds(100)));
    EXPECT_EQ(Robot(), "");
  }
}

TEST_F(RearmDeskTest, NamesWhoPermitsIt) {
  EXPECT_THAT(desk_.Judge({}), StatusIs(absl::StatusCode::kFailedPrecondition,
                                        HasSubstr("there is no challenge to answer")));
  desk_.Open(stop_, seconds(100));
  ASSERT_OK_AND_ASSIGN(const std::string people, desk_.Judge({ByAda(), ByBo()}));
  EXPECT_EQ(people, "ada as local_operator, bo as safety_officer");
  EXPECT_FALSE(desk_.Judge({ByAda()}).ok());
}

TEST_F(RearmDeskTest, BelievesNobodyWithoutATrustPolicy) {
  desk_.Open(stop_, seconds(100));
  const std::vector<std::string> approvals = {ByAda(), ByBo()};
  files_.Put("state/trust.json", "{}");
  EXPECT_FALSE(desk_.Judge(approvals).ok());
  ASSERT_OK(files_.RemoveAll("state/trust.json"));
  EXPECT_THAT(desk_.Judge(approvals),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nobody can be believed")));
}

TEST_F(RearmDeskTest, TakesCarriedApprovalsAwayOnceASecond) {
  files_.Put(kApprovals, "early\n");
  EXPECT_EQ(desk_.TakeCarried(seconds(99)), std::nullopt) << "nothing is waited for";
  desk_.Open(stop_, seconds(100));
  EXPECT_EQ(desk_.TakeCarried(seconds(101) - Nanos(1)), std::nullopt);
  EXPECT_THAT(desk_.TakeCarried(seconds(101)), testing::Optional(ElementsAre("early")));
  EXPECT_FALSE(files_.Exists(kApprovals));
  EXPECT_EQ(desk_.TakeCarried(seconds(102)), std::nullopt);
  files_.Put(kApprovals, "one\n\ntwo\n");
  EXPECT_EQ(desk_.TakeCarried(seconds(103) - Nanos(1)), std::nullopt);
  EXPECT_THAT(desk_.TakeCarried(seconds(103)), testing::Optional(ElementsAre("one", "two")));
}

TEST_F(RearmDeskTest, ReadsNoMoreThanItsApprovalsMayTake) {
  desk_.Open(stop_, seconds(100));
  constexpr size_t kCarriedCap = 9 * (8192 + 2);  // one line too many
  files_.Put(kApprovals, std::string(kCarriedCap, 'x'));
  EXPECT_THAT(desk_.TakeCarried(seconds(101)), testing::Optional(testing::SizeIs(1)));
  files_.Put(kApprovals, std::string(kCarriedCap + 1, 'x'));
  EXPECT_EQ(desk_.TakeCarried(seconds(102)), std::nullopt);
}

TEST(RearmFolderTest, IsThereFromTheStartAndHoldsFilesForTheirOwnerAlone) {
  const tests::TempFolder temp;
  base::OsFiles files;
  RearmDesk desk(files, temp / "state");
  desk.Open({.incident = "1", .unit = "", .roles = {}, .ttl = seconds(10)}, seconds(100));
  desk.Answer(absl::OkStatus());
  EXPECT_OK(desk.TakeTrouble());
  for (const char* name : {"challenge.json", "answer.json"}) {
    struct stat info {};
    ASSERT_EQ(stat((temp / "state/control/rearm/" + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777u, 0600u) << name;
  }
}

TEST_F(RearmDeskTest, AnswersThatApprovalsCouldNotBeRead) {
  desk_.Open(stop_, seconds(100));
  files_.Put(kApprovals, "one\n");
  files_.FailReads(1);
  EXPECT_EQ(desk_.TakeCarried(seconds(101)), std::nullopt);
  ASSERT_OK_AND_ASSIGN(const std::string answer, files_.Read(kAnswer, 4096));
  EXPECT_THAT(answer, HasSubstr("\"permitted\":false"));
  EXPECT_THAT(answer, HasSubstr("Input/output error"));
  EXPECT_FALSE(files_.Exists(kApprovals));
}

TEST_F(RearmDeskTest, TellsTroubleWithItsFilesOnceAndKeepsItsChallenge) {
  EXPECT_OK(desk_.TakeTrouble());
  files_.FillDisk();
  desk_.Open(stop_, seconds(100));
  desk_.Answer(absl::OkStatus());
  EXPECT_THAT(desk_.TakeTrouble(),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("challenge.json")));
  EXPECT_OK(desk_.TakeTrouble());
  EXPECT_OK(desk_.Judge({ByAda(), ByBo()}).status());
}

}  // namespace
}  // namespace agent::control
