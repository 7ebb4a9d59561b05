#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "agent/base/clock.h"
#include "agent/trust/certificate.h"
#include "agent/trust/keys.h"
#include "grpcpp/grpcpp.h"
#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"
#include "tests/support/status_matchers.h"

// Who may be a robot of this gatekeeper: tokens that work once, certificates of one authority.

namespace tests {
namespace {

namespace fs = std::filesystem;
namespace trust = ::agent::trust;
namespace v1 = ::gatekeeper::v1;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

int64_t WallMs() { return agent::base::SystemClock().WallMs(); }

class IdentityTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    stage_ = new Stage;
    stage_->Serve();
    ASSERT_EQ(stage_->Cli({"fleet", "create", "north"}).code, 0);
    ASSERT_EQ(RunProgram({GATEKEEPER, "init", OtherHome()}).code, 0);
  }
  static void TearDownTestSuite() { delete stage_; }
  static std::string OtherHome() { return stage_->path("other"); }

  static std::string State(const std::string& name) {
    fs::create_directories(stage_->path(name) + "/agent");
    return stage_->path(name);
  }
  // Starts an agent that is to end by itself.
  static Finished RunAgent(const std::string& state, const EnrolWords& enrol) {
    Process agent(AgentLaunch(*stage_, state, enrol));
    agent.Start();
    return {.code = agent.Wait().value_or(-1), .out = "", .err = agent.Log()};
  }
  static void ExpectRefusedToken(const std::string& state, const EnrolWords& enrol) {
    const Finished refused = RunAgent(state, enrol);
    EXPECT_EQ(refused.code, 9) << refused.err;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("refused to enrol robot " + enrol.robot),
                                   HasSubstr("gatekeeper robot create")));
    EXPECT_FALSE(fs::exists(state + "/agent/cert.pem"));
  }

  struct Pair {
    std::string key_pem;
    std::string certificate_pem;
  };
  // A certificate of the authority in `home` for a robot, issued `age` ago for an hour.
  static Pair CertificateFor(const std::string& home, const std::string& robot,
                             std::chrono::hours age = {}) {
    auto ca_key = trust::PrivateKey::Load(home + "/ca.key");
    auto key = trust::PrivateKey::Generate();
    EXPECT_OK(ca_key);
    EXPECT_OK(key);
    const auto authority =
        trust::CertificateAuthority::Load(*std::move(ca_key), ReadWhole(home + "/ca.pem"));
    const auto csr = trust::MakeCsr(*key);
    EXPECT_OK(authority);
    EXPECT_OK(csr);
    const auto certificate = authority->Issue(
        {.csr_pem = *csr, .identity = {trust::Party::kRobot, robot}, .life = std::chrono::hours(1)},
        WallMs() - std::chrono::milliseconds(age).count());
    EXPECT_OK(certificate);
    return {key->Pem(), *certificate};
  }
  // As if the robot had enrolled with these.
  static std::string EnrolledState(const std::string& name, const Pair& pair,
                                   const std::string& home) {
    const std::string state = State(name);
    const auto keep = [&](const std::string& file, const std::string& bytes) {
      WriteWhole(state + "/agent/" + file, bytes);
      EXPECT_EQ(chmod((state + "/agent/" + file).c_str(), 0600), 0);
    };
    keep("key.pem", pair.key_pem);
    keep("cert.pem", pair.certificate_pem);
    keep("ca.pem", ReadWhole(home + "/ca.pem"));
    WriteWhole(state + "/trust.json", ReadWhole(home + "/trust.json"));
    return state;
  }
  static Launch WithoutEnrolment(const std::string& state) {
    return {.words = {GATEKEEPER_AGENT, "--state", state, "--server", stage_->address()},
            .log = state + "/agent.log"};
  }
  // An agent that keeps trying, and what it says about it.
  static void ExpectSays(const std::string& state, const testing::Matcher<std::string>& what) {
    Process agent(WithoutEnrolment(state));
    agent.Start();
    EXPECT_TRUE(
        Eventually([&] { return testing::Matches(what)(agent.Log()) || !agent.running(); }));
    EXPECT_THAT(agent.Log(), what);
  }

  static Stage* stage_;
};
Stage* IdentityTest::stage_ = nullptr;

