#pragma once

#include <span>

#include "agent/control/latency_histogram.h"
#include "agent/runtime/shadow_run.h"
#include "agent/runtime/tick.h"
#include "proto/control.pb.h"

namespace agent::control {

// What the active unit's model had to do with a tick.
enum class Part {
  kNone,    // not asked: there is none, or the previous unit's drove in its place
  kAsked,   // asked, while the robot stopped or stood
  kGaveUp,  // lost the wheel in this tick
  kDrove,   // at the wheel
};

// What a unit did since it entered its present stage. Evidence is what it drove, or would have
// driven in the shadow: a robot that stands shows nothing, so its ticks do not count.
class UnitCounters {
 public:
  void Count(const runtime::Tick& tick, Part part);
  // A tick of a candidate that did not drive; `disagrees`: see Disagree.
  void CountShadow(const runtime::ShadowTick& tick, bool disagrees, base::Nanos now);
  // A tick that a shadow was not shown, see ShadowBudget.
  void CountShed() { totals_.set_shed(totals_.shed() + 1); }
  ::gatekeeper::v1::UnitHealth Health() const;

  // No answer for so long that none is to be expected: more than one miss in a row, the first of
  // them `patience` ago. Ticks in which the model was not asked end no row.
  bool Hangs(base::Nanos now, base::Nanos patience) const {
    return misses_in_a_row_ > 1 && now - first_miss_ >= patience;
  }
  // Another worker has taken the model's place: the misses before it are not its own.
  void EndRow() { misses_in_a_row_ = 0; }

 private:
  struct RunSeen {
    bool missed;
    bool answered;
    base::Nanos took;
  };
  void CountRun(const RunSeen& run, base::Nanos now);

  ::gatekeeper::v1::UnitHealth totals_;
  LatencyHistogram latency_;
  uint32_t misses_in_a_row_ = 0;
  base::Nanos first_miss_{};
  bool faulty_ = false;
};

// Do two commands differ by more than a person watching the robot would notice? Either being absent
// is a difference, both being absent is none.
bool Disagree(std::span<const double> a, std::span<const double> b);

}  // namespace agent::control
