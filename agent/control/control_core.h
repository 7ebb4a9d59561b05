#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/control/control_records.h"
#include "agent/control/event_ring.h"
#include "agent/control/model_source.h"
#include "agent/control/observation_packet.h"
#include "agent/control/rearm_desk.h"
#include "agent/control/shadow.h"
#include "agent/control/shadow_budget.h"
#include "agent/control/unit_counters.h"
#include "agent/control/unit_shelf.h"
#include "agent/runtime/controller.h"
#include "proto/control.pb.h"
#include "proto/robot.pb.h"

namespace agent::control {

// What gatekeeper-control decides, without threads, sockets or processes: which unit drives, for
// how long, and what is remembered over a power cut. One thread; time is an argument.
//
// The caller's loop: Observe what the robot sends; Tick once a period, send CommandFor, then
// Remember; Apply what the agent sends; Poll after each of these and at least every 20 ms. A Tick
// writes nothing to disk: the answer is out before Remember makes the latch durable, and everything
// else is written by Apply and Poll.
//
// A power cut between the answer and the end of that write leaves a robot that was told to stop and
// a disk that does not know why. Without power it stands, and what caused the stop is looked at
// anew by the next life: the button that is still pressed, the contact that is still there. Only a
// cause that has gone by then is forgotten. To wait for the disk instead would let a robot drive on
// for as long as the disk takes, on every stop.
class ControlCore {
 public:
  // Reads STATE/control, takes units from STATE/slots. Never fails: what cannot be read is answered
  // in the safe direction and told as an event. The referenced objects must outlive this.
  ControlCore(const std::string& state_folder, base::Files& files, const base::Clock& clock,
              ModelSource& source);

  void Observe(const ::gatekeeper::v1::Observation& observation, base::Nanos received);
  // The same with the robot's signals beside the message, which costs no memory.
  void Observe(const ParsedObservation& parsed, base::Nanos received);
  // The answer to the last Tick is out: writes down what that changed of the latch, before anything
  // else is read. A disk that refuses is asked again once a second.
  void Remember(base::Nanos now);
  // What control measures itself: heat, supply, latency.
  void SetSignal(std::string_view name, double value, base::Nanos now) {
    controller_.SetSignal(name, value, now);
  }
  // Decides one tick. The result stands until the next.
  const runtime::Tick& Tick(base::Nanos now);
  // The last tick as the robot's answer to observation `seq`, 0 when nobody asked.
  // Stands until the next call.
  const ::gatekeeper::v1::Command& CommandFor(uint64_t seq);

  // The newest order stands until another comes. Orders are numbered from 1; a repeat of one renews
  // its lease, and acknowledges, re-arms or releases nothing again.
  void Apply(const ::gatekeeper::v1::ControlOrder& order, base::Nanos now);
  // The agent is not there: its link counts as down. Leases run on.
  void LoseAgent(base::Nanos now);
  // Takes in loaded and lost units, follows the standing order, makes durable what a tick decided.
  void Poll(base::Nanos now);

  // After a Tick: fills what the candidate shall look at, when one is shadowing, its run on the
  // frame before is over and the budget allows; otherwise the tick is shed, which is counted. Give
  // every frame's result back.
  bool TakeShadow(ShadowFrame& frame);
  void AcceptShadow(const ShadowResult& result, base::Nanos now);

  // What only the program around the core knows.
  struct Surroundings {
    bool robot_connected = false;
    bool realtime = false;
    uint64_t recorder_dropped = 0;
    bool operator==(const Surroundings&) const = default;
  };
  void SetSurroundings(const Surroundings& surroundings);

  ::gatekeeper::v1::ControlReport Report(base::Nanos now) const;
  // What of the last tick was the model's, by the system's own clock.
  const ModelTimes& model_times() const { return model_times_; }
  const EventRing& events() const { return events_; }
  // Rises whenever the next report tells something other than counters.
  uint64_t changes() const { return changes_; }
  // How often to tick: the active policy's period, 50 ms without a unit.
  base::Nanos period() const;

 private:
  struct Candidate {
    std::string digest;
    ::gatekeeper::v1::CandidateState state = ::gatekeeper::v1::CANDIDATE_NONE;
    std::string reason;
    UnitCounters counters;
  };
  struct Lease {
    base::Nanos until{};
    base::Nanos length{};
  };
  enum class Verdict { kReturn, kQuarantine };  // what a trial that ended says about its unit

