#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/trust/rearm_approval.h"
#include "tests/agent/control/control_fixture.h"
#include "tests/agent/trust/unit_fixture.h"

// An enrolled robot, and the two people who may re-arm it.

namespace tests {

using Approvals = std::vector<std::string>;

// The papers of robot r1; made once, since keys take their time.
struct RobotPapers {
  Signers signers;
  std::string trust = signers.trust.ToJson();
  std::string certificate = RobotCertificate("r1");

  static const RobotPapers& Get() {
    static const RobotPapers papers;
    return papers;
  }
};

class RearmControlTest : public ControlTest {
 protected:
  RearmControlTest() { Enrol(); }

  void Enrol() {
    files_.Put("state/trust.json", RobotPapers::Get().trust);
    files_.Put("state/agent/cert.pem", RobotPapers::Get().certificate);
  }

  std::string ByAda(const v1::RearmChallenge& challenge) {
    return Must(agent::trust::SignRearmApproval(challenge, {"local_operator", "ada"},
                                                RobotPapers::Get().signers.ada));
  }
  std::string ByBo(const v1::RearmChallenge& challenge) {
    return Must(agent::trust::SignRearmApproval(challenge, {"safety_officer", "bo"},
                                                RobotPapers::Get().signers.bo));
  }
  Approvals ByBoth(const v1::RearmChallenge& challenge) {
    return {ByAda(challenge), ByBo(challenge)};
  }
  // As the agent passes them on.
  v1::ControlReport Answer(const Approvals& approvals) {
    v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
    for (const std::string& approval : approvals) order.add_rearm_approvals(approval);
    order.set_reason("the aisle is free");
    return Apply(order);
  }
  v1::ControlReport Acknowledge() {
    v1::ControlOrder order = OrderFor(v1::STAGE_UNSPECIFIED, "");
    order.set_acknowledge(true);
    return Apply(order);
  }

  // Pressed until it stands, then let go of.
  void StopAndRelease() {
    estop_pressed_ = true;
    Steps(40);
    estop_pressed_ = false;
    Steps(20);
  }
  // The robot observes, and asks for nothing.
  v1::Command QuietStep() {
    clock_.Advance(kPeriod);
    v1::Observation quiet;
    quiet.set_stamp_ns(clock_.Now().count());
    quiet.set_network_up(true);
    quiet.set_estop_pressed(estop_pressed_);
    quiet.mutable_odom()->set_stamp_ns(clock_.Now().count());
    core_->Observe(quiet, clock_.Now());
    core_->Tick(clock_.Now());
    core_->Poll(clock_.Now());
    return core_->CommandFor(0);
  }
  // The robot has noticed (for a while it asks for nothing), then somebody presses start.
  void PressStart() {
    for (int i = 0; i < 40; ++i) QuietStep();
    Steps(3);
  }
};

}  // namespace tests
