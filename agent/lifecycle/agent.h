#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/lifecycle/event_forwarder.h"
#include "agent/lifecycle/journal.h"
#include "agent/lifecycle/links.h"
#include "agent/lifecycle/machine.h"
#include "agent/lifecycle/order_book.h"
#include "agent/lifecycle/porter.h"
#include "agent/lifecycle/unit_store.h"
#include "proto/control.pb.h"
#include "proto/fleet.pb.h"

namespace agent::lifecycle {

// What the agent stands on; all of it outlives the agent.
struct Surroundings {
  const base::Clock& clock;  // only for the wall time of reports and events
  GatekeeperLink& gatekeeper;
  ControlLink& control;
  Journal& journal;
  UnitStore& store;
};

struct AgentOptions {
  std::string version = "0.1.0";
  Nanos report_every = std::chrono::seconds(1);  // observed state, when nothing changed
};

// The agent without threads, sockets or time of its own: brings the robot to the desired state,
// tells control what to do, reports what is. Whoever drives it (the daemon, a journey) calls
//  - On... as news come in,
//  - TakeTask, lets a Porter run the task, and hands the outcome to OnTaskDone,
//  - Poll after every batch of news, and no later than the time that Poll returned last.
// `now` is monotonic and never falls. One thread.
class Agent {
 public:
  // Goes on where the journal says. Errors are the journal's.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(const Surroundings& around,
                                                      AgentOptions options, Nanos now);

  // The stream to the gatekeeper is open; closed.
  void OnLinkOpen(Nanos now);
  void OnLinkClosed();
  void OnServer(const gatekeeper::v1::ServerMessage& message, Nanos now);
  // The socket to control is open (again); closed.
  void OnControlOpen();
  void OnControlClosed();
  void OnControl(const gatekeeper::v1::ControlReport& report, Nanos now);
  // The next task, once; nothing while one is being done or has to wait before it is tried again.
  std::optional<Task> TakeTask(Nanos now);
  // True when the outcome of `task` is no longer wanted: its Porter may stop.
  bool Unwanted(const Task& task) const;
  void OnTaskDone(const Task& task, const absl::Status& outcome, Nanos now);
  // Sends what is due and says when it wants to be called again.
  Nanos Poll(Nanos now);

  const Lifecycle& lifecycle() const { return lifecycle_; }
  gatekeeper::v1::ObservedState Observed() const;

 private:
  Agent(const Surroundings& around, AgentOptions options, Lifecycle lifecycle);

  void OnDirective(const gatekeeper::v1::DesiredState& desired, Nanos now);
  void TakeIn(const gatekeeper::v1::DesiredState& desired, Nanos now);
  void Happen(const Event& event, Nanos now);
  absl::Status Enter(Lifecycle next, const std::vector<Note>& notes, Nanos now);
  // Answers the question that the state Offered asks.
  Event Admission();
  absl::Status CheckServed(const std::string& digest);
  void TakeApprovals(const gatekeeper::v1::Rearm& rearm);
  void TakeRecall(const gatekeeper::v1::Recall& recall);
  void KeepQuarantine(const gatekeeper::v1::ControlReport& report);
  void NoteNow(const Note& note, const std::string& unit_digest);

  void RetryUnsaved(Nanos now);
  void WatchControl(Nanos now);
  void SayOrder(Nanos now);
  void Report(Nanos now);
  // How often reports and orders repeat: often enough to carry the lease of a trial.
  Nanos Beat() const;
  Nanos Lease() const;
  uint32_t LeaseLeftMs(Nanos now) const;
  // Logged once, until it is another trouble or none. True: all is well.
  bool IsFine(const absl::Status& status);

  const Surroundings around_;
  const AgentOptions options_;
  Lifecycle lifecycle_;
  EventForwarder events_;
  OrderBook orders_;

  // What the journal could not take yet; tried again at each Poll, in this order.
  std::optional<gatekeeper::v1::DesiredState> unsaved_directive_;
  std::deque<Event> unsaved_events_;
  std::string trouble_said_;

  bool link_open_ = false;
  std::optional<Nanos> contact_;         // the gatekeeper's last word
  std::optional<uint64_t> stale_noted_;  // generation of the last directive noted as stale
  std::string shown_;                    // what the last report said, without what always changes
  Nanos report_due_{};

  bool control_open_ = false;
  std::optional<gatekeeper::v1::ControlReport> report_;  // absent when control is silent; no events
  Nanos report_at_{};
  std::string quarantine_kept_;  // digests of control's list that the journal holds
  uint64_t events_acked_ = 0;    // of control's, over the present connection
  // What people said and control shall hear once, with the next order.
  bool acknowledge_ = false;
  std::vector<std::string> approvals_;
  std::optional<gatekeeper::v1::Recall> recall_;  // the gatekeeper's newest; control keeps it
  std::optional<Nanos> rules_only_since_;

  uint64_t ticket_ = 1;  // of the present state's task
  bool task_out_ = false;
  bool garbage_due_ = true;
  Nanos task_due_{};
  Nanos task_wait_{};
  std::string waits_for_;  // why the present state's task has to be tried again; for people
};

}  // namespace agent::lifecycle
