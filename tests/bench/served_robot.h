#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/unique_fd.h"
#include "agent/client/robot_client.h"
#include "proto/robot.pb.h"
#include "tests/bench/hall_robot.h"
#include "tests/support/temp_folder.h"

namespace bench {

// A robot's program before the real gatekeeper-control, which drives it by a sealed unit in a
// sandboxed worker. An agent stays connected that orders nothing more.
class ServedRobot {
 public:
  struct Robot {
    Documents documents;
    gatekeeper::v1::Observation packet;
    void (*stamp)(gatekeeper::v1::Observation&, agent::base::Nanos);
  };
  // Returns once the model drives at its speed.
  ServedRobot(Robot robot, const Network& network);
  ~ServedRobot();
  ServedRobot(const ServedRobot&) = delete;
  ServedRobot& operator=(const ServedRobot&) = delete;

  // From the packet that is about to be made to the command that has been read.
  void Exchange();
  // As DrivenRobot's.
  void CheckDriven() const;

 private:
  void Install(const Network& network);
  void StartControl();
  void Commit();
  void Settle();

  tests::TempFolder folder_;
  Robot robot_;
  std::string digest_;
  std::optional<agent::client::RobotClient> client_;
  agent::base::UniqueFd agent_;
  gatekeeper::v1::Command command_;
  int exchanges_ = 0;
  int driven_ = 0;
};

}  // namespace bench
