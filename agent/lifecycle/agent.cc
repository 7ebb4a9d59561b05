#include "agent/lifecycle/agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/digest.h"
#include "agent/base/status_macros.h"
#include "agent/trust/rearm_approval.h"
#include "spdlog/spdlog.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr Nanos kFirstWait = std::chrono::milliseconds(500);  // before a task is tried again
constexpr Nanos kLongestWait = std::chrono::seconds(10);
// Committed, last-good and one on trial, each with a reason; an order must fit its packet.
constexpr size_t kMaxRecallBytes = 8192;

std::string UnitText(const v1::DesiredState& desired) {
  if (desired.unit_digest().empty()) return "no unit";
  return absl::StrFormat("%s@%s (%s)", desired.unit_name(), desired.unit_version(),
                         desired.unit_digest().substr(0, 12));
}

// What can never be carried out, whatever this robot holds. The digest becomes a path.
absl::Status CheckDirective(const v1::DesiredState& desired) {
  if (desired.unit_digest().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(base::Digest::Parse(desired.unit_digest()).status());
  if (desired.stage() >= v1::STAGE_IDLE && desired.stage() <= v1::STAGE_COMMIT) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("the directive wants stage %d, which this agent (too old?) does not know",
                      static_cast<int>(desired.stage())));
}