TEST_F(IdentityTest, ATokenWorksOnceAndForItsRobotOnly) {
  const EnrolWords token = RegisterRobot(*stage_, "north", "once");
  {
    Process agent(AgentLaunch(*stage_, State("once"), token));
    agent.Start();
    EXPECT_TRUE(Eventually([] { return stage_->Robot("north", "once").connected(); }))
        << agent.Log();
    EXPECT_EQ(agent.Terminate(), 0);
    struct stat key {};
    ASSERT_EQ(stat((stage_->path("once") + "/agent/key.pem").c_str(), &key), 0);
    EXPECT_EQ(key.st_mode & 0777, 0600U);
  }
  ExpectRefusedToken(State("twin"), token);

  const EnrolWords mine = RegisterRobot(*stage_, "north", "mine");
  RegisterRobot(*stage_, "north", "yours");
  ExpectRefusedToken(State("thief"), {"yours", mine.token, mine.ca_sha256});
  ExpectRefusedToken(State("guess"), {"mine", std::string(32, '0'), mine.ca_sha256});
  ExpectRefusedToken(State("ghost"), {"ghost", mine.token, mine.ca_sha256});
}

TEST_F(IdentityTest, AnotherServerThanTheOneOnThePaperIsNotTrusted) {
  EnrolWords enrol = RegisterRobot(*stage_, "north", "careful");
  enrol.ca_sha256 = std::string(64, 'a');
  const Finished refused = RunAgent(State("careful"), enrol);
  EXPECT_EQ(refused.code, 9) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr(std::string(64, 'a')));
  EXPECT_FALSE(fs::exists(State("careful") + "/agent/cert.pem"));
}

TEST_F(IdentityTest, AnExpiredCertificateSaysWhatToDo) {
  RegisterRobot(*stage_, "north", "late");
  const std::string state = EnrolledState(
      "late", CertificateFor(stage_->home(), "late", std::chrono::hours(48)), stage_->home());
  Process agent(WithoutEnrolment(state));
  agent.Start();
  EXPECT_EQ(agent.Wait(), 9) << agent.Log();
  EXPECT_THAT(agent.Log(), AllOf(HasSubstr("expired"), HasSubstr("--enrol")));
}

TEST_F(IdentityTest, ACertificateOfAnotherAuthorityIsRefusedOnBothSides) {
  RegisterRobot(*stage_, "north", "stranger");
  const Pair foreign = CertificateFor(OtherHome(), "stranger");
  // By the robot, which knows its own authority only.
  ExpectSays(EnrolledState("lost", foreign, OtherHome()), HasSubstr("wrong server"));

  // By the server, whatever the robot believes.
  const grpc::SslCredentialsOptions tls{.pem_root_certs = ReadWhole(stage_->home() + "/ca.pem"),
                                        .pem_private_key = foreign.key_pem,
                                        .pem_cert_chain = foreign.certificate_pem};
  const auto link =
      v1::AgentLink::NewStub(grpc::CreateChannel(stage_->address(), grpc::SslCredentials(tls)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::UnitPapers papers;
  EXPECT_EQ(link->GetUnit(&context, {}, &papers).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(stage_->Robot("north", "stranger").connected());
}

TEST_F(IdentityTest, ARobotThatNobodyCreatedStaysOutside) {
  ExpectSays(EnrolledState("nobody", CertificateFor(stage_->home(), "nobody"), stage_->home()),
             HasSubstr("no robot nobody was created here"));
}

TEST_F(IdentityTest, AnAgentWithoutCertificateOrTokenSaysHowToGetThem) {
  Process agent(WithoutEnrolment(State("fresh")));
  agent.Start();
  EXPECT_EQ(agent.Wait(), 5) << agent.Log();
  EXPECT_THAT(agent.Log(), AllOf(HasSubstr("robot create"), HasSubstr("--token")));
}

TEST_F(IdentityTest, TwoAgentsCannotShareAStateFolder) {
  const EnrolWords token = RegisterRobot(*stage_, "north", "shared");
  Process first(AgentLaunch(*stage_, State("shared"), token));
  first.Start();
  ASSERT_TRUE(Eventually([] { return stage_->Robot("north", "shared").connected(); }));
  const Finished second = RunAgent(stage_->path("shared"), token);
  EXPECT_EQ(second.code, 6) << second.err;
  EXPECT_THAT(second.err, HasSubstr("another gatekeeper-agent"));
}

}  // namespace
}  // namespace tests
