#include "agent/control/unit_counters.h"

#include <algorithm>
#include <cmath>

namespace agent::control {

void UnitCounters::CountRun(const RunSeen& run, base::Nanos now) {
  if (run.missed) {
    if (misses_in_a_row_++ == 0) first_miss_ = now;
  } else if (run.answered) {
    misses_in_a_row_ = 0;
  }
  if (run.took.count() > 0) latency_.Add(run.took);
}

void UnitCounters::Count(const runtime::Tick& tick, Part part) {
  if (tick.model_fault && !faulty_) {
    totals_.set_fallback_episodes(totals_.fallback_episodes() + 1);
  }
  faulty_ = tick.model_fault;
  if (part == Part::kNone) return;
  const bool answered = !tick.raw.empty();
  CountRun({tick.deadline_missed, answered, tick.infer}, tick.now);
  if (tick.nonfinite) totals_.set_nonfinite(totals_.nonfinite() + 1);
  if (part == Part::kAsked) return;
  // A miss may be what took the wheel away; while the robot stands it would be held against the few
  // ticks that were driven.
  if (tick.deadline_missed) totals_.set_deadline_misses(totals_.deadline_misses() + 1);
  const bool ran = answered || tick.deadline_missed || tick.nonfinite;
  if (part == Part::kDrove && ran) totals_.set_ticks(totals_.ticks() + 1);
  if (tick.clamped) totals_.set_clamped(totals_.clamped() + 1);
}

void UnitCounters::CountShadow(const runtime::ShadowTick& tick, bool disagrees, base::Nanos now) {
  if (!tick.ran) return;
  totals_.set_ticks(totals_.ticks() + 1);
  CountRun({tick.deadline_missed, !tick.raw.empty(), tick.infer}, now);
  if (tick.deadline_missed) totals_.set_deadline_misses(totals_.deadline_misses() + 1);
  if (tick.clamped) totals_.set_clamped(totals_.clamped() + 1);
  if (tick.nonfinite) totals_.set_nonfinite(totals_.nonfinite() + 1);
  if (disagrees) totals_.set_disagreements(totals_.disagreements() + 1);
}

::gatekeeper::v1::UnitHealth UnitCounters::Health() const {
  ::gatekeeper::v1::UnitHealth health = totals_;
  health.set_infer_p50_us(latency_.QuantileUs(0.50));
  health.set_infer_p99_us(latency_.QuantileUs(0.99));
  return health;
}

bool Disagree(std::span<const double> a, std::span<const double> b) {
  // 5 cm/s, 0.05 rad/s or 0.05 rad is below what odometry of a small robot resolves in one tick;
  // a tenth keeps fast commands from counting noise.
  constexpr double kAbsolute = 0.05;
  constexpr double kRelative = 0.1;
  if (a.size() != b.size()) return true;
  for (size_t i = 0; i < a.size(); ++i) {
    const double allowed = kAbsolute + kRelative * std::max(std::abs(a[i]), std::abs(b[i]));
    if (!(std::abs(a[i] - b[i]) <= allowed)) return true;
  }
  return false;
}

}  // namespace agent::control