Event EventOf(TaskKind kind) {
  switch (kind) {
    case TaskKind::kGetPapers:
      return PapersVerified{};
    case TaskKind::kFindSpace:
      return SpaceFound{};
    case TaskKind::kFetchFiles:
      return FilesHere{};
    default:
      return SlotBuilt{};
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(const Surroundings& around,
                                                    AgentOptions options, Nanos now) {
  ASSIGN_OR_RETURN(Lifecycle lifecycle, around.journal.Load());
  lifecycle.state = Recover(lifecycle.state, around.store.Holds(lifecycle.desired.unit_digest()));
  spdlog::info("goes on: generation {}, {}, {}", lifecycle.desired.generation(),
               UnitText(lifecycle.desired), NameOf(lifecycle.state));
  std::unique_ptr<Agent> agent(new Agent(around, std::move(options), std::move(lifecycle)));
  if (std::holds_alternative<Offered>(agent->lifecycle_.state)) {
    agent->Happen(agent->Admission(), now);
  }
  return agent;
}

Agent::Agent(const Surroundings& around, AgentOptions options, Lifecycle lifecycle)
    : around_(around),
      options_(std::move(options)),
      lifecycle_(std::move(lifecycle)),
      events_(around.journal, around.gatekeeper),
      orders_(around.control, around.journal.life()) {}

void Agent::OnServer(const v1::ServerMessage& message, Nanos now) {
  contact_ = now;
  switch (message.message_case()) {
    case v1::ServerMessage::kDesired:
      OnDirective(message.desired(), now);
      break;
    case v1::ServerMessage::kEventAck:
      IsFine(events_.OnAck(message.event_ack().id()));
      break;
    case v1::ServerMessage::kAcknowledge:
      acknowledge_ = control_open_;
      NoteNow({control_open_ ? "acknowledgement_passed_on" : "acknowledgement_dropped",
               absl::StrFormat("%s: %s", message.acknowledge().actor(),
                               message.acknowledge().reason())},
              "");
      break;
    case v1::ServerMessage::kRearm:
      TakeApprovals(message.rearm());
      break;
    case v1::ServerMessage::kRecall:
      TakeRecall(message.recall());
      break;
    default:
      break;  // a heartbeat, or what a newer gatekeeper says: contact is all it is to us
  }
}

// Control alone judges them; what could never be read there is not sent there.
void Agent::TakeApprovals(const v1::Rearm& rearm) {
  const bool readable = rearm.approvals_size() <= static_cast<int>(trust::kMaxApprovals) &&
                        std::ranges::all_of(rearm.approvals(), [](const std::string& approval) {
                          return approval.size() <= trust::kMaxApprovalBytes;
                        });
  const bool passed_on = readable && control_open_;
  if (passed_on) approvals_.assign(rearm.approvals().begin(), rearm.approvals().end());
  NoteNow({passed_on ? "rearm_passed_on" : "rearm_dropped", rearm.reason()}, "");
}

void Agent::TakeRecall(const v1::Recall& recall) {
  if (recall.ByteSizeLong() <= kMaxRecallBytes) {
    recall_ = recall;
  } else {
    NoteNow({"recall_dropped", "longer than any this robot could have units for"}, "");
  }
}

void Agent::OnDirective(const v1::DesiredState& desired, Nanos now) {
  const v1::DesiredState& known = lifecycle_.desired;
  if (desired.generation() > known.generation()) return TakeIn(desired, now);
  const bool repeat = desired.SerializeAsString() == known.SerializeAsString();
  if (repeat || desired.generation() == stale_noted_) return;
  stale_noted_ = desired.generation();
  spdlog::warn("refused a stale directive: generation {}, known is {}", desired.generation(),
               known.generation());
  NoteNow({"stale_directive",
           absl::StrFormat("generation %d for %s was refused: this robot knows generation %d",
                           desired.generation(), UnitText(desired), known.generation())},
          desired.unit_digest());
}

void Agent::TakeIn(const v1::DesiredState& desired, Nanos now) {
  Next next = Take(lifecycle_, desired);
  if (const absl::Status sound = CheckDirective(desired); !sound.ok()) {
    const std::string reason(sound.message());
    next = {Refused{reason}, {Note{"unit_refused", reason}}};
  }
  unsaved_events_.clear();  // they spoke of what was wanted before
  absl::Status saved = absl::OkStatus();
  if (desired.release_quarantine()) {
    saved = around_.journal.ReleaseQuarantine(desired.unit_digest());
  }
  if (saved.ok()) saved = Enter({desired, next.state}, next.notes, now);
  unsaved_directive_.reset();
  if (!IsFine(saved)) unsaved_directive_ = desired;
}

void Agent::Happen(const Event& event, Nanos now) {
  const Next next = Step(lifecycle_.state, lifecycle_.desired, event);
  if (next.notes.empty() && next.state.index() == lifecycle_.state.index()) return;
  if (IsFine(Enter({lifecycle_.desired, next.state}, next.notes, now))) return;
  // Reports come again by themselves; the end of a task does not.
  if (!std::holds_alternative<ControlSaid>(event)) unsaved_events_.push_back(event);
}

// Persist before acting: everything that follows from a state follows from the saved one.
absl::Status Agent::Enter(Lifecycle next, const std::vector<Note>& notes, Nanos now) {
  RETURN_IF_ERROR(around_.journal.Save(next, notes, around_.clock.WallMs()));
  trouble_said_.clear();
  const bool moved = next.state.index() != lifecycle_.state.index() ||
                     next.desired.unit_digest() != lifecycle_.desired.unit_digest();
  if (moved) {
    const std::string reason = ReasonOf(next.state);
    spdlog::info("{}: {} -> {}{}{}", UnitText(next.desired), NameOf(lifecycle_.state),
                 NameOf(next.state), reason.empty() ? "" : ": ", reason);
    ++ticket_;
    task_due_ = now;
    task_wait_ = {};
    waits_for_.clear();
  }
  lifecycle_ = std::move(next);
  events_.Look();
  if (!moved) return absl::OkStatus();
  garbage_due_ |= std::holds_alternative<Admitted>(lifecycle_.state) ||
                  std::holds_alternative<Committed>(lifecycle_.state);
  if (std::holds_alternative<Offered>(lifecycle_.state)) Happen(Admission(), now);
  return absl::OkStatus();
}

Event Agent::Admission() {
  const std::string& digest = lifecycle_.desired.unit_digest();
  if (report_) {
    const ControlSaid said = ReadReport(*report_, digest);
    if (said.settled()) return SlotHere{SlotHere::As::kRunning};
    if (said.is_committed && said.on_trial) return SlotHere{SlotHere::As::kOtherOnTrial};
    if (said.is_committed) return SlotHere{SlotHere::As::kCommitted};
  }
  if (!lifecycle_.desired.release_quarantine()) {
    const absl::StatusOr<std::optional<std::string>> reason =
        around_.journal.QuarantineReason(digest);
    if (!reason.ok()) return Rejected{std::string(reason.status().message())};
    if (reason->has_value()) {
      return Rejected{"this robot keeps the unit in quarantine: " + **reason +
                      "; release it by name to try it again"};
    }
  }
  if (!around_.store.Holds(digest).slot) return NotHere{};
  if (lifecycle_.desired.rollback()) {
    if (absl::Status served = CheckServed(digest); !served.ok()) {
      return Rejected{std::string(served.message())};
    }
  }
  return SlotHere{};
}

// A rollback passes by shadow and trial: only for a unit that has been through them here.
absl::Status Agent::CheckServed(const std::string& digest) {
  if (report_ && report_->pointer().last_good_digest() == digest) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool served, around_.journal.WasCommitted(digest));
  if (served) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "the directive rolls back to %s, which was never in service on this robot; roll "
      "it out instead",
      UnitText(lifecycle_.desired)));
}

