#include "agent/control/control_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

constexpr Nanos kPeriodWithoutUnit = std::chrono::milliseconds(50);
// Periods without an answer, a second at 20 Hz: longer than any hiccup of a loaded computer.
constexpr int kHungAfterPeriods = 20;

runtime::LatchState StateOf(const v1::LatchRecord& record) {
  return {.latched = record.latched(),
          .awaiting_start = record.awaiting_start(),
          .cause = record.cause(),
          .probation = record.probation(),
          .held = {record.held().begin(), record.held().end()}};
}

std::string Short(const std::string& digest) {
  return digest.empty() ? "rules only" : digest.substr(0, 12);
}

using Drives = std::optional<runtime::Driver>;

// Which model a tick asks follows from the state before it, what is driven from the one after it.
Part PartOf(const Drives& before, const Drives& after) {
  if (!before || before == runtime::Driver::kPreviousUnit) return Part::kNone;
  if (after == runtime::Driver::kModel) return Part::kDrove;
  return before == runtime::Driver::kModel ? Part::kGaveUp : Part::kAsked;
}

}  // namespace

ControlCore::ControlCore(const std::string& state_folder, base::Files& files,
                         const base::Clock& clock, ModelSource& source)
    : clock_(clock),
      records_(files, state_folder + "/control"),
      events_(records_.pointer().generation()),
      shelf_(source, state_folder + "/slots"),
      desk_(files, state_folder),
      controller_(StateOf(records_.latch())),
      pointer_(records_.pointer()),
      quarantine_(records_.quarantine()),
      latch_(records_.latch()),
      saved_latch_(StateOf(latch_)),
      started_(clock.Now()) {
  Tell("started", pointer_.committed_digest(), "");
  for (const absl::Status& finding : records_.findings()) {
    Tell("state_damaged", "", std::string(finding.message()));
  }
  if (latch_.latched()) TellEstopAgain();
  if (pointer_.phase() == v1::ON_TRIAL) {
    // Whatever ended that life, the attempt stays burned.
    pointer_.set_phase(pointer_.committed_digest().empty() ? v1::EMPTY : v1::COMMITTED);
    pointer_due_ = true;
    Tell("trial_interrupted", pointer_.trial_digest(), "control was restarted during the trial");
  }
  if (!latch_.held().empty()) Tell("held", "", absl::StrJoin(latch_.held(), ", "));
  WantPointerUnits(started_);
  Poll(started_);
}

void ControlCore::Observe(const v1::Observation& observation, Nanos received) {
  controller_.Observe(observation, received);
}

void ControlCore::Observe(const ParsedObservation& parsed, Nanos received) {
  controller_.Observe(parsed.observation(), received);
  for (const ParsedObservation::Signal& signal : parsed.signals()) {
    controller_.ObserveSignal(signal.name, signal.value, signal.stamp_ns, received);
  }
}

const runtime::Tick& ControlCore::Tick(Nanos now) {
  CheckLease(now);
  Install(now);
  if (last_tick_ != nullptr) driven_ = last_tick_->enforced;
  const Drives before = DriverNow();
  const runtime::Tick& tick = controller_.Step(now);
  model_times_ = {};
  for (const auto* crew : {active_.get(), previous_.get()}) {
    if (crew == nullptr || crew->model == nullptr) continue;
    if (const ModelTimes times = crew->model->TakeTimes(); times.ran) model_times_ = times;
  }
  last_tick_ = &tick;
  ++ticks_;
  active_counters_.Count(tick, PartOf(before, DriverNow()));
  shadow_budget_.NoteTick(tick, controller_.board(),
                          active_ ? active_->pilot.rules->policy.deadline().hard : Nanos::max());
  NoteTick(tick);
  // Before the unit at fault is put away: the stop is told as its own.
  if (controller_.latch() != saved_latch_) NoteLatch();
  if (on_trial() && tick.model_fault) {
    EndTrial(absl::StrFormat(
                 "fault of the model in state %s: %s", tick.state,
                 absl::StrJoin(tick.triggers, ", ",
                               [](std::string* out, std::string_view name) { out->append(name); })),
             Verdict::kQuarantine);
    Install(now);
  } else if (active_ && active_counters_.Hangs(now, kHungAfterPeriods * period())) {
    shelf_.GiveUpOn(active_->pilot.digest);
  }
  return tick;
}

// Who drives in the present state; nobody without a unit.
std::optional<runtime::Driver> ControlCore::DriverNow() const {
  if (!active_) return std::nullopt;
  return active_->pilot.rules->fallback.states()[controller_.fallback().state].driver;
}

