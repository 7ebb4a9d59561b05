#include "agent/lifecycle/machine.h"

#include <array>
#include <utility>

#include "absl/strings/str_format.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;
using Want = v1::DesiredState;
using Candidate = ControlSaid::Candidate;

std::string UnitName(const Want& want) {
  return absl::StrFormat("%s@%s", want.unit_name(), want.unit_version());
}

Next Stay(State state) { return {std::move(state), {}}; }
Next Go(State state, std::string kind, std::string detail = "") {
  return {std::move(state), {Note{std::move(kind), std::move(detail)}}};
}
Next Refuse(const std::string& reason) { return Go(Refused{reason}, "unit_refused", reason); }
Next RollBack(const ControlSaid& said) {
  return Go(RollingBack{said.reason}, "rolling_back", said.reason);
}

// --- Is it here, may it come here? ---

Next On(const Offered&, const Want& want, const NotHere&) {
  if (want.rollback()) {
    return Refuse("the directive rolls back to " + UnitName(want) +
                  ", which has no slot on this robot; roll out that unit instead");
  }
  return Stay(Admitted{});
}

Next On(const Offered&, const Want& want, const SlotHere& here) {
  switch (here.as) {
    case SlotHere::As::kRunning:
      return Stay(Committed{});
    case SlotHere::As::kCommitted:
      return Stay(Returning{});
    case SlotHere::As::kOtherOnTrial:
      return Go(Returning{}, "rolling_back", want.reason());
    case SlotHere::As::kSlot:
      break;
  }
  if (want.rollback()) return Go(Reverting{}, "rolling_back", want.reason());
  return Stay(Staged{});
}

// --- Bring it here ---

Next On(const Admitted&, const Want&, const PapersVerified&) { return Stay(VerifiedMeta{}); }
Next On(const VerifiedMeta&, const Want&, const SpaceFound&) { return Stay(Fetching{}); }
Next On(const Fetching&, const Want&, const FilesHere&) { return Stay(Verified{}); }
Next On(const Verified&, const Want& want, const SlotBuilt&) {
  return Go(Staged{}, "staged", UnitName(want));
}

template <class S>
concept BeforeControl = std::is_same_v<S, Offered> || std::is_same_v<S, Admitted> ||
    std::is_same_v<S, VerifiedMeta> || std::is_same_v<S, Fetching> || std::is_same_v<S, Verified>;
template <BeforeControl S>
Next On(const S&, const Want&, const Rejected& rejected) {
  return Refuse(rejected.reason);
}

// --- Up through control's stages, each one shown by control before the next is asked for ---

Next Commit(const Want& want) { return Go(Committed{}, "committed", UnitName(want)); }

// The unit turns out to be the committed one already.
Next WhenCommitted(const Want& want, const ControlSaid& said) {
  if (said.settled()) return Commit(want);
  if (said.on_trial) return Go(Returning{}, "rolling_back", want.reason());
  return Stay(Returning{});
}

Next On(const Staged& s, const Want& want, const ControlSaid& said) {
  if (said.is_committed) return WhenCommitted(want, said);
  if (said.candidate == Candidate::kFailed) return Refuse(said.reason);
  if (said.candidate == Candidate::kNone || want.stage() < v1::STAGE_WARM) return Stay(s);
  return Stay(Preflight{});
}

Next On(const Preflight& s, const Want& want, const ControlSaid& said) {
  if (said.is_committed) return WhenCommitted(want, said);
  if (said.candidate == Candidate::kFailed) return Refuse(said.reason);
  if (said.candidate < Candidate::kReady || want.stage() < v1::STAGE_SHADOW) return Stay(s);
  return Go(Shadowing{}, "shadow_started");
}

Next On(const Shadowing& s, const Want& want, const ControlSaid& said) {
  if (said.is_committed) return WhenCommitted(want, said);
  if (said.candidate == Candidate::kFailed) return Refuse(said.reason);
  if (said.candidate < Candidate::kReady) return Stay(Preflight{});  // control was restarted
  if (said.candidate < Candidate::kShadowing || want.stage() < v1::STAGE_TRIAL) return Stay(s);
  return Stay(Armed{});
}

Next On(const Armed& s, const Want& want, const ControlSaid& said) {
  if (said.is_committed) return WhenCommitted(want, said);
  if (said.candidate == Candidate::kFailed) return RollBack(said);  // drove, if only for a moment
  if (said.candidate < Candidate::kReady) return Stay(Preflight{});
  if (said.candidate != Candidate::kOnTrial) return Stay(s);
  return Go(Trying{}, "trial_started");
}

