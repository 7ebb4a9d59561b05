#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/journeys/world.h"

namespace tests::journeys {

// What must hold after every step of every journey, whatever happens. Looked up in the robots
// themselves, not in what they report:
//  - every tick of a living control has one finite answer within the policy, to the question asked;
//  - the answer's unit is the committed one, last-good, or the one on trial: nothing else, and
//    always one whose seal is sound; no such unit, and the robot is told to stop;
//  - a unit on trial runs no longer after the gatekeeper's last word than its lease;
//  - a unit is committed only after it drove this robot on trial, nominally, for `min_ticks`; a
//    rollback may take one that did so on another robot;
//  - one model at most is asked for a tick, and it is the model of the answer's unit;
//  - no unsound unit has a slot;
//  - a latched robot never speeds up;
//  - a rollout is DONE only if every robot reports the unit running and has it committed on disk;
//  - no robot of a later wave runs the unit before its turn.
class Invariants {
 public:
  // `world` outlives this. The first findings, one sentence each; the list stays empty if all is
  // well. Call after every step.
  const std::vector<std::string>& Check(World& world);

 private:
  struct Before {
    v1::Pointer pointer;
    std::string state;
    double speed_mps = 0;
    bool latched = false;
  };
  void CheckRobot(const World& world, const Robot& robot);
  void CheckAnswer(const Robot& robot);
  void CheckUnit(const World& world, const Robot& robot, const v1::Pointer& before,
                 const v1::Pointer& after);
  void CheckEvidence(const World& world, const Robot& robot, const v1::Pointer& pointer);
  void CheckModels(const Robot& robot, const std::string& state_before);
  void CheckRollout(World& world);
  void Broken(const std::string& who, const std::string& what);

  std::map<std::string, Before> before_;          // by robot
  std::map<std::string, std::string> committed_;  // by robot
  std::map<std::string, uint64_t> driven_ticks_;  // by robot and digest: driven on trial
  std::set<std::string> proven_;                  // digests that were committed after a trial
  std::map<std::string, std::string> at_start_;   // robot -> committed when the rollout was new
  std::string rollout_seen_;
  v1::RolloutPhase phase_seen_ = v1::ROLLOUT_PHASE_UNSPECIFIED;
  double seconds_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace tests::journeys
