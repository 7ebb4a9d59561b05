#include "gatekeeper/server/serve.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/gatekeeper/server/serve_fixture.h"

// Who may call what over real connections, what is pushed and fetched, and what is not served.

namespace {

using absl::StatusCode;
using agent::trust::Party;
using testing::HasSubstr;
using tests::Call;
using tests::Granted;
using tests::Must;
using tests::Refused;
using tests::ServedHome;
using tests::ServeTest;
using tests::StatusIs;
namespace v1 = gatekeeper::v1;

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
