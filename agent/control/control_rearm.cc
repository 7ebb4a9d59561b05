// How ControlCore lets an emergency stop end: by people's approvals, once, written down before it
// counts.

#include <iterator>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/control/control_core.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

// Without a unit there are no rules to read roles from.
constexpr const char* kRolesWithoutUnit[] = {"local_operator", "safety_officer"};
constexpr Nanos kTtlWithoutUnit = std::chrono::minutes(10);

}  // namespace

// Nothing while the robot still brakes, when a write would hold up its ticks, while the disk does
// not know of the stop, and while the unit that says whom to ask is being loaded.
std::optional<RearmDesk::Stop> ControlCore::WaitingStop() const {
  if (!controller_.latch().latched || saved_latch_ != controller_.latch()) return std::nullopt;
  if (last_tick_ == nullptr || !last_tick_->stop) return std::nullopt;
  if (active_) {
    const runtime::Fallback& fallback = active_->pilot.rules->fallback;
    return RearmDesk::Stop{.incident = latch_.incident(),
                           .unit = active_->pilot.digest,
                           .roles = fallback.rearm_roles(),
                           .ttl = fallback.rearm_ttl()};
  }
  const std::string& committed = pointer_.committed_digest();
  if (!committed.empty() && shelf_.state(committed) != UnitShelf::State::kFailed) {
    return std::nullopt;
  }
  return RearmDesk::Stop{.incident = latch_.incident(),
                         .unit = committed,
                         .roles = {std::begin(kRolesWithoutUnit), std::end(kRolesWithoutUnit)},
                         .ttl = kTtlWithoutUnit};
}

void ControlCore::KeepChallenge(Nanos now) {
  const std::optional<RearmDesk::Stop> stop = WaitingStop();
  if (!(stop ? desk_.Open(*stop, now) : desk_.Close())) return;
  rearm_refused_.clear();
  ++changes_;
}

void ControlCore::AttendDesk(Nanos now) {
  KeepChallenge(now);
  if (const auto carried = desk_.TakeCarried(now)) {
    desk_.Answer(Rearm(*carried, now));
  }
  if (const absl::Status trouble = desk_.TakeTrouble(); !trouble.ok()) {
    Tell("rearm_folder", "", std::string(trouble.message()));
  }
}

void ControlCore::TakeRearm(const v1::ControlOrder& order, Nanos now) {
  if (order.rearm_approvals().empty() || order.seq() == rearm_seq_) return;
  rearm_seq_ = order.seq();
  KeepChallenge(now);  // by this moment, not by the last Poll's
  // What came of it is told by Rearm, to whoever reads events and reports.
  Rearm({order.rearm_approvals().begin(), order.rearm_approvals().end()}, now).IgnoreError();
}

absl::Status ControlCore::Rearm(const std::vector<std::string>& approvals, Nanos now) {
  const std::string incident = latch_.incident();
  const absl::StatusOr<std::string> people = PermitOnce(approvals, now);
  rearm_refused_ = std::string(people.status().message());
  Tell(people.ok() ? "rearmed" : "rearm_refused", "",
       people.ok() ? absl::StrFormat("incident %s, approved by %s", incident, *people)
                   : rearm_refused_);
  return people.status();
}

// The disk knows of the permission, and the nonce is gone, before the controller hears of it: a
// power cut in between leaves a robot that awaits its start, and no approval that works again.
absl::StatusOr<std::string> ControlCore::PermitOnce(const std::vector<std::string>& approvals,
                                                    Nanos now) {
  ASSIGN_OR_RETURN(std::string people, desk_.Judge(approvals));
  RETURN_IF_ERROR(controller_.MayRearm(now));
  desk_.Close();
  saved_latch_.reset();
  v1::LatchRecord rearmed = latch_;
  rearmed.set_latched(false);
  rearmed.set_awaiting_start(true);
  rearmed.set_probation(true);
  rearmed.clear_cause();
  rearmed.clear_incident();
  rearmed.clear_held();
  RETURN_IF_ERROR(records_.SaveLatch(rearmed));
  RETURN_IF_ERROR(controller_.Rearm(now));
  latch_ = rearmed;
  saved_latch_ = controller_.latch();
  return people;
}

}  // namespace agent::control