const v1::Command& ControlCore::CommandFor(uint64_t seq) {
  if (last_tick_ != nullptr) {
    runtime::WriteCommand(*last_tick_, seq, last_tick_->now.count(), command_);
  } else {
    command_.set_seq(seq);
    command_.set_stop(true);
  }
  return command_;
}

void ControlCore::LoseAgent(Nanos now) { controller_.SetLink(false, now); }

void ControlCore::SetSurroundings(const Surroundings& surroundings) {
  if (surroundings == surroundings_) return;
  surroundings_ = surroundings;
  ++changes_;
}

void ControlCore::Poll(Nanos now) {
  Remember(now);
  FollowLateShadow(now);
  while (const std::optional<UnitShelf::Change> change = shelf_.Poll(now)) OnChange(*change, now);
  CheckLease(now);
  Advance(now);
  WantPointerUnits(now);
  Install(now);
  AttendDesk(now);
  KeepNeededUnits();
  SaveWhatIsDue(now);
}

// --- units -----------------------------------------------------------------------------------

bool ControlCore::NamedByPointer(const std::string& digest) const {
  return digest == pointer_.committed_digest() || digest == pointer_.last_good_digest();
}

void ControlCore::WantPointerUnits(Nanos now) {
  for (const std::string* digest : {&pointer_.committed_digest(), &pointer_.last_good_digest()}) {
    if (!digest->empty()) shelf_.Want(*digest, UnitShelf::Retry::kUntilGone, now);
  }
}

void ControlCore::KeepNeededUnits() {
  shelf_.KeepOnly({&pointer_.committed_digest(), &pointer_.last_good_digest(), &candidate_.digest});
}

void ControlCore::OnChange(const UnitShelf::Change& change, Nanos now) {
  const std::string why(change.reason.message());
  if (change.state == UnitShelf::State::kReady) {
    load_failures_.erase(change.digest);
    Tell("unit_warm", change.digest, change.note);
    return;
  }
  const bool lost = change.state == UnitShelf::State::kLost;
  // A unit that cannot be loaded is tried again and again, but told once a reason.
  if (lost || std::exchange(load_failures_[change.digest], why) != why) {
    Tell(lost ? "worker_lost" : "load_failed", change.digest, why);
  }
  if (change.digest != candidate_.digest || candidate_.state == v1::CANDIDATE_COMMITTED) return;
  if (on_trial()) {
    EndTrial("its worker was lost: " + why, Verdict::kQuarantine);
    Install(now);
  } else if (candidate_.state == v1::CANDIDATE_SHADOWING && lost) {
    Quarantine(change.digest, "its worker was lost while shadowing: " + why);
    Refuse("its worker was lost while shadowing: " + why);
  } else if (candidate_.state != v1::CANDIDATE_FAILED && !(lost && NamedByPointer(change.digest))) {
    Refuse(why);
  }
}

// Null as well when it has become unbelievable, or is lent to the shadow: a model serves one
// thread.
std::shared_ptr<const Crew> ControlCore::UsableLastGood() const {
  const std::string& digest = pointer_.last_good_digest();
  const bool lent =
      RunsLate(digest) ||
      (candidate_.digest == digest && (candidate_.state == v1::CANDIDATE_SHADOWING || shadow_out_));
  const bool refused = IsQuarantined(quarantine_, digest) || IsRecalled(quarantine_, digest);
  return lent || refused ? nullptr : shelf_.crew(digest);
}

// The one place where the Controller learns who drives.
void ControlCore::Install(Nanos now) {
  const std::shared_ptr<const Crew> committed = shelf_.crew(pointer_.committed_digest());
  const std::shared_ptr<const Crew> last_good = UsableLastGood();
  std::shared_ptr<const Crew> active = committed;
  std::shared_ptr<const Crew> previous = last_good;
  if (on_trial()) {
    active = shelf_.crew(candidate_.digest);
    previous = committed;
  } else if (shelf_.state(pointer_.committed_digest()) == UnitShelf::State::kFailed && last_good &&
             shelf_.state(pointer_.last_good_digest()) != UnitShelf::State::kFailed) {
    active = last_good;
    previous = nullptr;
  }
  if (previous && previous->pilot.model == nullptr) previous = nullptr;
  if (active == active_ && previous == previous_) return;
  const std::string before = active_ ? active_->pilot.digest : "";
  const std::string after = active ? active->pilot.digest : "";
  controller_.SwapTo(active ? &active->pilot : nullptr, previous ? &previous->pilot : nullptr, now);
  if (active != active_) active_counters_.EndRow();
  active_ = std::move(active);  // the crews used until here may go now
  previous_ = std::move(previous);
  const std::string standing_by = previous_ ? previous_->pilot.digest : "";
  shelf_.SetDriving({&after, &standing_by});
  if (before == after) return;
  active_counters_ = UnitCounters();
  Tell("swapped", after, absl::StrFormat("%s -> %s", Short(before), Short(after)));
}

