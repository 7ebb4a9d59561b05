// The half of Agent that speaks: orders to control, reports and events to the gatekeeper.
#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/lifecycle/agent.h"
#include "spdlog/spdlog.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;
using std::chrono::milliseconds;

constexpr Nanos kOrderEvery = std::chrono::seconds(1);
// Control reports several times a second; silent this long, it hangs.
constexpr Nanos kControlSilent = std::chrono::seconds(5);
// A stop after a rolled-back trial ends within the fallback rules' seconds; this is longer than
// those in policies/, so what still stands then is no stop.
constexpr Nanos kRulesOnlyStands = std::chrono::seconds(5);
constexpr int kBeatsPerLease = 3;  // two may be lost

}  // namespace

void Agent::OnLinkOpen(Nanos now) {
  link_open_ = true;
  events_.OnLinkOpen();
  shown_.clear();
  if (!waits_for_.empty()) task_due_ = now;  // what failed for want of a link may be tried at once
}

void Agent::OnLinkClosed() { link_open_ = false; }

void Agent::OnControlOpen() {
  control_open_ = true;
  events_acked_ = 0;
  orders_.OnControlOpen();
}

void Agent::OnControlClosed() {
  control_open_ = false;
  report_.reset();
  rules_only_since_.reset();
  acknowledge_ = false;
  approvals_.clear();
}

Nanos Agent::Poll(Nanos now) {
  RetryUnsaved(now);
  WatchControl(now);
  SayOrder(now);
  if (link_open_) {
    IsFine(events_.Forward());
    Report(now);
  }
  Nanos next = now + Beat();
  if (link_open_) next = std::min(next, report_due_);
  if (TaskOf(lifecycle_.state) && !task_out_ && task_due_ > now) next = std::min(next, task_due_);
  return next;
}

void Agent::RetryUnsaved(Nanos now) {
  if (unsaved_directive_) {
    const v1::DesiredState again = *unsaved_directive_;
    return TakeIn(again, now);
  }
  std::deque<Event> events = std::exchange(unsaved_events_, {});
  for (const Event& event : events) Happen(event, now);
}

void Agent::WatchControl(Nanos now) {
  if (report_ && now - report_at_ > kControlSilent) {
    spdlog::warn("gatekeeper-control is silent");
    report_.reset();
  }
  if (rules_only_since_ && now - *rules_only_since_ >= kRulesOnlyStands) Happen(RulesOnly{}, now);
}

void Agent::SayOrder(Nanos now) {
  if (!control_open_) return;
  std::optional<v1::ControlOrder> order =
      OrderOf(lifecycle_.state, lifecycle_.desired, LeaseLeftMs(now));
  if (!order) return;
  order->set_acknowledge(std::exchange(acknowledge_, false));
  for (std::string& approval : std::exchange(approvals_, {})) {
    order->add_rearm_approvals(std::move(approval));
  }
  orders_.Say(*std::move(order),
              {.link_up = link_open_, .events_acked = events_acked_, .recall = recall_},
              std::min(kOrderEvery, Beat()), now);
}

void Agent::Report(Nanos now) {
  v1::ObservedState observed = Observed();
  v1::ObservedState lasting = observed;  // without what changes with every tick
  lasting.clear_wall_ms();
  if (lasting.has_control()) {
    v1::ControlReport& control = *lasting.mutable_control();
    control.clear_active();
    control.clear_candidate();
    control.clear_ticks();
    control.clear_uptime_ms();
    control.clear_order_seq();
  }
  const std::string shows = lasting.SerializeAsString();
  if (shows == shown_ && now < report_due_) return;
  v1::AgentMessage message;
  *message.mutable_observed() = std::move(observed);
  if (!around_.gatekeeper.Send(message).ok()) return;  // the link says soon that it is closed
  shown_ = shows;
  report_due_ = now + std::min(options_.report_every, Beat());
}

v1::ObservedState Agent::Observed() const {
  v1::ObservedState observed;
  observed.set_generation(lifecycle_.desired.generation());
  observed.set_lifecycle(ReportedAs(lifecycle_.state));
  observed.set_candidate_digest(lifecycle_.desired.unit_digest());
  std::string reason = ReasonOf(lifecycle_.state);
  if (unsaved_directive_ || !unsaved_events_.empty()) reason = trouble_said_;
  if (reason.empty()) reason = waits_for_;
  if (reason.empty() && !report_) reason = "gatekeeper-control does not answer";
  observed.set_reason(reason);
  if (report_) *observed.mutable_control() = *report_;
  observed.set_agent_version(options_.version);
  observed.set_wall_ms(around_.clock.WallMs());
  return observed;
}

Nanos Agent::Lease() const {
  const uint32_t named = lifecycle_.desired.lease_ms();
  return milliseconds(named > 0 ? named : kDefaultLeaseMs);
}

Nanos Agent::Beat() const {
  const bool trial = std::holds_alternative<Armed>(lifecycle_.state) ||
                     std::holds_alternative<Trying>(lifecycle_.state);
  return trial ? std::min(kOrderEvery, Lease() / kBeatsPerLease) : kOrderEvery;
}

uint32_t Agent::LeaseLeftMs(Nanos now) const {
  if (!contact_) return 0;
  const Nanos left = *contact_ + Lease() - now;
  return left > Nanos{} ? static_cast<uint32_t>(left / milliseconds(1)) : 0;
}

}  // namespace agent::lifecycle
