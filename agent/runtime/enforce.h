#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "agent/runtime/envelope.h"
#include "agent/runtime/policy.h"
#include "agent/runtime/separation.h"

namespace agent::runtime {

// What one command is judged against.
struct Situation {
  std::span<const double> last;      // last command driven
  std::span<const double> last_raw;  // the model's last answer; empty: none
  double acc_s = 0;                  // time that may be used to accelerate: at most one period
  double dec_s = 0;                  // time since the last command
  double acc_mps2 = 0;               // how fast the last command's speed rose; see RiseOf
  bool degraded = false;
  bool transition = false;
  double derate = 1;  // share of the largest speed that the derating rules leave
  std::string_view derate_reason = {};
  std::optional<Motion> motion;        // absent: not measured, or too old
  std::span<const double> joints_rad;  // measured; empty: unknown
  // How the last targets moved; see ArmMotion. Empty: the arm stood.
  std::span<const double> joints_radps = {};
  std::span<const double> joints_radps2 = {};
};

struct Enforcement {
  std::vector<double> values;
  std::vector<std::string_view> reasons;  // added to, never emptied here
  bool clamped = false;                   // as Tick::clamped
};

// Passes a finite command through the whole control policy: speed, acceleration and yaw limits,
// caps of the situation, envelope and scan zones (twist2d), or the limits of joints and tool point
// (joints). For twist2d no magnitude rises and no sign changes. A non-finite or ill-sized command
// comes out as standing still.
void Enforce(const Policy& policy, const Separation& separation, std::span<const double> wanted,
             const Situation& situation, Enforcement& result);

// What Enforce promises, judged apart from how it does it: finite, of the right size and, for
// twist2d, no larger magnitude and no other sign than wanted. The Controller checks it on every
// command.
bool IsSound(const Policy& policy, std::span<const double> wanted,
             std::span<const double> enforced);

// How fast the speed rose from one twist to the next one driven, `seconds` later; 0 when it fell,
// changed direction or nothing was driven before. `before`: what it was then, which no time
// changes.
double RiseOf(std::span<const double> last, std::span<const double> driven, double seconds,
              double before);

struct Braking {
  double dec_mps2 = 0;  // twist2d; joints brake as hard as each may
  double seconds = 0;
  std::span<const double> joints_radps = {};  // how the last targets moved
};

// The last command after braking on the same curve; turning on the spot slows by wz_acc_max_radps2.
// Joints: targets on the way to a halt; unchanged once they stand.
void BrakeAlong(const Policy& policy, std::span<const double> last, const Braking& braking,
                std::vector<double>& values);

}  // namespace agent::runtime
