#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
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

enum class Driver { kModel, kPreviousUnit, kStop, kHold };
enum class Layer { kCircuit, kFirmware, kModel };
enum class ClearBy { kQuiet, kOperator, kRearm };

using StateIndex = size_t;  // states are sorted by rank, so a larger index is more restrictive

struct StateRule {
  std::string name;
  uint32_t rank = 0;
  Driver driver = Driver::kModel;
  bool degraded_limits = false;
  Nanos max_dwell{};                    // 0: no bound
  std::optional<StateIndex> otherwise;  // `else`
  std::optional<StateIndex> then;
  double dec_mps2 = 0;
  Nanos complete_within{};
  bool minimal_risk = false;
  bool persistent_latch = false;
};

struct TriggerRule {
  std::string id;
  Layer layer = Layer::kFirmware;
  StateIndex to = 0;
  Nanos after{};
  ClearBy clear = ClearBy::kQuiet;
  Nanos quiet{};
};

struct FlapLimits {
  Nanos window{};
  uint32_t max_transitions = 0;
  StateIndex to = 0;
};
inline constexpr uint32_t kMaxFlapTransitions = 32;

// Fallback rules, checked and compiled against the policy whose triggers they answer. Immutable.
class Fallback {
 public:
  // kInvalidArgument, text beginning with the document path in brackets. Refuses, among others: a
  // policy trigger without a rule and a rule nobody raises; moves that do not raise the rank;
  // states that nothing leads to; a stop that does not end in a minimal risk condition within
  // mrc_within_ms; an emergency stop that does not end in a persistent latch.
  static absl::StatusOr<Fallback> Compile(const gatekeeper::v1::FallbackRules& document,
                                          const Policy& policy);

  const std::vector<StateRule>& states() const { return states_; }  // ascending rank; [0] nominal
  const std::vector<TriggerRule>& triggers() const {
    return triggers_;
  }  // policy's first, then built-in
  const FlapLimits& flap() const { return flap_; }
  Nanos standstill() const { return standstill_; }
  Nanos mrc_within() const { return mrc_within_; }
  StateIndex latch_state() const { return latch_state_; }  // the highest persistent latch
  StateIndex strongest() const { return states_.size() - 1; }

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
  Nanos mrc_within_{};
  StateIndex latch_state_ = 0;
  TriggerIndex model_failed_ = 0;
  TriggerIndex estop_button_ = 0;
  TriggerIndex network_down_ = 0;
  TriggerIndex latched_ = 0;
  TriggerIndex awaiting_start_ = 0;
  TriggerIndex flapping_ = 0;
  TriggerIndex invariant_broken_ = 0;
};

}  // namespace agent::runtime
