#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/runtime/arm_motion.h"
#include "agent/runtime/ask.h"
#include "agent/runtime/derate.h"
#include "agent/runtime/enforce.h"
#include "agent/runtime/fallback_machine.h"
#include "agent/runtime/follow_gap.h"
#include "agent/runtime/freshness.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/model_watch.h"
#include "agent/runtime/requirement_watch.h"
#include "agent/runtime/tick.h"
#include "agent/runtime/unit_rules.h"
#include "proto/robot.pb.h"

namespace agent::runtime {

// What must survive power loss. Write it down as soon as the command of the tick that changed it
// is out: a robot that brakes does not wait for a disk.
struct LatchState {
  bool latched = false;  // an emergency stop waits for re-arm
  bool awaiting_start =
      false;          // re-armed; motion waits for the robot's start (see Controller::Rearm)
  std::string cause;  // triggers that latched it
  // Re-armed, and its time on probation has not been driven yet, as far as is written down: it is
  // let go of in a tick that drives nothing.
  bool probation = false;
  // Triggers that hold the robot until a person acknowledges: those with `clear: operator`, and
  // those that cleared by themselves too often. Restored by the rules that come first.
  std::vector<std::string> held = {};

  bool operator==(const LatchState&) const = default;
};

// The control loop's decisions. One thread, no clock, no lock, no I/O; the same inputs give
// bit-identical ticks. The code that drives a robot is the code that gates replay.
class Controller {
 public:
  explicit Controller(LatchState initial);

  void Observe(const gatekeeper::v1::Observation& observation, Nanos received);

  // One signal of the observation that was just observed, where it came beside it.
  void ObserveSignal(std::string_view name, double value, int64_t stamp_ns, Nanos received) {
    board_.AcceptSignal(name, value, stamp_ns, received);
  }

  // A signal that control measured itself; see InputBoard::SetSignal. It is no sign of life of the
  // robot's program: emergency stop, network and start are not touched.
  void SetSignal(std::string_view name, double value, Nanos now) {
    board_.SetSignal(name, value, now);
  }

  // Which unit drives from the next Step on, and which one stands by for `unit:previous`. Without
  // an active pilot the built-in rules stop the robot and hold it. Pilots are not owned and outlive
  // their use here. Handing over the same active digest again only exchanges the previous one or
  // the model.
  void SwapTo(const Pilot* active, const Pilot* previous, Nanos now);

  // Decides one tick. Times never run backwards here: an earlier `now` counts as the last one.
  // The result is valid until the next Step.
  const Tick& Step(Nanos now);

  // The gatekeeper link, as the agent knows it; up until told otherwise. The network counts as up
  // when this and the newest Observation.network_up say so.
  void SetLink(bool up, Nanos now);

  // A person permits a restart. kFailedPrecondition says what still stands in the way. It never
  // starts motion: after an emergency stop the robot's program must first send an observation
  // without want_command (it has noticed), then one with it (somebody pressed start).
  absl::Status Rearm(Nanos now);
  // What Rearm would answer now, nothing done yet: a permission is written down before it is given.
  absl::Status MayRearm(Nanos now) const;

  const LatchState& latch() const { return latch_; }
  const InputBoard& board() const { return board_; }
  const FallbackStatus& fallback() const { return status_; }

 private:
  enum class Start { kNotAwaited, kAwaitingRelease, kAwaitingPress };

  void StepRulesOnly(Nanos elapsed);
  void StepUnit(Nanos elapsed);
  TriggerMask Conditions();
  TriggerMask ArmConditions();  // controller_arm.cc
  TriggerMask JudgeActive();
  void JudgePrevious();
  void Decide(TriggerMask raised, Nanos elapsed);  // controller_fallback.cc, as the next three
  ZoneMask ZonesThatDefer(TriggerMask raised) const;
  void Brake(const StateRule& stop, Nanos elapsed);
  void FollowTheGap(const StateRule& state, Nanos elapsed);
  void KeepLatch();
  TriggerMask WaitingForPerson() const { return status_.active & (operator_ | status_.held); }
  void NameHeld(TriggerMask held);
  void Drive(const StateRule& before, Nanos elapsed);
  void BrakeAt(double dec_mps2, Nanos elapsed);
  void HoldStill(Nanos elapsed);
  void Publish();

  void ExpectStart();
  void FollowStart(bool want_command, Nanos received);
  void TakeRules(const Pilot& active);
  bool LatchHolds() const;
  bool CommandIsZero() const;
  std::optional<bool> MeasuredStanding() const;
  absl::StatusOr<FallbackStatus> AfterRearm(Nanos now) const;

  LatchState latch_;
  Start start_ = Start::kNotAwaited;
  Nanos last_want_{};  // when the robot's program last asked for a command
  InputBoard board_;
  bool estop_seen_ = false;  // by any observation since the last tick
  bool link_up_ = true;
  std::optional<Nanos> now_;
  std::optional<Nanos> standing_since_;

  const Pilot* active_ = nullptr;
  const Pilot* previous_ = nullptr;  // null too when its commands do not fit the active policy
  std::string active_digest_;
  std::string previous_digest_;
  std::shared_ptr<const UnitRules> rules_;       // of active_
  std::shared_ptr<const UnitRules> tick_rules_;  // what tick_'s views point into
  FallbackStatus status_;
  TriggerMask latching_ = 0;  // those that only re-arming clears
  TriggerMask operator_ = 0;  // those that an operator clears
  TriggerMask of_model_ = 0;  // those of the model layer
  TriggerMask named_ = 0;     // what latch_.held names, by the present rules
  std::optional<Freshness> freshness_;
  std::optional<Separation> separation_;
  std::optional<DeadlineWatch> deadline_;
  std::optional<ConfidenceWatch> confidence_;
  std::optional<ConfidenceWatch> uncertainty_;  // of the negated uncertainty
  std::optional<Derating> derating_;
  std::optional<ClampBudget> clamps_;
  std::optional<RequirementWatch> requirements_;
  std::optional<Motion> motion_;  // measured, by this tick
  TriggerMask late_ = 0;          // raised by the last tick's command, acted on in the next
  uint32_t previous_misses_ = 0;
  bool previous_faulty_ = false;
  Nanos transition_until_{};
  Nanos braked_{};  // how long the present stop has
  FollowGap follow_gap_;
  std::vector<double> last_;      // last command driven
  double acc_mps2_ = 0;           // how fast its speed rose
  ArmMotion arm_motion_;          // of last_, for joints
  std::vector<double> last_raw_;  // the driving model's last answer
  bool twist_ = true;             // what last_ is
  Answer answer_;
  Enforcement enforcement_;
  std::vector<double> wanted_;
  Tick tick_;
};

}  // namespace agent::runtime
