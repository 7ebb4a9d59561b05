// The order side of ControlCore: from what the agent wants to which unit drives.

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/digest.h"
#include "agent/control/control_core.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

// A unit that was begun three times and never committed is not going to be better the fourth time.
constexpr uint32_t kMaxAttempts = 3;
constexpr Nanos kCommitAgainAfter = std::chrono::seconds(1);

}  // namespace

void ControlCore::Apply(const v1::ControlOrder& order, Nanos now) {
  TakeEventsAcked(order);
  controller_.SetLink(order.link_up(), now);
  TakeRelease(order);
  TakeRecall(order);
  TakeAcknowledgement(order, now);
  TakeRearm(order, now);
  TakeStage(order, now);
  Poll(now);
}

void ControlCore::TakeEventsAcked(const v1::ControlOrder& order) {
  const bool waited = events_.Holds(estop_event_);
  events_.Acknowledge(order.events_acked());
  if (!waited || events_.Holds(estop_event_)) return;
  latch_.set_told(true);
  told_due_ = true;
}

void ControlCore::TakeRelease(const v1::ControlOrder& order) {
  if (!order.release_quarantine() || order.seq() == quarantine_.release_seq()) return;
  const std::string& digest = order.candidate_digest();
  quarantine_ = WithoutQuarantined(quarantine_, digest);
  quarantine_.set_release_seq(order.seq());
  quarantine_due_ = true;
  if (pointer_.trial_digest() == digest && !on_trial()) {
    pointer_.clear_trial_digest();
    pointer_.clear_attempts();
    pointer_due_ = true;
  }
  Tell("quarantine_released", digest, order.reason());
}

// What the gatekeeper holds is remembered without it: a robot that falls back alone must know.
void ControlCore::TakeRecall(const v1::ControlOrder& order) {
  if (!order.has_recall()) return;
  v1::QuarantineRecord next = WithRecalled(quarantine_, order.recall());
  if (next.SerializeAsString() == quarantine_.SerializeAsString()) return;
  std::swap(quarantine_, next);
  quarantine_due_ = true;
  for (const v1::Quarantined& unit : quarantine_.recalled()) {
    if (!IsRecalled(next, unit.digest())) Tell("recalled", unit.digest(), unit.reason());
  }
  for (const v1::Quarantined& unit : next.recalled()) {
    if (!IsRecalled(quarantine_, unit.digest())) Tell("recall_lifted", unit.digest(), "");
  }
}

void ControlCore::TakeAcknowledgement(const v1::ControlOrder& order, Nanos now) {
  if (!order.acknowledge() || order.seq() == latch_.acknowledged_seq() ||
      order.seq() == refused_acknowledgement_) {
    return;
  }
  const absl::Status acknowledged =
      controller_.latch().latched
          ? absl::FailedPreconditionError(
                "an emergency stop wants a re-arm, by two people's approval")
          : controller_.Rearm(now);
  if (!acknowledged.ok()) {
    // Asked about what was there then; a later trouble needs a person who looked at it.
    refused_acknowledgement_ = order.seq();
    Tell("acknowledgement_refused", "", std::string(acknowledged.message()));
    return;
  }
  latch_.set_acknowledged_seq(order.seq());
  SaveLatch(now);
  Tell("acknowledged", "", order.reason());
}

void ControlCore::TakeStage(const v1::ControlOrder& order, Nanos now) {
  const bool is_new = order.seq() != order_.seq();
  if (order.stage() == v1::STAGE_UNSPECIFIED) {
    order_.set_seq(order.seq());  // says nothing about units: what stood before goes on standing
    return;
  }
  if (is_new) ++changes_;
  const bool idle = order.stage() == v1::STAGE_IDLE;
  const bool other = idle || order.candidate_digest() != candidate_.digest;
  const bool drives = order.stage() == v1::STAGE_TRIAL || order.stage() == v1::STAGE_COMMIT;
  if (on_trial() && (other || !drives)) {
    EndTrial(order.reason().empty() ? "ordered back" : order.reason(), Verdict::kReturn);
  }
  if (other) DropCandidate();
  order_ = order;
  if (idle) return;
  if (const auto digest = base::Digest::Parse(order.candidate_digest()); !digest.ok()) {
    Tell("order_refused", "", std::string(digest.status().message()));
    order_.set_stage(v1::STAGE_IDLE);
    return;
  }
  candidate_.digest = order.candidate_digest();
  if (candidate_.state == v1::CANDIDATE_FAILED && is_new) {
    if (!NamedByPointer(candidate_.digest)) shelf_.Forget(candidate_.digest);
    SetCandidate(v1::CANDIDATE_NONE, "");
  }
  if (order.stage() == v1::STAGE_TRIAL) {
    lease_.length = std::chrono::milliseconds(order.lease_ms());
    lease_.until = now + lease_.length;
  } else if (order.stage() == v1::STAGE_COMMIT) {
    lease_.until = now + lease_.length;  // it drives on while the commit is written
    commit_again_at_ = now;
  }
}

void ControlCore::Advance(Nanos now) {
  if (candidate_.digest.empty() || candidate_.state == v1::CANDIDATE_FAILED) return;
  if (candidate_.digest == pointer_.committed_digest()) {
    return SetCandidate(v1::CANDIDATE_COMMITTED, "");
  }
  const std::string refused = QuarantineReason(quarantine_, candidate_.digest);
  if (!refused.empty()) return Refuse("quarantined: " + refused);
  if (LoadCandidate(now)) GoOn(now);
}

