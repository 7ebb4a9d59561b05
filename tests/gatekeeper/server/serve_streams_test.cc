#include "gatekeeper/server/serve.h"
#include "tests/gatekeeper/rollout/rollout_world.h"
#include "tests/gatekeeper/server/serve_fixture.h"

// Orders down and reports up, over real streams.

namespace {

using agent::trust::Party;
using testing::HasSubstr;
using tests::Call;
using tests::Granted;
using tests::Refused;
using tests::ServeTest;
namespace v1 = gatekeeper::v1;

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

}  // namespace
