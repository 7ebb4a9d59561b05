#include "gatekeeper/server/serve.h"

#include <filesystem>

#include "tests/gatekeeper/rollout/rollout_world.h"
#include "tests/gatekeeper/server/served_home.h"
#include "tests/support/status_matchers.h"

namespace {

using absl::StatusCode;
using agent::trust::Party;
using testing::HasSubstr;
using tests::Must;
using tests::ServedHome;
using tests::StatusIs;
namespace v1 = gatekeeper::v1;

MATCHER_P2(Refused, code, message, "") {
  *result_listener << arg.error_code() << ": " << arg.error_message();
  return arg.error_code() == code &&
         testing::ExplainMatchResult(HasSubstr(message), arg.error_message(), result_listener);
}
MATCHER(Granted, "") {
  *result_listener << arg.error_code() << ": " << arg.error_message();
  return arg.ok();
}

// A context whose call ends by itself: a test that waits for ever tells nothing.
struct Call : grpc::ClientContext {
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20)); }
};

class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(home_.Start());
    operator_channel_ = home_.ChannelAs({Party::kOperator, "mara"});
    operators_ = v1::Operator::NewStub(operator_channel_);
  }
  std::unique_ptr<v1::AgentLink::Stub> AgentAs(const std::string& robot) {
    return v1::AgentLink::NewStub(home_.ChannelAs({Party::kRobot, robot}));
  }
  std::string CreateRobot(const std::string& robot) {
    v1::Empty empty;
    v1::CreateFleetRequest fleet;
    fleet.set_name("north");
    Call fleet_call;
    (void)operators_->CreateFleet(&fleet_call, fleet, &empty);
    v1::CreateRobotRequest request;
    request.set_fleet("north");
    request.set_robot(robot);
    request.set_hardware("amr-v2");
    v1::CreateRobotReply reply;
    Call call;
    EXPECT_THAT(operators_->CreateRobot(&call, request, &reply), Granted());
    EXPECT_EQ(reply.ca_sha256(), Must(agent::trust::CertificateDigest(home_.ca_pem())).hex());
    return reply.token();
  }
  v1::UnitPapers Papers(const std::string& version) {
    v1::Manifest manifest = tests::ManifestOf(tests::UnitBytes());
    manifest.set_version(version);
    v1::UnitPapers papers;
    papers.set_manifest(agent::trust::CanonicalManifest(manifest));
    for (const auto& [name, bundle] :
         tests::SealOf(manifest, home_.signers, home_.signers.Passed())) {
      (*papers.mutable_seal())[name] = bundle;
    }
    return papers;
  }
  grpc::Status Push(const v1::UnitPapers& papers, const std::map<std::string, std::string>& files,
                    v1::PushUnitReply* reply) {
    Call call;
    const auto writer = operators_->PushUnit(&call, reply);
    v1::PushUnitRequest part;
    *part.mutable_papers() = papers;
    bool open = writer->Write(part);
    for (const auto& [path, bytes] : files) {
      part.mutable_blob()->set_sha256(agent::trust::Sha256(tests::UnitBytes().at(path)).hex());
      for (size_t at = 0; at < bytes.size() && open; at += 5) {
        part.mutable_blob()->set_data(bytes.substr(at, 5));
        open = writer->Write(part);
      }
    }
    writer->WritesDone();
    return writer->Finish();
  }

  ServedHome home_;
  std::shared_ptr<grpc::Channel> operator_channel_;
  std::unique_ptr<v1::Operator::Stub> operators_;
};

