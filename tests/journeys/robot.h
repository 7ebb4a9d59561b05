#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/files.h"
#include "agent/control/control_core.h"
#include "agent/lifecycle/agent.h"
#include "tests/journeys/marker_source.h"
#include "tests/journeys/uplink.h"

namespace tests::journeys {

// One robot in process: the real cores of gatekeeper-agent and gatekeeper-control over a real state
// folder, marker models for workers, and a small program that drives at 20 Hz on what it is told.
// A killed process leaves nothing but its files and is started again by itself.
class Robot final : private agent::lifecycle::ControlLink {
 public:
  Robot(std::string name, std::string state_folder, Headquarters& headquarters,
        const FakeClock& clock);
  ~Robot() override;

  // --- what happens to it
  void KillAgent();
  void KillControl();
  bool KillWorkerOf(const std::string& digest) { return source_ && source_->KillWorkerOf(digest); }
  void PressEstop(bool pressed) { estop_pressed_ = pressed; }
  // A program that pauses observes but asks for no commands.
  void PauseProgram(bool paused) { paused_ = paused; }
  absl::Status FlipByteInSlot(const std::string& digest, const std::string& path);

  // 50 ms of its life.
  void Step();

  // --- what can be seen of it
  const std::string& name() const { return name_; }
  Uplink& uplink() { return uplink_; }
  const Uplink& uplink() const { return uplink_; }
  const agent::lifecycle::Agent* agent() const { return agent_.get(); }  // null: not running
  const agent::control::ControlCore* control() const { return control_.get(); }
  v1::ControlReport Report() const { return control_->Report(clock_.Now()); }
  std::vector<std::string> Slots() const;  // digests; units on the robot's disk

  // The last step, for whoever checks it.
  struct Seen {
    bool ticked = false;
    uint64_t asked = 0;  // seq of the observation; 0: nobody asked
    v1::Command answer;
    std::vector<std::string> drivers;  // digests of the models that ran inside the tick
    bool estop_pressed = false;
    std::optional<Nanos> contact;  // when the gatekeeper was last heard by any agent
  };
  const Seen& seen() const { return seen_; }

 private:
  // --- ControlLink
  absl::Status Send(const v1::ControlOrder& order) override;

  void StartWhatIsDue();
  void StartAgent();
  void StartControl();
  void Drive();
  void TakeOrders();
  void ReportToAgent();
  void RunAgent();
  v1::Observation Look();
  void Move(const v1::Command& command);

  const std::string name_;
  const std::string state_;
  const FakeClock& clock_;
  agent::base::OsFiles files_;
  Uplink uplink_;
  std::shared_ptr<RunLog> log_ = std::make_shared<RunLog>();

  std::unique_ptr<agent::lifecycle::Journal> journal_;
  std::unique_ptr<agent::lifecycle::UnitStore> store_;
  std::unique_ptr<agent::lifecycle::Porter> porter_;
  std::unique_ptr<agent::lifecycle::Agent> agent_;
  Nanos agent_at_{};

  std::unique_ptr<MarkerSource> source_;
  std::unique_ptr<agent::control::ControlCore> control_;
  Nanos control_at_{};
  bool joined_ = false;  // agent's socket to control is open
  std::deque<v1::ControlOrder> orders_;
  Nanos report_due_{};
  uint64_t changes_reported_ = 0;

  bool estop_pressed_ = false;
  bool paused_ = false;
  uint64_t seq_ = 0;
  double vx_mps_ = 0;
  double wz_radps_ = 0;
  double x_m_ = 0;
  Seen seen_;
};

}  // namespace tests::journeys
