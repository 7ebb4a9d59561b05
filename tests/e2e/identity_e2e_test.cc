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
#include "tests/agent/trust/unit_fixture.h"
#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"

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

// A gatekeeper with a fleet, and the home of another one.
class EnrolmentOffice : public Stage {
 public:
  EnrolmentOffice() {
    Serve();
    EXPECT_EQ(Cli({"fleet", "create", "north"}).code, 0);
    EXPECT_EQ(RunProgram({GATEKEEPER, "init", path("other")}).code, 0);
  }
};
Stage& EnrolmentStage() {
  static EnrolmentOffice office;
  return office;
}
std::string OtherHome() { return EnrolmentStage().path("other"); }

std::string State(const std::string& name) {
  fs::create_directories(EnrolmentStage().path(name) + "/agent");
  return EnrolmentStage().path(name);
}
// Starts an agent that is to end by itself.
Finished RunAgent(const std::string& state, const EnrolWords& enrol) {
  Process agent(AgentLaunch(EnrolmentStage(), state, enrol));
  agent.Start();
  return {.code = agent.Wait().value_or(-1), .out = "", .err = agent.Log()};
}
void ExpectRefusedToken(const std::string& state, const EnrolWords& enrol) {
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
Pair CertificateFor(const std::string& home, const std::string& robot,
                    std::chrono::hours age = {}) {
  const auto authority = Must(trust::CertificateAuthority::Load(
      Must(trust::PrivateKey::Load(home + "/ca.key")), ReadWhole(home + "/ca.pem")));
  const auto key = Must(trust::PrivateKey::Generate());
  return {key.Pem(), Must(authority.Issue({.csr_pem = Must(trust::MakeCsr(key)),
                                           .identity = {trust::Party::kRobot, robot},
                                           .life = std::chrono::hours(1)},
                                          WallMs() - std::chrono::milliseconds(age).count()))};
}
// As if the robot had enrolled with these.
std::string EnrolledState(const std::string& name, const Pair& pair, const std::string& home) {
  std::string state = State(name);
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
Launch WithoutEnrolment(const std::string& state) {
  return {.words = {GATEKEEPER_AGENT, "--state", state, "--server", EnrolmentStage().address()},
          .log = state + "/agent.log"};
}
// An agent that keeps trying, and what it says about it.
void ExpectSays(const std::string& state, const testing::Matcher<std::string>& what) {
  Process agent(WithoutEnrolment(state));
  agent.Start();
  EXPECT_TRUE(Eventually([&] { return testing::Matches(what)(agent.Log()) || !agent.running(); }));
  EXPECT_THAT(agent.Log(), what);
}

TEST(IdentityTest, ATokenWorksOnceAndForItsRobotOnly) {
  const EnrolWords token = RegisterRobot(EnrolmentStage(), "north", "once");
  {
    Process agent(AgentLaunch(EnrolmentStage(), State("once"), token));
    agent.Start();
    EXPECT_TRUE(Eventually([] { return EnrolmentStage().Robot("north", "once").connected(); }))
        << agent.Log();
    EXPECT_EQ(agent.Terminate(), 0);
    struct stat key {};
    ASSERT_EQ(stat((EnrolmentStage().path("once") + "/agent/key.pem").c_str(), &key), 0);
    EXPECT_EQ(key.st_mode & 0777, 0600U);
  }
  ExpectRefusedToken(State("twin"), token);

  const EnrolWords mine = RegisterRobot(EnrolmentStage(), "north", "mine");
  RegisterRobot(EnrolmentStage(), "north", "yours");
  ExpectRefusedToken(State("thief"), {"yours", mine.token, mine.ca_sha256});
  ExpectRefusedToken(State("guess"), {"mine", std::string(32, '0'), mine.ca_sha256});
  ExpectRefusedToken(State("ghost"), {"ghost", mine.token, mine.ca_sha256});
}

TEST(IdentityTest, AnotherServerThanTheOneOnThePaperIsNotTrusted) {
  EnrolWords enrol = RegisterRobot(EnrolmentStage(), "north", "careful");
  enrol.ca_sha256 = std::string(64, 'a');
  const Finished refused = RunAgent(State("careful"), enrol);
  EXPECT_EQ(refused.code, 9) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr(std::string(64, 'a')));
  EXPECT_FALSE(fs::exists(State("careful") + "/agent/cert.pem"));
}

TEST(IdentityTest, AnExpiredCertificateSaysWhatToDo) {
  RegisterRobot(EnrolmentStage(), "north", "late");
  const std::string state =
      EnrolledState("late", CertificateFor(EnrolmentStage().home(), "late", std::chrono::hours(48)),
                    EnrolmentStage().home());
  Process agent(WithoutEnrolment(state));
  agent.Start();
  EXPECT_EQ(agent.Wait(), 9) << agent.Log();
  EXPECT_THAT(agent.Log(), AllOf(HasSubstr("expired"), HasSubstr("--enrol")));
}

TEST(IdentityTest, ACertificateOfAnotherAuthorityIsRefusedOnBothSides) {
  RegisterRobot(EnrolmentStage(), "north", "stranger");
  const Pair foreign = CertificateFor(OtherHome(), "stranger");
  // By the robot, which knows its own authority only.
  ExpectSays(EnrolledState("lost", foreign, OtherHome()), HasSubstr("wrong server"));

  // By the server, whatever the robot believes.
  const grpc::SslCredentialsOptions tls{
      .pem_root_certs = ReadWhole(EnrolmentStage().home() + "/ca.pem"),
      .pem_private_key = foreign.key_pem,
      .pem_cert_chain = foreign.certificate_pem};
  const auto link = v1::AgentLink::NewStub(
      grpc::CreateChannel(EnrolmentStage().address(), grpc::SslCredentials(tls)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::UnitPapers papers;
  EXPECT_EQ(link->GetUnit(&context, {}, &papers).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(EnrolmentStage().Robot("north", "stranger").connected());
}

TEST(IdentityTest, ARobotThatNobodyCreatedStaysOutside) {
  ExpectSays(EnrolledState("nobody", CertificateFor(EnrolmentStage().home(), "nobody"),
                           EnrolmentStage().home()),
             HasSubstr("no robot nobody was created here"));
}

TEST(IdentityTest, AnAgentWithoutCertificateOrTokenSaysHowToGetThem) {
  Process agent(WithoutEnrolment(State("fresh")));
  agent.Start();
  EXPECT_EQ(agent.Wait(), 5) << agent.Log();
  EXPECT_THAT(agent.Log(), AllOf(HasSubstr("robot create"), HasSubstr("--token")));
}

TEST(IdentityTest, TwoAgentsCannotShareAStateFolder) {
  const EnrolWords token = RegisterRobot(EnrolmentStage(), "north", "shared");
  Process first(AgentLaunch(EnrolmentStage(), State("shared"), token));
  first.Start();
  ASSERT_TRUE(Eventually([] { return EnrolmentStage().Robot("north", "shared").connected(); }));
  const Finished second = RunAgent(EnrolmentStage().path("shared"), token);
  EXPECT_EQ(second.code, 6) << second.err;
  EXPECT_THAT(second.err, HasSubstr("another gatekeeper-agent"));
}

}  // namespace
}  // namespace tests
