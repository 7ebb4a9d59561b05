#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/runtime/arm_limits.h"
#include "agent/runtime/footprint.h"
#include "agent/runtime/geometry.h"
#include "agent/runtime/limits.h"
#include "agent/runtime/requirement.h"
#include "agent/runtime/ssm.h"
#include "agent/runtime/twist_limits.h"
#include "proto/policy.pb.h"

namespace agent::runtime {

using base::Nanos;

// Index into Policy::triggers(), and into the triggers of every Fallback compiled with that policy.
using TriggerIndex = size_t;
// A set of triggers, bit i for index i.
using TriggerMask = uint64_t;
inline constexpr size_t kMaxTriggers = 64;
inline constexpr size_t kMaxZones = 64;
inline constexpr TriggerMask MaskOf(TriggerIndex i) { return TriggerMask{1} << i; }

enum class CommandType { kTwist2d, kJoints };

struct CommandShape {
  CommandType type = CommandType::kTwist2d;
  double rate_hz = 0;
  Nanos period{};
  std::vector<std::string> fields;  // twist2d: vx_mps, wz_radps
};

enum class InputFault {
  kMissing,     // never came
  kOld,         // came too long ago
  kLate,        // came just now, but was sent too long ago
  kOutOfOrder,  // a stamp a little before the one already here; dropped
  kBackward,    // a stamp far before it: a clock was set back or wrapped; dropped
  kAhead,       // a stamp beyond the sender's clock
  kUnstamped,   // no stamp, or one that no clock gives; dropped
  kStuck,       // the stamps stand
  kBlind,       // too few valid beams
};
inline constexpr size_t kInputFaults = 9;

struct InputLimits {
  std::string channel;
  bool required = false;
  TriggerIndex trigger = 0;
  Nanos max_age{};
  Nanos max_future{};
  Nanos stuck_after{};
  double min_valid_fraction = 0;
  // By InputFault: "input:scan:old" ...
  std::array<std::string, kInputFaults> reasons;
};

struct DeadlineLimits {
  Nanos hard{};
  uint32_t max_consecutive = 0;
  uint32_t window_ticks = 0;
  uint32_t window_max = 0;
  TriggerIndex trigger = 0;
};

// How sure a model must say it is. An uncertainty is judged as its negative.
struct ConfidenceLimits {
  double enter_below = 0;
  double leave_above = 0;
  Nanos leave_hold{};
  TriggerIndex trigger = 0;
};

struct ClampBudgetLimits {
  uint32_t window_ticks = 0;
  uint32_t max_clamped = 0;  // more than this many clamped ticks in the window raise the trigger
  TriggerIndex trigger = 0;
};

struct DerateLimits {
  std::string signal;
  Curve scale;
  bool falls = true;  // the scale falls as the signal rises
  Nanos max_age{};
  double absent_scale = 0;
  std::optional<TriggerIndex> trigger;  // given wherever the scale can be 0
  double release_at = 0;
  std::string reason;  // "derate:soc_temp_degC"
};

enum class ZoneKind { kInclusion, kExclusion, kSpeed };

struct MapZone {
  std::string id;
  ZoneKind kind = ZoneKind::kInclusion;
  Region region;
  double margin_m = 0;
  double pose_sigmas = 0;  // adds this many of the pose's standard deviations to the margin
  double low_m = -std::numeric_limits<double>::infinity();  // the heights it speaks of
  double high_m = std::numeric_limits<double>::infinity();
  double vx_max_mps = 0;      // kSpeed; of an arm's tool point
  TriggerIndex trigger = 0;   // kInclusion, kExclusion
  std::string reason;         // "envelope:hall" or "speed_zone:dock"
  std::string breach_reason;  // "outside:hall"
};

struct ScanZone {
  std::string id;
  bool stop = false;  // otherwise: caps vx at vx_max_mps
  Region region;
  uint32_t min_points = 0;
  uint32_t trigger_consecutive = 0;  // scans
  uint32_t release_consecutive = 0;  // scans
  double vx_max_mps = 0;
  std::string reason;  // "stop_zone:front" or "slow_zone:around"
};

// A control policy, checked and compiled: everything a tick needs, nothing it must look up by name.
// Immutable, so it may be shared by threads.
class Policy {
 public:
  // kInvalidArgument, whose text begins with the document path in brackets:
  // "[limits.nominal.vx_max_mps] must be above 0, because ...".
  static absl::StatusOr<Policy> Compile(const gatekeeper::v1::ControlPolicy& document);

  const std::string& id() const { return id_; }
  uint32_t version() const { return version_; }
  const CommandShape& command() const { return command_; }
  const std::vector<InputLimits>& inputs() const { return inputs_; }  // by channel name, ascending
  const InputLimits* FindInput(const std::string& channel) const;
  const DeadlineLimits& deadline() const { return deadline_; }
  TriggerIndex nonfinite_trigger() const { return nonfinite_trigger_; }
  const std::optional<ConfidenceLimits>& confidence() const { return confidence_; }
  const ClampBudgetLimits& clamp_budget() const { return clamp_budget_; }
  const std::optional<ConfidenceLimits>& uncertainty() const { return uncertainty_; }  // negated
  const std::vector<DerateLimits>& derate() const { return derate_; }
  // twist2d only; for joints these are empty and never read.
  const TwistLimits& limits(LimitSituation situation) const {
    return limits_[static_cast<size_t>(situation)];
  }
  const TwistLimits& nominal() const { return limits(LimitSituation::kNominal); }
  bool has_degraded() const { return has_degraded_; }
  Nanos transition_for() const { return transition_for_; }
  const std::vector<MapZone>& envelope() const { return envelope_; }
  const std::vector<ScanZone>& separation() const { return separation_; }
  const std::optional<SsmLimits>& ssm() const { return ssm_; }
  const Footprint& footprint() const { return footprint_; }
  // joints only.
  const std::vector<JointLimits>& joints() const { return joints_; }  // in the order of the fields
  const ArmLimits& arm() const { return arm_; }
  const std::vector<RequirementRule>& requirements() const { return requirements_; }
  // What their formulas may name; empty without requirements.
  const std::vector<RequirementSignal>& requirement_signals() const { return requirement_signals_; }
  // Every trigger that this policy can raise, in order of first mention.
  const std::vector<std::string>& triggers() const { return triggers_; }

 private:
  friend class PolicyCompiler;  // the one maker
  Policy() = default;

  std::string id_;
  uint32_t version_ = 0;
  CommandShape command_;
  std::vector<InputLimits> inputs_;
  DeadlineLimits deadline_;
  TriggerIndex nonfinite_trigger_ = 0;
  std::optional<ConfidenceLimits> confidence_;
  ClampBudgetLimits clamp_budget_;
  std::optional<ConfidenceLimits> uncertainty_;
  std::vector<DerateLimits> derate_;
  LimitTable limits_;
  bool has_degraded_ = false;
  Nanos transition_for_{};
  std::vector<MapZone> envelope_;
  std::vector<ScanZone> separation_;
  std::optional<SsmLimits> ssm_;
  Footprint footprint_;
  std::vector<JointLimits> joints_;
  ArmLimits arm_;
  std::vector<RequirementRule> requirements_;
  std::vector<RequirementSignal> requirement_signals_;
  std::vector<std::string> triggers_;
};

}  // namespace agent::runtime