bool ControlCore::LoadCandidate(Nanos now) {
  const bool kept = NamedByPointer(candidate_.digest);
  shelf_.Want(candidate_.digest, kept ? UnitShelf::Retry::kUntilGone : UnitShelf::Retry::kNever,
              now);
  switch (shelf_.state(candidate_.digest)) {
    case UnitShelf::State::kReady:
      // The shadow thread may be inside its model just now.
      return !shadow_out_ && !RunsLate(candidate_.digest);
    case UnitShelf::State::kFailed:
      Refuse(std::string(shelf_.reason(candidate_.digest).message()));
      return false;
    default:
      if (!on_trial()) SetCandidate(v1::CANDIDATE_LOADING, candidate_.reason);
      return false;
  }
}

void ControlCore::GoOn(Nanos now) {
  switch (order_.stage()) {
    case v1::STAGE_WARM:
      return SetCandidate(v1::CANDIDATE_READY, candidate_.reason);
    case v1::STAGE_SHADOW:
      return SetCandidate(v1::CANDIDATE_SHADOWING, "");
    case v1::STAGE_TRIAL:
      if (!on_trial()) BeginTrial(now);
      return;
    case v1::STAGE_COMMIT:
      if (now >= commit_again_at_) Commit(now);
      return;
    default:
      return;
  }
}

void ControlCore::BeginTrial(Nanos now) {
  const auto wait = [this](const std::string& reason) {
    order_.set_stage(v1::STAGE_WARM);  // the next order asks again
    if (reason != candidate_.reason) Tell("trial_refused", candidate_.digest, reason);
    SetCandidate(v1::CANDIDATE_READY, reason);
  };
  if (now >= lease_.until) return wait("the lease ran out before the trial could begin");
  if (controller_.latch().latched) return wait("an emergency stop waits for re-arm");
  v1::Pointer next = pointer_;
  const bool again = pointer_.trial_digest() == candidate_.digest;
  next.set_attempts(again ? pointer_.attempts() + 1 : 1);
  if (next.attempts() > kMaxAttempts) {
    const std::string reason =
        absl::StrFormat("begun on trial %d times and never committed", kMaxAttempts);
    Quarantine(candidate_.digest, reason);
    return Refuse("quarantined: " + reason);
  }
  next.set_phase(v1::ON_TRIAL);
  next.set_trial_digest(candidate_.digest);
  // The attempt is burned before the risk is taken.
  if (const absl::Status saved = SavePointer(next); !saved.ok()) {
    return wait("the trial cannot be written down: " + std::string(saved.message()));
  }
  SetCandidate(v1::CANDIDATE_ON_TRIAL, "");
  Tell("trial_begun", candidate_.digest, absl::StrFormat("attempt %d", next.attempts()));
  Install(now);
}

void ControlCore::EndTrial(const std::string& reason, Verdict verdict) {
  pointer_.set_phase(pointer_.committed_digest().empty() ? v1::EMPTY : v1::COMMITTED);
  pointer_due_ = true;  // written by the next Poll: until then a restart would do the same
  candidate_.counters = active_counters_;
  order_.set_stage(v1::STAGE_WARM);
  Tell("rolled_back", candidate_.digest, reason);
  if (verdict == Verdict::kQuarantine) {
    Quarantine(candidate_.digest, reason);
    candidate_.state = v1::CANDIDATE_FAILED;
  } else {
    candidate_.state = v1::CANDIDATE_READY;
  }
  candidate_.reason = reason;
}

void ControlCore::CheckLease(Nanos now) {
  if (on_trial() && now >= lease_.until) EndTrial("the lease ran out", Verdict::kReturn);
}

void ControlCore::Commit(Nanos now) {
  v1::Pointer next = pointer_;
  next.set_phase(v1::COMMITTED);
  next.set_last_good_digest(pointer_.committed_digest());
  next.set_committed_digest(candidate_.digest);
  next.clear_trial_digest();
  next.clear_attempts();
  if (const absl::Status saved = SavePointer(next); !saved.ok()) {
    commit_again_at_ = now + kCommitAgainAfter;
    candidate_.reason = "the commit cannot be written down: " + std::string(saved.message());
    if (!on_trial()) SetCandidate(v1::CANDIDATE_READY, candidate_.reason);
    return;
  }
  SetCandidate(v1::CANDIDATE_COMMITTED, "");
  active_counters_ = UnitCounters();
  Tell("committed", candidate_.digest, order_.reason());
  Install(now);
}

void ControlCore::DropCandidate() {
  candidate_ = Candidate();
  seat_.reset();
  ++changes_;
}

void ControlCore::Refuse(const std::string& reason) {
  SetCandidate(v1::CANDIDATE_FAILED, reason);
  // Orders that come again and again for the same unit are told about once.
  const std::string refusal = candidate_.digest + reason;
  if (std::exchange(last_refusal_, refusal) == refusal) return;
  Tell("refused", candidate_.digest, reason);
}

void ControlCore::SetCandidate(v1::CandidateState state, const std::string& reason) {
  if (state == candidate_.state && reason == candidate_.reason) return;
  if (state != candidate_.state) candidate_.counters = UnitCounters();
  candidate_.state = state;
  candidate_.reason = reason;
  ++changes_;
}

}  // namespace agent::control
