#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "agent/client/robot_client.h"
#include "gatekeeper/sim/robot.h"
#include "proto/robot.pb.h"

namespace tests {

// The robot's own program: a simulated robot that drives round the hall at 20 Hz, on a thread of
// its own, and does what gatekeeper-control says. Starts before control does and survives its ends.
class RobotProgram {
 public:
  RobotProgram(std::string socket, uint64_t seed);

  // What was lived through since the last Forget().
  struct Life {
    uint64_t asked = 0;
    uint64_t answered = 0;             // within the patience of one period
    agent::base::Nanos longest_gap{};  // between two answers, the open one at the end included
    double fastest_mps = 0;
    double distance_m = 0;
    std::set<std::string> units;   // whose commands came; "" is the built-in rules
    std::string nonsense;          // the first command that contradicts itself
    gatekeeper::v1::Command last;  // newest answer
  };
  void Forget();
  Life Lived() const;
  // Lives until at least this many more answers came; false when they do not come.
  bool LiveThrough(uint64_t answers) const;

  void PressStop(bool pressed) { stop_pressed_ = pressed; }
  // Off: it goes on sending what it senses, but asks for no command, and stands.
  void AskForCommands(bool ask) { asking_ = ask; }
  // Has it sent observations for so long without asking?
  bool QuietFor(agent::base::Nanos time) const;

 private:
  void Run(const std::stop_token& stop);
  gatekeeper::v1::Command Ask(gatekeeper::v1::Observation& observation);
  void Note(const gatekeeper::v1::Command& command, bool asked);

  const std::string socket_;
  const uint64_t seed_;
  std::atomic<bool> stop_pressed_ = false;
  std::atomic<bool> asking_ = true;
  std::optional<agent::client::RobotClient> client_;

  mutable std::mutex mutex_;
  Life life_;
  agent::base::Nanos answered_at_{};
  agent::base::Nanos asked_at_{};
  uint64_t all_answers_ = 0;

  std::jthread thread_;  // last: it uses the others
};

}  // namespace tests