Next On(const Trying& s, const Want& want, const ControlSaid& said) {
  if (said.settled()) return Commit(want);
  switch (said.candidate) {
    case Candidate::kOnTrial:
    case Candidate::kCommitted:
      return Stay(s);
    case Candidate::kFailed:
      return RollBack(said);
    case Candidate::kNone:
    case Candidate::kLoading:
      if (said.is_committed) return Stay(s);  // committed, but a stop holds the robot just now
      return Go(Preflight{}, "trial_ended", "control was restarted during the trial");
    case Candidate::kReady:
    case Candidate::kShadowing:
      return Go(Armed{}, "trial_ended", said.reason);  // the lease ran out, most often
  }
  return Stay(s);
}

// Somebody changed what control keeps (its folder was wiped): begin again from what is here.
Next On(const Committed& s, const Want&, const ControlSaid& said) {
  if (said.is_committed) return Stay(s);
  return Go(Offered{}, "drift", "control is no longer committed to this unit");
}

// --- Back ---

Next On(const Returning& s, const Want& want, const ControlSaid& said) {
  if (said.settled()) return Commit(want);
  return Stay(s);
}

Next On(const Reverting& s, const Want& want, const ControlSaid& said) {
  if (said.settled()) return Commit(want);
  if (said.is_committed && said.on_trial) return Stay(Returning{});
  if (said.candidate == Candidate::kFailed) return Refuse(said.reason);
  return Stay(s);
}

Next On(const RollingBack& s, const Want&, const ControlSaid& said) {
  if (said.other_running) return Go(RolledBack{s.reason}, "rolled_back", s.reason);
  return Stay(s);
}

Next On(const SafeFallback& s, const Want& want, const ControlSaid& said) {
  if (said.settled()) return Commit(want);
  if (said.other_running) return Go(RolledBack{s.reason}, "rolled_back", s.reason);
  return Stay(s);
}

template <class S>
concept GoingBack =
    std::is_same_v<S, Returning> || std::is_same_v<S, Reverting> || std::is_same_v<S, RollingBack>;
template <GoingBack S>
Next On(const S& s, const Want&, const RulesOnly&) {
  std::string reason = ReasonOf(State(s));
  if (reason.empty()) reason = "no unit drives: neither the committed one nor last-good runs";
  return Go(SafeFallback{reason}, "safe_fallback", reason);
}

// --- Any other pair leaves the state alone ---

// Reports come all the time and mostly say nothing new.
template <class S>
Next On(const S& s, const Want&, const ControlSaid&) {
  return Stay(s);
}
template <class S>
Next On(const S& s, const Want&, const RulesOnly&) {
  return Stay(s);
}
// Everything else is asked for by the very state that waits for it: a surprise is a clue.
template <class S, class E>
Next On(const S& s, const Want&, const E& event) {
  return Go(s, "unexpected",
            absl::StrFormat("%s in state %s", std::string(NameOf(Event(event))),
                            std::string(NameOf(State(s)))));
}

// The furthest state that `stage` allows, for a unit that got to `state` already.
State Capped(const State& state, v1::Stage stage) {
  const bool beyond_shadow =
      std::holds_alternative<Armed>(state) || std::holds_alternative<Trying>(state);
  const bool beyond_warm = beyond_shadow || std::holds_alternative<Shadowing>(state);
  const bool beyond_staged = beyond_warm || std::holds_alternative<Preflight>(state);
  if (beyond_staged && stage < v1::STAGE_WARM) return Staged{};
  if (beyond_warm && stage < v1::STAGE_SHADOW) return Preflight{};
  if (beyond_shadow && stage < v1::STAGE_TRIAL) return Shadowing{};
  return state;
}

Candidate CandidateOf(const v1::ControlReport& report, const std::string& digest) {
  if (report.candidate_digest() != digest) return Candidate::kNone;
  switch (report.candidate_state()) {
    case v1::CANDIDATE_LOADING:
      return Candidate::kLoading;
    case v1::CANDIDATE_READY:
      return Candidate::kReady;
    case v1::CANDIDATE_SHADOWING:
      return Candidate::kShadowing;
    case v1::CANDIDATE_ON_TRIAL:
      return Candidate::kOnTrial;
    case v1::CANDIDATE_COMMITTED:
      return Candidate::kCommitted;
    case v1::CANDIDATE_FAILED:
      return Candidate::kFailed;
    default:
      return Candidate::kNone;
  }
}

}  // namespace

