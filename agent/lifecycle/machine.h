#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/lifecycle/state.h"
#include "proto/control.pb.h"
#include "proto/fleet.pb.h"

namespace agent::lifecycle {

// The lifecycle of a unit on a robot as pure functions. The agent saves the new state and its notes
// in one transaction before anything else happens; what follows from a state (TaskOf, OrderOf) is a
// function of the state, so it is the same after a restart, and may be done twice.

// --- What can happen ---

// Answers to Offered.
struct NotHere {};
struct SlotHere {
  enum class As {
    kSlot,          // control has nothing to do with it yet
    kCommitted,     // the committed unit, though a stop holds the robot just now
    kOtherOnTrial,  // the committed unit, while another one is on trial
    kRunning,       // committed and driving the robot
  };
  As as = As::kSlot;
};
// Ends of tasks.
struct PapersVerified {};
struct SpaceFound {};
struct FilesHere {};
struct SlotBuilt {};
// A task or a check says that this unit can not go on; asking again would not change that.
struct Rejected {
  std::string reason;
};
// What control reports of the wanted unit, after it acted on our newest order.
struct ControlSaid {
  enum class Candidate { kNone, kLoading, kReady, kShadowing, kOnTrial, kCommitted, kFailed };
  Candidate candidate = Candidate::kNone;  // kNone also when control's candidate is another unit
  bool is_committed = false;               // the pointer names it as the committed unit ...
  bool on_trial = false;                   // ... though one is on trial just now
  bool is_running = false;                 // it made the last command
  bool other_running = false;              // another unit did
  std::string reason = {};                 // why the candidate is where it is

  // The only proof of success.
  bool settled() const { return is_committed && !on_trial && is_running; }
};
// No unit at all has driven for so long that it is not a stop that will clear by itself.
struct RulesOnly {};

using Event = std::variant<NotHere, SlotHere, PapersVerified, SpaceFound, FilesHere, SlotBuilt,
                           Rejected, ControlSaid, RulesOnly>;
std::string_view NameOf(const Event& event);

// `report` as news about the unit `digest`.
ControlSaid ReadReport(const gatekeeper::v1::ControlReport& report, const std::string& digest);

// Nothing further is tried for this directive; a newer one begins again.
bool HasEnded(const State& state);

// --- What follows ---

// Goes to the gatekeeper as a RobotEvent about the wanted unit.
struct Note {
  std::string kind;  // "staged", "trial_started", ...
  std::string detail;
};

struct Next {
  State state;
  std::vector<Note> notes;
};

// `desired` is what is wanted now.
Next Step(const State& state, const gatekeeper::v1::DesiredState& desired, const Event& event);
// Takes in a directive that was found to be newer.
Next Take(const Lifecycle& now, const gatekeeper::v1::DesiredState& desired);

// Slow work, done by a Porter on a thread of its own. A state may wait for one of the first four.
enum class TaskKind { kGetPapers, kFindSpace, kFetchFiles, kBuildSlot, kCollectGarbage };
std::optional<TaskKind> TaskOf(const State& state);

inline constexpr uint32_t kDefaultLeaseMs = 10'000;  // for directives that name none

// What control shall do now; absent while it must not be told anything (on trial, with the lease
// about to run out because the gatekeeper has not been heard). `lease_left_ms` counts from the
// gatekeeper's last word, so a lease never outlives the link by more than itself. Without seq and
// flags of the link.
std::optional<gatekeeper::v1::ControlOrder> OrderOf(const State& state,
                                                    const gatekeeper::v1::DesiredState& desired,
                                                    uint32_t lease_left_ms);

// What stands on disk, whatever the journal says.
struct OnDisk {
  bool papers = false;
  bool slot = false;
};
// Where to go on after a restart: in the same state, unless the disk no longer holds what it builds
// on.
State Recover(const State& journalled, OnDisk here);

}  // namespace agent::lifecycle
