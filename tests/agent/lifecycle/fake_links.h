#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/lifecycle/links.h"
#include "agent/trust/hash.h"
#include "tests/agent/lifecycle/fused_files.h"
#include "tests/support/sealed_unit.h"

namespace tests {

namespace v1 = ::gatekeeper::v1;

// A gatekeeper that knows units and listens. Its answers are taken with TakeAnswers.
class FakeGatekeeper final : public agent::lifecycle::GatekeeperLink {
 public:
  explicit FakeGatekeeper(Fuse& fuse) : fuse_(fuse) {}

  void Publish(const SealedUnit& unit) {
    papers_[unit.digest] = unit.papers;
    for (const auto& [path, bytes] : unit.files) blobs_[agent::trust::Sha256(bytes).hex()] = bytes;
  }
  using Change = std::function<void(v1::DesiredState&)>;
  void Want(const SealedUnit& unit, v1::Stage stage, const Change& change = {}) {
    desired_.set_generation(desired_.generation() + 1);
    desired_.set_unit_digest(unit.digest);
    desired_.set_unit_name(unit.manifest.name());
    desired_.set_unit_version(unit.manifest.version());
    desired_.set_stage(stage);
    desired_.set_lease_ms(3000);
    desired_.clear_rollback();
    desired_.clear_release_quarantine();
    if (change) change(desired_);
    Tell();
  }
  void Tell() {
    v1::ServerMessage message;
    *message.mutable_desired() = desired_;
    answers_.push_back(message);
  }

  absl::Status Send(const v1::AgentMessage& message) override {
    fuse_.Burn();
    if (!connected) return absl::UnavailableError("no link");
    v1::ServerMessage answer;
    if (message.has_observed()) {
      observed = message.observed();
      lifecycles.push_back(observed.lifecycle());
      answer.mutable_heartbeat();
    } else {
      deliveries.push_back(message.event());
      events[message.event().id()] = message.event();
      answer.mutable_event_ack()->set_id(message.event().id());
      if (!acknowledges) return absl::OkStatus();
    }
    answers_.push_back(answer);
    return absl::OkStatus();
  }
  absl::StatusOr<v1::UnitPapers> GetUnit(const std::string& digest) override {
    fuse_.Burn();
    if (!connected) return absl::UnavailableError("no link");
    const auto at = papers_.find(digest);
    if (at == papers_.end()) return absl::NotFoundError("the gatekeeper has no unit " + digest);
    return at->second;
  }
  absl::Status FetchBlob(const std::string& sha256, uint64_t offset,
                         const agent::lifecycle::Sink& sink) override {
    fuse_.Burn();
    fetched.push_back({sha256, offset});
    if (!connected) return absl::UnavailableError("no link");
    const std::string& bytes = blobs_.at(sha256);
    for (size_t at = offset; at < bytes.size(); at += chunk) {
      if (break_after_bytes > 0 && at >= break_after_bytes) {
        break_after_bytes = 0;
        return absl::UnavailableError("the connection broke");
      }
      const absl::Status taken = sink(std::string_view(bytes).substr(at, chunk));
      if (!taken.ok()) return taken;
    }
    return absl::OkStatus();
  }

  std::vector<v1::ServerMessage> TakeAnswers() { return std::exchange(answers_, {}); }
  void Tamper(const std::string& sha256) { blobs_.at(sha256)[0] ^= 1; }
  const v1::DesiredState& desired() const { return desired_; }
  std::vector<std::string> EventKinds() const {
    std::vector<std::string> kinds;
    for (const auto& [id, event] : events) kinds.push_back(event.kind());
    return kinds;
  }

  size_t chunk = 512;
  bool connected = true;
  bool acknowledges = true;
  size_t break_after_bytes = 0;  // once
  v1::ObservedState observed;
  std::vector<v1::LifecycleState> lifecycles;
  std::map<uint64_t, v1::RobotEvent> events;
  std::vector<v1::RobotEvent> deliveries;  // with repeats
  std::vector<std::pair<std::string, uint64_t>> fetched;

 private:
  Fuse& fuse_;
  std::map<std::string, v1::UnitPapers> papers_;
  std::map<std::string, std::string> blobs_;
  v1::DesiredState desired_;
  std::vector<v1::ServerMessage> answers_;
};

// gatekeeper-control as its orders are meant: one turn to load, one to switch, leases, quarantine.
class FakeControl final : public agent::lifecycle::ControlLink {
 public:
  FakeControl(Fuse& fuse, const agent::base::Clock& clock) : fuse_(fuse), clock_(clock) {
    report_.mutable_pointer()->set_phase(v1::EMPTY);
  }
  void Commit(const std::string& digest) {
    v1::Pointer& pointer = *report_.mutable_pointer();
    if (!pointer.committed_digest().empty())
      pointer.set_last_good_digest(pointer.committed_digest());
    pointer.set_committed_digest(digest);
    pointer.set_phase(v1::COMMITTED);
    pointer.clear_trial_digest();
    pointer.clear_attempts();
  }

