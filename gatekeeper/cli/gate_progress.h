#pragma once

#include <chrono>
#include <string>

#include "gatekeeper/gates/replay_farm.h"

namespace gatekeeper::cli {

// "step 2: replay 37 of 120, 12 s left"; without a guess before anything is done.
std::string ProgressLine(int step, const gates::FarmProgress& progress, double elapsed_s);

// Tells on standard error how far a gate run is: on a terminal one line that is written over, else
// a line every ten seconds, so that a log shows life and stays short. Not thread-safe: the farms
// tell one at a time.
class GateProgress {
 public:
  GateProgress();
  ~GateProgress() { End(); }
  GateProgress(const GateProgress&) = delete;
  GateProgress& operator=(const GateProgress&) = delete;

  void Tell(const gates::FarmProgress& progress);
  // Takes the line away again.
  void End();

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_;
  int step_ = 0;
  bool shown_ = false;
  Clock::time_point began_;  // this step
  Clock::time_point told_;
};

}  // namespace gatekeeper::cli
