#pragma once

#include <array>
#include <span>
#include <string_view>

#include "agent/runtime/policy.h"

namespace agent::runtime {

// What the tool point would do on one step of an arm and on the stop after it, every joint braking
// as hard as it may: is it slow enough and inside all along? A step that is, followed by that stop,
// keeps every later tick free to stop in the same way.
class ToolPath {
 public:
  struct Step {
    double seconds = 0;
    double scale = 1;  // of the tool's largest speed
  };

  // `from_rad` outlives it and has an angle for every joint.
  ToolPath(const Policy& policy, std::span<const double> from_rad, const Step& step);

  // Why the joints may not go on by `step_rad`: kToolSpeed or a zone's reason; empty: they may.
  std::string_view Blocker(std::span<const double> step_rad) const;

 private:
  std::string_view BlockerOfStop(std::span<const double> step_rad, Vec3 tool) const;
  std::string_view BlockerBetween(const Vec3& before, const Vec3& after, double seconds) const;

  const Policy& policy_;
  const std::span<const double> from_rad_;
  const Step step_;
  const Vec3 start_;
  // Nearer than its margin the tool may go where that is no nearer still.
  std::array<double, kMaxZones> need_m_{};
};

inline constexpr std::string_view kToolSpeed = "tool_speed";

// Ticks between two looks at a stop, so that even a long one takes few.
int TicksALook(const Policy& policy);

}  // namespace agent::runtime
