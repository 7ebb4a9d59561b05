#pragma once

#include <chrono>
#include <string>

#include "gatekeeper/defects/audit.h"
#include "gatekeeper/gates/replay_farm.h"

namespace gatekeeper::cli {

// "step 2: replay 37 of 120, 12 s left"; without a guess before anything is done.
std::string ProgressLine(int step, const gates::FarmProgress& progress, double elapsed_s);

// "rules: defect 37 of 437, 30 killed, 12 min left"; the first ones of an audit may take much
// longer or shorter than the rest, so that the guess is one.
std::string ProgressLine(const defects::AuditProgress& progress, double elapsed_s);

// Tells on standard error how far a gate run or an audit is: on a terminal one line that is written
// over, else a line every ten seconds, so that a log shows life and stays short. Not thread-safe:
// the farms tell one at a time.
class GateProgress {
 public:
  GateProgress();
  ~GateProgress() { End(); }
  GateProgress(const GateProgress&) = delete;
  GateProgress& operator=(const GateProgress&) = delete;

  void Tell(const gates::FarmProgress& progress);
  void Tell(const defects::AuditProgress& progress);
  // Takes the line away again.
  void End();

 private:
  using Clock = std::chrono::steady_clock;
  bool IsTime(Clock::time_point now) const;
  double Elapsed_s(Clock::time_point now) const;
  void Show(const std::string& line, Clock::time_point now);

  bool terminal_;
  int step_ = 0;
  bool shown_ = false;
  Clock::time_point began_;  // this step
  Clock::time_point told_;
};

}  // namespace gatekeeper::cli
