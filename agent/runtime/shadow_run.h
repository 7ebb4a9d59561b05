#pragma once

#include <span>
#include <vector>

#include "agent/runtime/arm_motion.h"
#include "agent/runtime/ask.h"
#include "agent/runtime/derate.h"
#include "agent/runtime/enforce.h"
#include "agent/runtime/unit_rules.h"

namespace agent::runtime {

// What a candidate would have done this tick.
struct ShadowTick {
  bool ran = false;         // its inputs were fresh and its model was asked
  std::vector<double> raw;  // empty: no usable answer
  std::vector<double>
      enforced;  // raw after the candidate's own policy, nominal limits; empty like raw
  bool clamped = false;
  bool nonfinite = false;
  bool deadline_missed = false;
  bool failed = false;  // the run failed or its worker is gone
  double confidence = 1;
  Nanos infer{};
};

// Runs a candidate beside the active unit on the same inputs. Nothing it says reaches the robot,
// and it has no fallback machine to touch. One thread; the time it takes is bounded by its policy's
// deadline.
class ShadowRun {
 public:
  explicit ShadowRun(const Pilot& candidate)  // outlives this
      : candidate_(candidate),
        separation_(candidate.rules->policy),
        derating_(candidate.rules->policy) {}

  // `driven`: the command the robot really got in the last tick (rates are judged from there).
  const ShadowTick& Step(const InputBoard& board, std::span<const double> driven, Nanos now);

 private:
  const Pilot& candidate_;
  Separation separation_;
  Derating derating_;
  Enforcement enforcement_;
  Answer answer_;
  std::vector<double> last_raw_;
  std::vector<double> last_driven_;
  double acc_mps2_ = 0;   // how fast the driven speed rose
  ArmMotion arm_motion_;  // of the driven targets, for joints
  ShadowTick tick_;
};

}  // namespace agent::runtime