  // --- orders (control_orders.cc) ---
  void TakeEventsAcked(const ::gatekeeper::v1::ControlOrder& order);
  void TakeRelease(const ::gatekeeper::v1::ControlOrder& order);
  void TakeRecall(const ::gatekeeper::v1::ControlOrder& order);
  void TakeAcknowledgement(const ::gatekeeper::v1::ControlOrder& order, base::Nanos now);
  void TakeStage(const ::gatekeeper::v1::ControlOrder& order, base::Nanos now);
  void Advance(base::Nanos now);
  bool LoadCandidate(base::Nanos now);  // true once it is warm and nobody else uses it
  void GoOn(base::Nanos now);
  void BeginTrial(base::Nanos now);
  void EndTrial(const std::string& reason, Verdict verdict);
  void Commit(base::Nanos now);
  void DropCandidate();
  void Refuse(const std::string& reason);
  void SetCandidate(::gatekeeper::v1::CandidateState state, const std::string& reason);

  // --- re-arm (control_rearm.cc) ---
  void TakeRearm(const ::gatekeeper::v1::ControlOrder& order, base::Nanos now);
  void KeepChallenge(base::Nanos now);
  void AttendDesk(base::Nanos now);
  std::optional<RearmDesk::Stop> WaitingStop() const;
  absl::Status Rearm(const std::vector<std::string>& approvals, base::Nanos now);
  absl::StatusOr<std::string> PermitOnce(const std::vector<std::string>& approvals,
                                         base::Nanos now);

  // --- units ---
  void OnChange(const UnitShelf::Change& change, base::Nanos now);
  void Install(base::Nanos now);
  std::shared_ptr<const Crew> UsableLastGood() const;
  void WantPointerUnits(base::Nanos now);
  void KeepNeededUnits();
  bool NamedByPointer(const std::string& digest) const;
  bool on_trial() const { return candidate_.state == ::gatekeeper::v1::CANDIDATE_ON_TRIAL; }
  void CheckLease(base::Nanos now);
  // Whether its model still runs on a frame that it was shown as a shadow.
  bool RunsLate(const std::string& digest) const;
  void FollowLateShadow(base::Nanos now);
  std::optional<runtime::Driver> DriverNow() const;

  // --- memory (control_memory.cc) ---
  void NoteLatch();
  void SaveLatch(base::Nanos now);
  bool WriteLatch(base::Nanos now);  // latch_ as it is; true: the disk has it
  void SaveWhatIsDue(base::Nanos now);
  absl::Status SavePointer(const ::gatekeeper::v1::Pointer& pointer);
  void Quarantine(const std::string& digest, const std::string& reason);

  // --- events (control_events.cc) ---
  void Tell(const std::string& kind, const std::string& digest, const std::string& detail,
            const Blame& blame = {});
  void NoteTick(const runtime::Tick& tick);
  void NoteStop(const runtime::Tick& tick);
  void TellEstop(const std::string& digest, Blame blame);
  void TellEstopAgain();
  Blame Blamed() const;

  const base::Clock& clock_;
  ControlRecords records_;
  EventRing events_;
  UnitShelf shelf_;
  RearmDesk desk_;
  runtime::Controller controller_;

  ::gatekeeper::v1::Pointer pointer_;  // as it shall be; records_ has it as it is on disk
  ::gatekeeper::v1::QuarantineRecord quarantine_;
  ::gatekeeper::v1::LatchRecord latch_;
  std::optional<runtime::LatchState> saved_latch_;  // nothing: the disk may hold another one
  bool pointer_due_ = false;
  bool quarantine_due_ = false;
  bool latch_trouble_told_ = false;  // that it cannot be written
  uint64_t estop_event_ = 0;         // its number, of the latched stop
  bool told_due_ = false;            // the agent keeps it, and the disk does not know
  base::Nanos save_again_at_{};
  base::Nanos latch_again_at_{};

  ::gatekeeper::v1::ControlOrder order_;  // the standing one
  uint64_t refused_acknowledgement_ = 0;  // by its order's number
  uint64_t rearm_seq_ = 0;                // of the last order with approvals
  std::string rearm_refused_;             // why the newest approvals permitted nothing
  std::string last_refusal_;
  Candidate candidate_;
  Lease lease_;
  base::Nanos commit_again_at_{};
  std::map<std::string, std::string> load_failures_;  // told, by digest

  std::shared_ptr<const Crew> active_;
  std::shared_ptr<const Crew> previous_;
  UnitCounters active_counters_;
  std::shared_ptr<ShadowSeat> seat_;
  bool shadow_out_ = false;
  std::weak_ptr<const Crew> late_;  // still runs on the frame whose deadline it missed
  base::Nanos shown_at_{};
  ShadowBudget shadow_budget_;

  const runtime::Tick* last_tick_ = nullptr;
  ModelTimes model_times_;
  ::gatekeeper::v1::Command command_;  // keeps its memory from tick to tick
  std::string last_state_;
  bool drove_ = false;          // since it was last at rest in a minimal risk condition
  std::vector<double> driven_;  // by the tick before the last
  uint64_t ticks_ = 0;
  uint64_t changes_ = 0;
  base::Nanos started_;
  Surroundings surroundings_;
};

}  // namespace agent::control