Nanos ControlCore::period() const {
  return active_ ? active_->pilot.rules->policy.command().period : kPeriodWithoutUnit;
}

// --- shadow ----------------------------------------------------------------------------------

bool ControlCore::TakeShadow(ShadowFrame& frame) {
  if (candidate_.state != v1::CANDIDATE_SHADOWING || last_tick_ == nullptr) return false;
  const std::shared_ptr<const Crew> crew = shelf_.crew(candidate_.digest);
  if (!crew) return false;
  if (shadow_out_ || !late_.expired() || !shadow_budget_.Allows()) {
    candidate_.counters.CountShed();
    return false;
  }
  if (!seat_ || seat_->crew != crew) seat_ = std::make_shared<ShadowSeat>(crew);
  shadow_out_ = true;
  // Misses that lie so far apart, because it was shed between, are no row of misses.
  if (last_tick_->now - shown_at_ >= kHungAfterPeriods * period()) candidate_.counters.EndRow();
  shown_at_ = last_tick_->now;
  frame.seat = seat_;
  frame.board = controller_.board();
  frame.driven = driven_;
  frame.command = last_tick_->enforced;
  frame.now = last_tick_->now;
  return true;
}

void ControlCore::AcceptShadow(const ShadowResult& result, Nanos now) {
  shadow_out_ = false;
  shadow_budget_.NoteRun(shown_at_, result.tick.infer);
  if (result.tick.deadline_missed) late_ = result.seat->crew;
  if (result.seat == seat_ && candidate_.state == v1::CANDIDATE_SHADOWING) {
    candidate_.counters.CountShadow(result.tick, result.disagrees, now);
    if (candidate_.counters.Hangs(now, kHungAfterPeriods * period())) {
      shelf_.GiveUpOn(candidate_.digest);
    }
  }
  Poll(now);
}

bool ControlCore::RunsLate(const std::string& digest) const {
  const std::shared_ptr<const Crew> late = late_.lock();
  return late && late->pilot.digest == digest;
}

// What a model does after its deadline is the computer's time too, whoever the candidate is by
// then.
void ControlCore::FollowLateShadow(Nanos now) {
  const std::shared_ptr<const Crew> late = late_.lock();
  if (!late) return late_.reset();
  shadow_budget_.NoteRun(shown_at_, now - shown_at_);
  if (!late->model->busy()) {
    late_.reset();
  } else if (now - shown_at_ >= kHungAfterPeriods * period()) {
    shelf_.GiveUpOn(late->pilot.digest);
  }
}

// --- report ----------------------------------------------------------------------------------

v1::ControlReport ControlCore::Report(Nanos now) const {
  v1::ControlReport report;
  report.set_order_seq(order_.seq());
  *report.mutable_pointer() = pointer_;
  if (last_tick_ != nullptr) {
    report.set_running_digest(last_tick_->digest);
    report.set_fallback_state(last_tick_->state);
    for (const std::string_view trigger : last_tick_->triggers) {
      report.add_triggers(std::string(trigger));
    }
  }
  report.set_latched(controller_.latch().latched);
  if (const v1::RearmChallenge* challenge = desk_.challenge()) {
    *report.mutable_rearm() = *challenge;
    report.mutable_rearm()->set_since_uptime_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(desk_.made_at() - started_).count());
  }
  if (report.latched()) report.set_rearm_refused(rearm_refused_);
  *report.mutable_active() = active_counters_.Health();
  report.set_candidate_digest(candidate_.digest);
  report.set_candidate_state(candidate_.state);
  report.set_candidate_reason(candidate_.reason);
  const bool drives = active_ && active_->pilot.digest == candidate_.digest;
  *report.mutable_candidate() = (drives ? active_counters_ : candidate_.counters).Health();
  *report.mutable_quarantine() = quarantine_.units();
  report.set_ticks(ticks_);
  report.set_robot_connected(surroundings_.robot_connected);
  report.set_realtime(surroundings_.realtime);
  report.set_recorder_dropped(surroundings_.recorder_dropped);
  report.set_uptime_ms(
      std::chrono::duration_cast<std::chrono::milliseconds>(now - started_).count());
  for (const v1::ControlEvent& event : events_.pending()) *report.add_events() = event;
  return report;
}

}  // namespace agent::control
