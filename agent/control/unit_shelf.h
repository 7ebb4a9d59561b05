#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/control/model_source.h"

namespace agent::control {

// The units that are loaded and warm here, or on their way: committed, last-good and candidate.
// Loads through the ModelSource; one that failed or lost its worker is tried again with back-off
// for as long as it is wanted that way. No threads, time as argument.
class UnitShelf {
 public:
  // `source` must outlive this. Units are taken from `slots_folder`/<digest>.
  UnitShelf(ModelSource& source, std::string slots_folder)
      : source_(source), slots_(std::move(slots_folder)) {}

  enum class Retry {
    kNever,      // a candidate: its failure is an answer
    kUntilGone,  // what the pointer names: there is nothing better to wait for
  };
  // Lost: its worker ended, and what becomes of the next one is not known yet. Failed: the last
  // attempt to load it did, whether it ran before or not.
  enum class State { kAbsent, kLoading, kReady, kLost, kFailed };

  // Starts loading unless it is here or on its way.
  void Want(const std::string& digest, Retry retry, base::Nanos now);
  // Takes every other unit off the shelf.
  void KeepOnly(std::initializer_list<const std::string*> digests);
  // Lets a failed unit be tried afresh by the next Want.
  void Forget(const std::string& digest) { units_.erase(digest); }

  State state(const std::string& digest) const;
  absl::Status reason(const std::string& digest) const;  // why kLost or kFailed
  // Null until it is loaded. A unit that was lost keeps its rules in a crew without a model, so
  // that they rule its fallback until the next crew is there.
  std::shared_ptr<const Crew> crew(const std::string& digest) const;

  // Something that happened to one unit.
  struct Change {
    std::string digest;
    State state;  // kReady, kLost or kFailed
    absl::Status reason;
    std::string note{};  // of kReady: SourceNews::note
  };
  // Takes in the source's news and starts loads that are due. Call until it returns nothing.
  std::optional<Change> Poll(base::Nanos now);

  // These drive, or stand by for the fallback; all others are beside.
  void SetDriving(std::initializer_list<const std::string*> digests);

  // Its model missed so many deadlines in a row that it will not come back: end it. Repeats are
  // harmless.
  void GiveUpOn(const std::string& digest);

 private:
  struct Unit {
    State state = State::kLoading;
    Retry retry = Retry::kNever;
    uint64_t ticket = 0;
    uint32_t failures = 0;  // since it last ran well
    base::Nanos ready_at{};
    base::Nanos retry_at{};
    bool given_up = false;
    Urgency urgency = Urgency::kBeside;
    absl::Status reason;
    std::shared_ptr<const Crew> crew;
  };
  void Request(const std::string& digest, Unit& unit);
  static Change TakeIn(const std::string& digest, Unit& unit, SourceNews news, base::Nanos now);

  ModelSource& source_;
  std::string slots_;
  std::map<std::string, Unit> units_;
};

}  // namespace agent::control
