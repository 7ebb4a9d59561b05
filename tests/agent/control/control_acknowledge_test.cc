#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/agent/control/control_fixture.h"

// What one operator may clear: flapping and the like, and no emergency stop.

namespace tests {
namespace {

using ::testing::Contains;

class AcknowledgeTest : public ControlTest {
 protected:
  AcknowledgeTest() { Commit(a_); }
  void Flap() {
    for (int i = 0; i < 40 && !Flaps(); ++i) {
      source_->ScriptOf(a_)->vx_mps = std::nanf("");
      Steps(1);
      source_->ScriptOf(a_)->vx_mps = 0.2F;
      Steps(14);
    }
    ASSERT_TRUE(Flaps());
  }
  bool Flaps() {
    const v1::ControlReport report = Report();
    return std::ranges::find(report.triggers(), "flapping") != report.triggers().end();
  }
  v1::ControlOrder Acknowledgement() {
    v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
    order.set_acknowledge(true);
    return order;
  }
};

TEST_F(AcknowledgeTest, ClearsFlappingAndARepeatOfItClearsNothingMore) {
  const v1::ControlOrder order = Acknowledgement();
  Flap();
  EXPECT_FALSE(Report().has_rearm()) << "nobody latched anything";
  Apply(order);
  Steps(2);
  EXPECT_FALSE(Flaps());
  EXPECT_THAT(Kinds(), Contains("acknowledged"));

  Flap();
  Apply(order);
  Steps(2);
  EXPECT_TRUE(Flaps());
}

TEST_F(AcknowledgeTest, IsRefusedOnceWhenThereIsNothing) {
  const v1::ControlOrder order = Acknowledgement();
  Apply(order);
  EXPECT_THAT(Kinds(), Contains("acknowledgement_refused"));
  const size_t told = Kinds().size();
  Apply(order);
  EXPECT_EQ(Kinds().size(), told);
}

}  // namespace
}  // namespace tests