TEST_F(ServeTest, ARobotMayCallNothingOfTheOperatorsAndTheOtherWayRound) {
  CreateRobot("r1");
  const auto robot_as_operator = v1::Operator::NewStub(home_.ChannelAs({Party::kRobot, "r1"}));
  v1::FleetList fleets;
  Call list;
  EXPECT_THAT(robot_as_operator->ListFleets(&list, v1::Empty(), &fleets),
              Refused(grpc::PERMISSION_DENIED, "for an operator's certificate"));
  v1::RollbackRequest rollback;
  rollback.set_fleet("north");
  rollback.set_reason("mischief");
  Call back;
  const auto receipts = robot_as_operator->Rollback(&back, rollback);
  EXPECT_THAT(receipts->Finish(), Refused(grpc::PERMISSION_DENIED, "operator's"));
  v1::PushUnitReply pushed;
  Call push;
  EXPECT_THAT(robot_as_operator->PushUnit(&push, &pushed)->Finish(),
              Refused(grpc::PERMISSION_DENIED, "operator's"));

  const auto operator_as_robot = v1::AgentLink::NewStub(operator_channel_);
  Call connect;
  EXPECT_THAT(operator_as_robot->Connect(&connect)->Finish(),
              Refused(grpc::PERMISSION_DENIED, "for a robot's certificate"));
  v1::UnitPapers papers;
  Call get;
  EXPECT_THAT(operator_as_robot->GetUnit(&get, {}, &papers),
              Refused(grpc::PERMISSION_DENIED, "robot's"));
  Call fetch;
  EXPECT_THAT(operator_as_robot->FetchBlob(&fetch, {})->Finish(),
              Refused(grpc::PERMISSION_DENIED, "robot's"));
  v1::EnrolReply renewed;
  Call renew;
  EXPECT_THAT(operator_as_robot->Renew(&renew, {}, &renewed),
              Refused(grpc::PERMISSION_DENIED, "robot's"));
}

TEST_F(ServeTest, WithoutACertificateOfThisGatekeeperNobodyGetsIn) {
  v1::FleetList fleets;
  Call bare;
  const auto without =
      v1::Operator::NewStub(home_.Channel(home_.ports.port, {home_.ca_pem(), "", ""}));
  EXPECT_EQ(without->ListFleets(&bare, v1::Empty(), &fleets).error_code(), grpc::UNAVAILABLE);

  ServedHome stranger;  // another authority
  const auto key = Must(agent::trust::PrivateKey::Generate());
  const std::string foreign =
      stranger.Certificate(key, {Party::kOperator, "mara"}, agent::base::SystemClock().WallMs());
  Call other;
  const auto with_foreign =
      v1::Operator::NewStub(home_.Channel(home_.ports.port, {home_.ca_pem(), key.Pem(), foreign}));
  EXPECT_EQ(with_foreign->ListFleets(&other, v1::Empty(), &fleets).error_code(), grpc::UNAVAILABLE);

  const int64_t long_ago = agent::base::SystemClock().WallMs() - 3 * 24 * 3'600'000LL;
  Call late;
  const auto expired = v1::Operator::NewStub(home_.ChannelAs({Party::kOperator, "mara"}, long_ago));
  EXPECT_EQ(expired->ListFleets(&late, v1::Empty(), &fleets).error_code(), grpc::UNAVAILABLE);
}