std::string_view NameOf(const Event& event) {
  constexpr std::array<std::string_view, std::variant_size_v<Event>> kNames = {
      "NotHere",   "SlotHere", "PapersVerified", "SpaceFound", "FilesHere",
      "SlotBuilt", "Rejected", "ControlSaid",    "RulesOnly"};
  return kNames[event.index()];
}

ControlSaid ReadReport(const v1::ControlReport& report, const std::string& digest) {
  ControlSaid said;
  said.candidate = CandidateOf(report, digest);
  said.is_committed = report.pointer().committed_digest() == digest;
  said.on_trial = report.pointer().phase() == v1::ON_TRIAL;
  said.is_running = !digest.empty() && report.running_digest() == digest;
  said.other_running = !report.running_digest().empty() && !said.is_running;
  if (said.candidate != Candidate::kNone) said.reason = report.candidate_reason();
  return said;
}

Next Step(const State& state, const Want& desired, const Event& event) {
  return std::visit([&](const auto& s, const auto& e) { return On(s, desired, e); }, state, event);
}

Next Take(const Lifecycle& now, const Want& desired) {
  if (desired.unit_digest().empty()) return Stay(NothingWanted{});
  const bool same_unit = desired.unit_digest() == now.desired.unit_digest();
  if (!same_unit || desired.rollback() || HasEnded(now.state)) return Stay(Offered{});
  return Stay(Capped(now.state, desired.stage()));
}

bool HasEnded(const State& state) {
  return std::holds_alternative<NothingWanted>(state) || std::holds_alternative<Refused>(state) ||
         std::holds_alternative<RollingBack>(state) || std::holds_alternative<RolledBack>(state) ||
         std::holds_alternative<SafeFallback>(state);
}

std::optional<TaskKind> TaskOf(const State& state) {
  if (std::holds_alternative<Admitted>(state)) return TaskKind::kGetPapers;
  if (std::holds_alternative<VerifiedMeta>(state)) return TaskKind::kFindSpace;
  if (std::holds_alternative<Fetching>(state)) return TaskKind::kFetchFiles;
  if (std::holds_alternative<Verified>(state)) return TaskKind::kBuildSlot;
  return std::nullopt;
}

std::optional<v1::ControlOrder> OrderOf(const State& state, const Want& desired,
                                        uint32_t lease_left_ms) {
  const auto is = [&state]<class S>(S) { return std::holds_alternative<S>(state); };
  v1::Stage stage = v1::STAGE_IDLE;
  if (is(Staged{}) && desired.stage() >= v1::STAGE_WARM) stage = v1::STAGE_WARM;
  if (is(Preflight{})) stage = v1::STAGE_WARM;
  if (is(Shadowing{})) stage = v1::STAGE_SHADOW;
  if (is(Armed{})) stage = lease_left_ms > 0 ? v1::STAGE_TRIAL : v1::STAGE_SHADOW;
  if (is(Reverting{})) stage = v1::STAGE_COMMIT;
  if (is(Trying{})) {
    stage = desired.stage() >= v1::STAGE_COMMIT ? v1::STAGE_COMMIT : v1::STAGE_TRIAL;
    if (stage == v1::STAGE_TRIAL && lease_left_ms == 0) return std::nullopt;
  }
  v1::ControlOrder order;
  order.set_stage(stage);
  order.set_reason(desired.reason());
  if (stage == v1::STAGE_IDLE) return order;
  order.set_candidate_digest(desired.unit_digest());
  if (stage == v1::STAGE_TRIAL) order.set_lease_ms(lease_left_ms);
  // Only while it begins: repeated later, it would release what fails meanwhile, again and again.
  order.set_release_quarantine(desired.release_quarantine() && (is(Staged{}) || is(Reverting{})));
  return order;
}

State Recover(const State& journalled, OnDisk here) {
  const auto was = [&journalled]<class S>(S) { return std::holds_alternative<S>(journalled); };
  const bool needs_papers = was(VerifiedMeta{}) || was(Fetching{}) || was(Verified{});
  if (needs_papers && !here.papers) return Admitted{};
  const bool needs_slot = was(Staged{}) || was(Preflight{}) || was(Shadowing{}) || was(Armed{}) ||
                          was(Trying{}) || was(Reverting{});
  if (needs_slot && !here.slot) return Offered{};
  return journalled;
}

}  // namespace agent::lifecycle
