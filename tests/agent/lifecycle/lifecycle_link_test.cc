#include "gmock/gmock.h"
#include "tests/agent/lifecycle/robot_fixture.h"
#include "tests/support/status_matchers.h"

// What the agent passes on between the gatekeeper and control, and how often.

namespace {

using namespace tests;  // NOLINT: fixtures and proto alias
using testing::Contains;
using testing::ElementsAre;

class AgentLinkTest : public testing::Test {
 protected:
  Robot robot_;
};

TEST_F(AgentLinkTest, ForwardsEachEventOfControlOnceHoweverOftenControlTellsIt) {
  robot_.Turns(2);
  robot_.control.Happens(7, "estop");
  robot_.Turn();
  robot_.Kill();  // after it was journalled, before control heard of it
  robot_.Boot();
  robot_.Turns(5);
  robot_.control.Happens(8, "rearmed");
  robot_.Turns(5);

  EXPECT_THAT(robot_.gatekeeper.EventKinds(), ElementsAre("estop", "rearmed"));
  EXPECT_EQ(robot_.control.orders.back().events_acked(), 8u);
}

TEST_F(AgentLinkTest, RepeatsEventsOverEachConnectionUntilTheyAreAcknowledged) {
  robot_.gatekeeper.acknowledges = false;
  robot_.control.Happens(1, "estop");
  robot_.Turns(20);
  EXPECT_EQ(robot_.gatekeeper.deliveries.size(), 1u);

  robot_.gatekeeper.connected = false;
  robot_.Turn();
  robot_.gatekeeper.connected = true;
  robot_.gatekeeper.acknowledges = true;
  robot_.Turns(20);
  EXPECT_EQ(robot_.gatekeeper.deliveries.size(), 2u);
  EXPECT_EQ(robot_.gatekeeper.events.size(), 1u);

  robot_.Kill();
  robot_.Boot();
  robot_.Turns(5);
  EXPECT_EQ(robot_.gatekeeper.deliveries.size(), 2u);
}

TEST_F(AgentLinkTest, PassesApprovalsOnOnceAndNeverKeepsThem) {
  robot_.Turns(2);
  v1::ServerMessage message;
  message.mutable_rearm()->add_approvals("one");
  message.mutable_rearm()->add_approvals("two");
  robot_.agent->OnServer(message, robot_.clock.Now());
  robot_.Turns(30);

  std::vector<std::string> passed_on;
  for (const v1::ControlOrder& order : robot_.control.orders) {
    passed_on.insert(passed_on.end(), order.rearm_approvals().begin(),
                     order.rearm_approvals().end());
  }
  EXPECT_THAT(passed_on, ElementsAre("one", "two"));
  EXPECT_THAT(robot_.gatekeeper.EventKinds(), testing::Contains("rearm_passed_on"));
}

TEST_F(AgentLinkTest, DropsApprovalsThatControlWouldNeverRead) {
  robot_.Turns(2);
  v1::ServerMessage large;
  large.mutable_rearm()->add_approvals(std::string(8193, 'x'));
  robot_.agent->OnServer(large, robot_.clock.Now());
  v1::ServerMessage many;
  for (int i = 0; i < 9; ++i) many.mutable_rearm()->add_approvals("x");
  robot_.agent->OnServer(many, robot_.clock.Now());
  robot_.Turns(30);

  for (const v1::ControlOrder& order : robot_.control.orders) {
    EXPECT_EQ(order.rearm_approvals_size(), 0);
  }
  EXPECT_THAT(robot_.gatekeeper.EventKinds(), testing::Contains("rearm_dropped"));
}

TEST_F(AgentLinkTest, PassesOnWhatIsRecalledWithEveryOrderAsSoonAsItKnows) {
  robot_.Turns(2);
  for (const v1::ControlOrder& order : robot_.control.orders) EXPECT_FALSE(order.has_recall());
  v1::ServerMessage message;
  message.mutable_recall()->add_units()->set_digest(std::string(64, 'a'));
  robot_.agent->OnServer(message, robot_.clock.Now());
  const size_t before = robot_.control.orders.size();
  robot_.Turns(30);

  ASSERT_GT(robot_.control.orders.size(), before);
  const uint64_t seq = robot_.control.orders.back().seq();
  for (size_t i = before; i < robot_.control.orders.size(); ++i) {
    EXPECT_EQ(robot_.control.orders[i].recall().units_size(), 1) << i;
  }
  message.mutable_recall()->clear_units();
  robot_.agent->OnServer(message, robot_.clock.Now());
  robot_.Turns(1);
  EXPECT_TRUE(robot_.control.orders.back().has_recall());
  EXPECT_EQ(robot_.control.orders.back().recall().units_size(), 0);
  EXPECT_EQ(robot_.control.orders.back().seq(), seq);  // it is no other order for that
}

TEST_F(AgentLinkTest, DropsARecallThatNoRobotCouldHaveTheUnitsOf) {
  robot_.Turns(2);
  v1::ServerMessage message;
  for (int i = 0; i < 200; ++i)
    message.mutable_recall()->add_units()->set_digest("x" + std::string(60, 'x'));
  robot_.agent->OnServer(message, robot_.clock.Now());
  robot_.Turns(30);

  for (const v1::ControlOrder& order : robot_.control.orders) EXPECT_FALSE(order.has_recall());
  EXPECT_THAT(robot_.gatekeeper.EventKinds(), testing::Contains("recall_dropped"));
}

TEST_F(AgentLinkTest, PassesAnAcknowledgementOnOnceAndNeverKeepsIt) {
  robot_.Turns(2);
  v1::ServerMessage message;
  message.mutable_acknowledge()->set_actor("ada");
  message.mutable_acknowledge()->set_reason("looked at it");
  robot_.agent->OnServer(message, robot_.clock.Now());
  robot_.Turns(30);

  int acknowledged = 0;
  for (const v1::ControlOrder& order : robot_.control.orders) {
    acknowledged += order.acknowledge() ? 1 : 0;
  }
  EXPECT_EQ(acknowledged, 1);
}

TEST_F(AgentLinkTest, SaysItsOrderAtLeastEachSecondWithTheSameNumber) {
  robot_.Runs(Unit("1.0.0"));
  robot_.Turns(12);
  robot_.control.orders.clear();
  robot_.Turns(50);

  EXPECT_GE(robot_.control.orders.size(), 4u);
  for (const v1::ControlOrder& order : robot_.control.orders) {
    EXPECT_EQ(order.seq(), robot_.control.orders.front().seq());
  }
}

TEST_F(AgentLinkTest, TellsOfChangesAtOnceAndOtherwiseOnceASecond) {
  robot_.Runs(Unit("1.0.0"));
  robot_.Turns(20);
  robot_.gatekeeper.lifecycles.clear();
  robot_.Turns(50);
  EXPECT_GE(robot_.gatekeeper.lifecycles.size(), 4u);
  EXPECT_LE(robot_.gatekeeper.lifecycles.size(), 6u);

  robot_.gatekeeper.lifecycles.clear();
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT);
  robot_.Turn();
  EXPECT_EQ(robot_.gatekeeper.lifecycles.size(), 1u);
}

}  // namespace
