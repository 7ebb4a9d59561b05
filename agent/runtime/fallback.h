#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/runtime/follow_gap.h"
#include "agent/runtime/policy.h"
#include "proto/fallback.pb.h"

namespace agent::runtime {

// Triggers that exist whatever the documents say. The first three must have a rule in the document;
// the others are the machine's own and may not be named there.
inline constexpr std::string_view kModelFailed = "model_failed";  // run failed or worker lost
inline constexpr std::string_view kEstopButton = "estop_button";
inline constexpr std::string_view kNetworkDown = "network_down";
inline constexpr std::string_view kLatched = "latched";  // an emergency stop waits for re-arm
inline constexpr std::string_view kAwaitingStart =
    "awaiting_start";  // re-armed, but nobody pressed start
inline constexpr std::string_view kFlapping = "flapping";
inline constexpr std::string_view kInvariantBroken = "invariant_broken";

inline constexpr size_t kMachineTriggers = 4;  // from latched on

enum class Driver { kModel, kPreviousUnit, kFollowGap, kStop, kHold };
enum class Layer { kCircuit, kFirmware, kModel };
inline constexpr std::string_view kLayerWords[] = {"circuit", "firmware", "model"};  // by Layer
enum class ClearBy { kQuiet, kOperator, kRearm };

// Bit i for Policy::inputs()[i], and for Policy::envelope()[i].
using InputMask = uint64_t;
using ZoneMask = uint64_t;

using StateIndex = size_t;  // states are sorted by rank, so a larger index is more restrictive

struct StateRule {
  std::string name;
  uint32_t rank = 0;
  Driver driver = Driver::kModel;
  bool degraded_limits = false;
  Nanos max_dwell{};                    // 0: no bound
  std::optional<StateIndex> otherwise;  // `else`
  std::optional<StateIndex> then;
  FollowGapLimits follow_gap;  // kFollowGap
  InputMask needs = 0;         // kFollowGap: gives way to `else` when one of them is not fresh
  double dec_mps2 = 0;         // kStop
  double jerk_mps3 = 0;        // kStop: how fast the deceleration grows; 0: at once
  Nanos complete_within{};
  bool minimal_risk = false;
  bool persistent_latch = false;
};

struct TriggerRule {
  std::string id;
  Layer layer = Layer::kFirmware;
  StateIndex to = 0;
  Nanos detect{};  // raised within this time of its cause; 0: not declared
  Nanos after{};
  ClearBy clear = ClearBy::kQuiet;
  Nanos quiet{};
  uint32_t max_per_hour = 0;  // times it may clear by itself; 0: no bound
  StateIndex otherwise = 0;   // where it goes instead of clearing once more
  Nanos defer_max{};
  ZoneMask defer_in = 0;  // zones in which it waits for at most defer_max
};

struct FlapLimits {
  Nanos window{};
  uint32_t max_transitions = 0;
  StateIndex to = 0;
};
inline constexpr uint32_t kMaxFlapTransitions = 32;
// Self-clearing is counted over this time; see TriggerRule::max_per_hour.
inline constexpr Nanos kClearWindow = std::chrono::hours(1);
inline constexpr uint32_t kMaxClearsPerHour = 8;

struct ProbationRule {
  Nanos duration{};
  StateIndex to = 0;
};

// Fallback rules, checked and compiled against the policy whose triggers they answer. Immutable.
class Fallback {
 public:
  // kInvalidArgument, text beginning with the document path in brackets, marked with the rule that
  // it breaks (rule_id.h). Proves, among others: every trigger has one rule and every rule a
  // trigger (S2); every state has a way to a minimal risk condition that needs no network, no model
  // and no input (S2); every state can be held and every trigger can win (S3); every move raises
  // the rank, and no state that drives outranks one that stops (S4); a stop is complete within
  // mrc_within_ms of its cause, except while it is deferred (S5); what ends in a latch is cleared
  // by re-arming only, and what cleared too often never goes lower (S6).
  static absl::StatusOr<Fallback> Compile(const gatekeeper::v1::FallbackRules& document,
                                          const Policy& policy);

  const std::vector<StateRule>& states() const { return states_; }  // ascending rank; [0] nominal
  const std::vector<TriggerRule>& triggers() const {
    return triggers_;
  }  // policy's first, then built-in
  const FlapLimits& flap() const { return flap_; }
  Nanos standstill() const { return standstill_; }
  // Who must approve a re-arm, two or more roles, each a different person.
  const std::vector<std::string>& rearm_roles() const { return rearm_roles_; }
  Nanos rearm_ttl() const { return rearm_ttl_; }  // a challenge may be answered this long
  const ProbationRule& probation() const { return probation_; }
  Nanos mrc_within() const { return mrc_within_; }
  StateIndex latch_state() const { return latch_state_; }  // the highest persistent latch
  StateIndex strongest() const { return states_.size() - 1; }

  InputMask needs() const { return needs_; }              // of all states together
  TriggerMask deferrable() const { return deferrable_; }  // triggers that a zone may postpone

  TriggerIndex model_failed() const { return model_failed_; }
  TriggerIndex estop_button() const { return estop_button_; }
  TriggerIndex network_down() const { return network_down_; }
  TriggerIndex latched() const { return latched_; }
  TriggerIndex awaiting_start() const { return awaiting_start_; }
  TriggerIndex flapping() const { return flapping_; }
  TriggerIndex invariant_broken() const { return invariant_broken_; }

 private:
  friend class FallbackCompiler;  // the one maker
  Fallback() = default;

  std::vector<StateRule> states_;
  std::vector<TriggerRule> triggers_;
  FlapLimits flap_;
  Nanos standstill_{};
  std::vector<std::string> rearm_roles_;
  Nanos rearm_ttl_{};
  ProbationRule probation_;
  Nanos mrc_within_{};
  StateIndex latch_state_ = 0;
  InputMask needs_ = 0;
  TriggerMask deferrable_ = 0;
  TriggerIndex model_failed_ = 0;
  TriggerIndex estop_button_ = 0;
  TriggerIndex network_down_ = 0;
  TriggerIndex latched_ = 0;
  TriggerIndex awaiting_start_ = 0;
  TriggerIndex flapping_ = 0;
  TriggerIndex invariant_broken_ = 0;
};

}  // namespace agent::runtime