void Agent::OnControl(const v1::ControlReport& report, Nanos now) {
  if (IsFine(around_.journal.AddControlEvents(
          {report.events().data(), static_cast<size_t>(report.events_size())})) &&
      report.events_size() > 0) {
    events_acked_ = report.events(report.events_size() - 1).seq();
    events_.Look();
  }
  report_ = report;
  report_->clear_events();
  report_at_ = now;
  if (!report.running_digest().empty()) rules_only_since_.reset();
  if (report.running_digest().empty() && !rules_only_since_) rules_only_since_ = now;
  if (!lifecycle_.desired.unit_digest().empty() && orders_.Answers(report)) {
    Happen(ReadReport(report, lifecycle_.desired.unit_digest()), now);
  }
  KeepQuarantine(report);
}

void Agent::KeepQuarantine(const v1::ControlReport& report) {
  const v1::DesiredState& desired = lifecycle_.desired;
  std::vector<const v1::Quarantined*> kept;
  std::string digests;
  for (const v1::Quarantined& unit : report.quarantine()) {
    // Control has not heard of its release yet.
    const bool released = unit.digest() == desired.unit_digest() && desired.release_quarantine() &&
                          !HasEnded(lifecycle_.state);
    if (released) continue;
    kept.push_back(&unit);
    digests += unit.digest();
  }
  // Writing costs a sync: only what is news.
  if (digests == quarantine_kept_ || !IsFine(around_.journal.AddQuarantined(kept))) return;
  quarantine_kept_ = std::move(digests);
}

std::optional<Task> Agent::TakeTask(Nanos now) {
  if (task_out_) return std::nullopt;
  const v1::DesiredState& desired = lifecycle_.desired;
  if (garbage_due_ && report_) {  // never without knowing what control may need
    garbage_due_ = false;
    task_out_ = true;
    return Task{.kind = TaskKind::kCollectGarbage,
                .desired = desired,
                .ticket = 0,
                .keep = {desired.unit_digest(), report_->pointer().committed_digest(),
                         report_->pointer().last_good_digest(), report_->pointer().trial_digest(),
                         report_->running_digest(), report_->candidate_digest()}};
  }
  const std::optional<TaskKind> kind = TaskOf(lifecycle_.state);
  if (!kind || now < task_due_) return std::nullopt;
  task_out_ = true;
  return Task{.kind = *kind, .desired = desired, .ticket = ticket_};
}

bool Agent::Unwanted(const Task& task) const {
  return task.kind != TaskKind::kCollectGarbage && task.ticket != ticket_;
}

void Agent::OnTaskDone(const Task& task, const absl::Status& outcome, Nanos now) {
  task_out_ = false;
  if (task.kind == TaskKind::kCollectGarbage) {
    IsFine(outcome);
    return;
  }
  if (Unwanted(task)) return;
  if (outcome.ok()) return Happen(EventOf(task.kind), now);
  if (!absl::IsUnavailable(outcome)) return Happen(Rejected{std::string(outcome.message())}, now);
  task_wait_ = std::clamp(2 * task_wait_, kFirstWait, kLongestWait);
  task_due_ = now + task_wait_;
  waits_for_ = std::string(outcome.message());
}

void Agent::NoteNow(const Note& note, const std::string& unit_digest) {
  if (IsFine(around_.journal.Add(note, unit_digest, around_.clock.WallMs()))) events_.Look();
}

bool Agent::IsFine(const absl::Status& status) {
  if (status.ok()) return true;
  const std::string text(status.message());
  if (text != trouble_said_) spdlog::error("{}", text);
  trouble_said_ = text;
  return false;
}

}  // namespace agent::lifecycle
