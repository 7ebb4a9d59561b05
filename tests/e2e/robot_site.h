#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

#include "tests/e2e/pointer_witness.h"
#include "tests/e2e/process.h"
#include "tests/e2e/robot_program.h"
#include "tests/e2e/stage.h"

namespace tests {

// What an agent enrols with.
struct EnrolWords {
  std::string robot;
  std::string token;
  std::string ca_sha256;
};
// Registers `robot` in `fleet` through the command line.
EnrolWords RegisterRobot(const Stage& stage, const std::string& fleet, const std::string& robot);

// One robot: its control and agent processes in a state folder of their own, and its program.
class RobotSite {
 public:
  // Registers the robot, starts its processes and waits until the gatekeeper hears control's
  // reports.
  RobotSite(Stage& stage, std::string fleet, std::string name);

  const std::string& fleet() const { return fleet_; }
  const std::string& name() const { return name_; }
  const std::string& state() const { return state_; }
  Process& agent() { return agent_; }
  Process& control() { return control_; }
  RobotProgram& program() { return program_; }
  PointerWitness& pointer() { return witness_; }

  // The worker processes that control has started.
  std::set<pid_t> Workers();
  // As the gatekeeper sees it; empty while the server does not answer.
  gatekeeper::v1::RobotView View() const { return stage_.Robot(fleet_, name_); }

  void Forget();
  // Waits until the robot runs this unit and no other: the pointer is committed to it, the
  // gatekeeper heard so, and half a second of its program's life had no other answer than this
  // unit's.
  bool SettlesOn(const std::string& digest);
  std::string Describe();  // for a failure's message

 private:
  Stage& stage_;
  const std::string fleet_;
  const std::string name_;
  const std::string state_;
  Process control_;
  Process agent_;
  PointerWitness witness_;
  RobotProgram program_;
};

// Of an agent that shall enrol itself, or has done so.
Launch AgentLaunch(const Stage& stage, const std::string& state, const EnrolWords& enrol);

}  // namespace tests