  absl::Status Send(const v1::ControlOrder& order) override {
    fuse_.Burn();
    if (!there) return absl::UnavailableError("control is not there");
    orders.push_back(order);
    if (order.release_quarantine() && released_.insert(order.seq()).second) {
      report_.clear_quarantine();
    }
    std::erase_if(events_, [&](const auto& e) { return e.seq() <= order.events_acked(); });
    if (order.candidate_digest() != report_.candidate_digest()) {
      if (on_trial()) EndTrial();
      report_.set_candidate_digest(order.candidate_digest());
      report_.set_candidate_state(v1::CANDIDATE_NONE);
      report_.clear_candidate_reason();
    }
    if (on_trial() && order.stage() < v1::STAGE_TRIAL) EndTrial();
    report_.set_order_seq(order.seq());
    stage_ = order.stage();
    lease_until_ = clock_.Now() + std::chrono::milliseconds(order.lease_ms());
    return absl::OkStatus();
  }

  // One step of its work; the answer is what it reports.
  v1::ControlReport Turn() {
    if (on_trial() && stage_ != v1::STAGE_COMMIT && clock_.Now() >= lease_until_) EndTrial();
    Advance();
    const v1::Pointer& pointer = report_.pointer();
    report_.set_running_digest(on_trial() ? pointer.trial_digest() : pointer.committed_digest());
    report_.clear_events();
    for (const v1::ControlEvent& event : events_) *report_.add_events() = event;
    return report_;
  }
  // The trial's model fails.
  void Fault(const std::string& reason) {
    v1::Quarantined& unit = *report_.add_quarantine();
    unit.set_digest(report_.candidate_digest());
    unit.set_reason(reason);
    if (on_trial()) EndTrial();
    Fail(reason);
  }
  // kill -9: the committed unit runs again.
  void Restart() {
    if (on_trial()) EndTrial();
    report_.clear_candidate_digest();
    report_.set_candidate_state(v1::CANDIDATE_NONE);
    report_.set_order_seq(0);
    stage_ = v1::STAGE_IDLE;
  }
  void Happens(uint64_t seq, const std::string& kind) {
    v1::ControlEvent event;
    event.set_seq(seq);
    event.set_wall_ms(clock_.WallMs());
    event.set_kind(kind);
    events_.push_back(event);
  }
  bool on_trial() const { return report_.candidate_state() == v1::CANDIDATE_ON_TRIAL; }
  const v1::Pointer& pointer() const { return report_.pointer(); }
  std::vector<v1::Stage> Stages() const {
    std::vector<v1::Stage> stages;
    for (const v1::ControlOrder& order : orders) {
      if (stages.empty() || stages.back() != order.stage()) stages.push_back(order.stage());
    }
    return stages;
  }

  bool there = true;
  int trials = 0;
  std::vector<v1::ControlOrder> orders;

 private:
  void EndTrial() {
    report_.mutable_pointer()->set_phase(pointer().committed_digest().empty() ? v1::EMPTY
                                                                              : v1::COMMITTED);
    report_.set_candidate_state(v1::CANDIDATE_READY);
    report_.set_candidate_reason("the lease ran out");
    stage_ = v1::STAGE_WARM;
  }
  void Fail(const std::string& reason) {
    report_.set_candidate_state(v1::CANDIDATE_FAILED);
    report_.set_candidate_reason(reason);
  }
  void Advance() {
    if (report_.candidate_digest().empty() || stage_ == v1::STAGE_IDLE) return;
    if (report_.candidate_state() == v1::CANDIDATE_FAILED) return;
    if (report_.candidate_digest() == pointer().committed_digest()) {
      return report_.set_candidate_state(v1::CANDIDATE_COMMITTED);
    }
    for (const v1::Quarantined& unit : report_.quarantine()) {
      if (unit.digest() == report_.candidate_digest()) return Fail("quarantined: " + unit.reason());
    }
    if (report_.candidate_state() == v1::CANDIDATE_NONE) {
      return report_.set_candidate_state(v1::CANDIDATE_LOADING);
    }
    if (stage_ == v1::STAGE_WARM) report_.set_candidate_state(v1::CANDIDATE_READY);
    if (stage_ == v1::STAGE_SHADOW) report_.set_candidate_state(v1::CANDIDATE_SHADOWING);
    if (stage_ == v1::STAGE_TRIAL && !on_trial()) BeginTrial();
    if (stage_ == v1::STAGE_COMMIT) {
      Commit(report_.candidate_digest());
      report_.set_candidate_state(v1::CANDIDATE_COMMITTED);
    }
  }
  void BeginTrial() {
    ++trials;
    v1::Pointer& pointer = *report_.mutable_pointer();
    pointer.set_attempts(
        pointer.trial_digest() == report_.candidate_digest() ? pointer.attempts() + 1 : 1);
    pointer.set_trial_digest(report_.candidate_digest());
    pointer.set_phase(v1::ON_TRIAL);
    report_.set_candidate_state(v1::CANDIDATE_ON_TRIAL);
  }

  Fuse& fuse_;
  const agent::base::Clock& clock_;
  v1::ControlReport report_;
  v1::Stage stage_ = v1::STAGE_IDLE;
  agent::base::Nanos lease_until_{};
  std::vector<v1::ControlEvent> events_;
  std::set<uint64_t> released_;
};

}  // namespace tests