TEST_F(ServeTest, TheEnrolmentPortServesEnrolmentOnly) {
  const auto stub =
      v1::Operator::NewStub(home_.Channel(home_.ports.enrol_port, {home_.ca_pem(), "", ""}));
  v1::FleetList fleets;
  Call call;
  EXPECT_EQ(stub->ListFleets(&call, v1::Empty(), &fleets).error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(ServeTest, ATokenBuysOneCertificateForItsRobotWhateverTheRequestSays) {
  const std::string token = CreateRobot("r1");
  CreateRobot("r2");
  const auto enrolment =
      v1::Enrolment::NewStub(home_.Channel(home_.ports.enrol_port, {home_.ca_pem(), "", ""}));
  const auto key = Must(agent::trust::PrivateKey::Generate());
  v1::EnrolRequest request;
  request.set_robot("r1");
  request.set_token(token);
  v1::EnrolReply reply;
  const auto enrol = [&] {
    Call call;
    return enrolment->Enrol(&call, request, &reply);
  };

  request.set_csr_pem("not a request");
  EXPECT_FALSE(enrol().ok()) << "and the token stays good";
  request.set_csr_pem(Must(agent::trust::MakeCsr(key)));
  request.set_robot("r2");
  EXPECT_THAT(enrol(), Refused(grpc::PERMISSION_DENIED, "not good for this robot"));
  request.set_robot("r1");
  ASSERT_THAT(enrol(), Granted());
  EXPECT_EQ(*agent::trust::SpiffeId(reply.certificate_pem()), "spiffe://gatekeeper/robot/r1");
  EXPECT_EQ(reply.ca_pem(), home_.ca_pem());
  EXPECT_EQ(reply.trust_json(), home_.signers.trust.ToJson());
  const int64_t week = 7 * 24 * 3'600'000LL;
  EXPECT_NEAR(static_cast<double>(*agent::trust::NotAfterMs(reply.certificate_pem())),
              static_cast<double>(agent::base::SystemClock().WallMs() + week), 120'000.0);
  EXPECT_THAT(enrol(), Refused(grpc::PERMISSION_DENIED, "not good for this robot"));

  const auto link = v1::AgentLink::NewStub(
      home_.Channel(home_.ports.port, {home_.ca_pem(), key.Pem(), reply.certificate_pem()}));
  v1::RenewRequest again;
  again.set_csr_pem(request.csr_pem());
  v1::EnrolReply renewed;
  Call renew;
  ASSERT_THAT(link->Renew(&renew, again, &renewed), Granted());
  EXPECT_EQ(*agent::trust::SpiffeId(renewed.certificate_pem()), "spiffe://gatekeeper/robot/r1");
}

TEST_F(ServeTest, APushedUnitComesOutAtTheRobotsByteForByte) {
  CreateRobot("r1");
  v1::PushUnitReply reply;
  ASSERT_THAT(Push(Papers("1.0.0"), tests::UnitBytes(), &reply), Granted());
  EXPECT_EQ(reply.version(), "1.0.0");
  EXPECT_FALSE(reply.already_there());
  ASSERT_THAT(Push(Papers("1.0.0"), {}, &reply), Granted());
  EXPECT_TRUE(reply.already_there());

  const auto link = AgentAs("r1");
  v1::GetUnitRequest get;
  get.set_digest(reply.digest());
  v1::UnitPapers papers;
  Call papers_call;
  ASSERT_THAT(link->GetUnit(&papers_call, get, &papers), Granted());
  EXPECT_EQ(papers.manifest(), Papers("1.0.0").manifest());
  const std::string model = tests::UnitBytes().at("model/model.onnx");
  v1::FetchBlobRequest fetch;
  fetch.set_sha256(agent::trust::Sha256(model).hex());
  fetch.set_offset(4);
  Call fetch_call;
  const auto reader = link->FetchBlob(&fetch_call, fetch);
  std::string bytes;
  for (v1::BlobChunk chunk; reader->Read(&chunk);) bytes += chunk.data();
  EXPECT_THAT(reader->Finish(), Granted());
  EXPECT_EQ(bytes, model.substr(4));
  fetch.set_sha256(std::string(64, '0'));
  Call absent_call;
  EXPECT_THAT(link->FetchBlob(&absent_call, fetch)->Finish(), Refused(grpc::NOT_FOUND, "no blob"));
}

TEST_F(ServeTest, NothingOfAUnitThatCannotBeBelievedIsKept) {
  v1::PushUnitReply reply;
  auto files = tests::UnitBytes();

  v1::UnitPapers forged = Papers("1.0.0");
  (*forged.mutable_seal())["vsa.sigstore.json"] = Papers("2.0.0").seal().at("vsa.sigstore.json");
  EXPECT_THAT(Push(forged, files, &reply), Refused(grpc::PERMISSION_DENIED, ""));
  v1::UnitPapers unsealed = Papers("1.0.0");
  unsealed.mutable_seal()->clear();
  EXPECT_FALSE(Push(unsealed, files, &reply).ok());
  v1::UnitPapers extra = Papers("1.0.0");
  (*extra.mutable_seal())["../../evil"] = "x";
  EXPECT_THAT(Push(extra, files, &reply), Refused(grpc::INVALID_ARGUMENT, "no file of a seal"));
  files.at("model/model.onnx")[3] ^= 1;
  EXPECT_THAT(Push(Papers("1.0.0"), files, &reply), Refused(grpc::DATA_LOSS, "wanted"));
  files.erase("model/model.onnx");
  EXPECT_THAT(Push(Papers("1.0.0"), files, &reply),
              Refused(grpc::FAILED_PRECONDITION, "model/model.onnx of nav@1.0.0 did not come"));

  v1::UnitList units;
  Call call;
  ASSERT_THAT(operators_->ListUnits(&call, v1::Empty(), &units), Granted());
  EXPECT_EQ(units.units_size(), 0);
  EXPECT_FALSE(std::filesystem::exists(
      home_.path("blobs/" + agent::trust::Sha256("not really a model").hex().substr(0, 2))));
}

// A robot at the far end of a real stream.
class StreamedRobot {
 public:
  StreamedRobot(std::unique_ptr<v1::AgentLink::Stub> stub, const std::string& running)
      : stub_(std::move(stub)), stream_(stub_->Connect(&call_)) {
    v1::Pointer* pointer = observed_.mutable_control()->mutable_pointer();
    pointer->set_phase(v1::COMMITTED);
    pointer->set_committed_digest(running);
    observed_.mutable_control()->set_running_digest(running);
  }
  // Obeys what it was told, reports, and reads until the report is answered. False: stream ended.
  bool Turn() {
    tests::Obey(desired, observed_);
    v1::AgentMessage report;
    *report.mutable_observed() = observed_;
    if (!stream_->Write(report)) return false;
    for (v1::ServerMessage message; stream_->Read(&message);) {
      if (message.has_desired()) desired = message.desired();
      if (message.has_heartbeat()) return true;
    }
    return false;
  }
  uint64_t SendEvent(uint64_t id) {
    v1::AgentMessage message;
    message.mutable_event()->set_id(id);
    message.mutable_event()->set_kind("swapped");
    stream_->Write(message);
    for (v1::ServerMessage answer; stream_->Read(&answer);) {
      if (answer.has_event_ack()) return answer.event_ack().id();
    }
    return 0;
  }
  grpc::Status Finish() { return stream_->Finish(); }
  bool ReadUntilClosed() {
    for (v1::ServerMessage message; stream_->Read(&message);) {
    }
    return true;
  }
  void HangUp() {
    stream_->WritesDone();
    (void)stream_->Finish();
  }
  const std::string& running() const { return observed_.control().running_digest(); }

  v1::DesiredState desired;

 private:
  Call call_;
  std::unique_ptr<v1::AgentLink::Stub> stub_;
  v1::ObservedState observed_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ServerMessage>> stream_;
};

TEST_F(ServeTest, OrdersGoDownAndReceiptsComeUpOverRealStreams) {
  CreateRobot("r1");
  CreateRobot("r2");
  v1::PushUnitReply pushed;
  ASSERT_THAT(Push(Papers("0.9.0"), tests::UnitBytes(), &pushed), Granted());
  const std::string old_unit = pushed.digest();
  ASSERT_THAT(Push(Papers("1.0.0"), tests::UnitBytes(), &pushed), Granted());
  StreamedRobot robot(AgentAs("r1"), old_unit);
  ASSERT_TRUE(robot.Turn());
  EXPECT_EQ(robot.SendEvent(5), 5u);

  v1::StartRolloutRequest start;
  start.set_fleet("north");
  start.set_unit("nav@1.0.0");
  *start.mutable_plan() = tests::ShortPlan();
  v1::RolloutState state;
  Call start_call;
  ASSERT_THAT(operators_->StartRollout(&start_call, start, &state), Granted());
  EXPECT_EQ(state.actor(), "operator/mara");
  ASSERT_TRUE(robot.Turn());
  EXPECT_EQ(robot.desired.unit_digest(), pushed.digest());
  EXPECT_EQ(robot.desired.stage(), v1::STAGE_SHADOW);

  v1::RollbackRequest rollback;
  rollback.set_fleet("north");
  rollback.set_reason("enough");
  rollback.set_wait_ms(1500);
  Call rollback_call;
  const auto receipts = operators_->Rollback(&rollback_call, rollback);
  v1::RollbackReceipt receipt;
  while (!robot.desired.rollback()) ASSERT_TRUE(robot.Turn());
  ASSERT_TRUE(robot.Turn());
  ASSERT_TRUE(receipts->Read(&receipt));
  EXPECT_EQ(receipt.robot(), "r1");
  EXPECT_EQ(receipt.outcome(), "running");
  EXPECT_EQ(receipt.running_digest(), old_unit);
  ASSERT_TRUE(receipts->Read(&receipt));
  EXPECT_EQ(receipt.robot(), "r2");
  EXPECT_EQ(receipt.outcome(), "unreachable");
  ASSERT_TRUE(receipts->Read(&receipt));
  EXPECT_EQ(receipt.summary(), "1 of 2 robots report the wanted unit running");
  EXPECT_FALSE(receipt.complete());
  EXPECT_FALSE(receipts->Read(&receipt));
  EXPECT_THAT(receipts->Finish(), Granted());

  v1::Incident incident;
  v1::ShowIncidentRequest show;
  show.set_id(receipt.incident());
  Call show_call;
  ASSERT_THAT(operators_->ShowIncident(&show_call, show, &incident), Granted());
  EXPECT_THAT(incident.report_markdown(), HasSubstr("operator/mara"));
  robot.HangUp();
}

TEST_F(ServeTest, ANewerConnectionOfARobotEndsTheOlderOne) {
  CreateRobot("r1");
  StreamedRobot first(AgentAs("r1"), "");
  ASSERT_TRUE(first.Turn());
  StreamedRobot second(AgentAs("r1"), "");
  ASSERT_TRUE(second.Turn());

  EXPECT_TRUE(first.ReadUntilClosed());
  EXPECT_THAT(first.Finish(), Refused(grpc::ABORTED, "a newer connection"));
  EXPECT_TRUE(second.Turn());
  second.HangUp();
}

TEST_F(ServeTest, ACertificateForARobotNobodyCreatedOpensNoStream) {
  StreamedRobot robot(AgentAs("ghost"), "");
  EXPECT_FALSE(robot.Turn());
  EXPECT_THAT(robot.Finish(), Refused(grpc::PERMISSION_DENIED, "no robot ghost"));
}

TEST_F(ServeTest, StoppingEndsOpenStreamsAndARestartRemembersEverything) {
  CreateRobot("r1");
  StreamedRobot robot(AgentAs("r1"), "");
  ASSERT_TRUE(robot.Turn());

  home_.Stop();
  EXPECT_TRUE(robot.ReadUntilClosed());
  EXPECT_FALSE(robot.Finish().ok());
  ASSERT_OK(home_.Start());

  v1::FleetView view;
  v1::ShowFleetRequest show;
  show.set_fleet("north");
  Call call;
  ASSERT_THAT(v1::Operator::NewStub(home_.ChannelAs({Party::kOperator, "ann"}))
                  ->ShowFleet(&call, show, &view),
              Granted());
  EXPECT_EQ(view.robots_size(), 1);
  v1::AuditList audit;
  Call audit_call;
  ASSERT_THAT(v1::Operator::NewStub(home_.ChannelAs({Party::kOperator, "ann"}))
                  ->ReadAudit(&audit_call, {}, &audit),
              Granted());
  EXPECT_EQ(audit.entries(0).action(), "fleet.create");
}

TEST_F(ServeTest, OneHomeHasOneServer) {
  EXPECT_THAT(
      gatekeeper::server::RunServer(
          {.home = home_.folder.path(), .listen = "127.0.0.1:0", .enrol_listen = "127.0.0.1:0"},
          [](const auto&) { FAIL() << "it must not serve"; }, {}),
      StatusIs(StatusCode::kAlreadyExists, HasSubstr("another gatekeeper serves")));
}

TEST_F(ServeTest, APortInUseIsSaidClearly) {
  ServedHome second;
  EXPECT_THAT(gatekeeper::server::RunServer({.home = second.folder.path(),
                                             .listen = home_.Address(home_.ports.port),
                                             .enrol_listen = "127.0.0.1:0"},
                                            [](const auto&) { FAIL() << "it must not serve"; }, {}),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("the port is in use")));
  EXPECT_THAT(
      gatekeeper::server::RunServer(
          {.home = second.folder.path(), .listen = "nonsense", .enrol_listen = "127.0.0.1:0"},
          [](const auto&) { FAIL() << "it must not serve"; }, {}),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("HOST:PORT")));
}

TEST(ServeHomeTest, AFolderWithoutKeysOrWithOpenOnesIsRefused) {
  tests::TempFolder empty;
  const auto serve = [](const std::string& folder) {
    return gatekeeper::server::RunServer(
        {.home = folder, .listen = "127.0.0.1:0", .enrol_listen = "127.0.0.1:0"},
        [](const auto&) { FAIL() << "it must not serve"; }, {});
  };
  EXPECT_THAT(serve(empty.path()),
              StatusIs(StatusCode::kNotFound, HasSubstr("make its keys first")));

  ServedHome open;
  ASSERT_EQ(chmod(open.path("ca.key").c_str(), 0644), 0);
  EXPECT_THAT(serve(open.folder.path()),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("ca.key")));
}

}  // namespace
