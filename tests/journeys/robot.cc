#include "tests/journeys/robot.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_format.h"
#include "tests/agent/trust/unit_fixture.h"

namespace tests::journeys {
namespace {

namespace control = agent::control;
namespace lifecycle = agent::lifecycle;
using std::chrono::milliseconds;

constexpr Nanos kRestartAfter = milliseconds(1000);  // what the service manager waits
constexpr Nanos kReportEvery = milliseconds(200);    // as gatekeeper-control's loop does
constexpr uint64_t kReserveBytes = 1 << 20;
constexpr double kStepS = 0.05;

}  // namespace

Robot::Robot(std::string name, std::string state_folder, Headquarters& headquarters,
             const FakeClock& clock)
    : name_(std::move(name)),
      state_(std::move(state_folder)),
      clock_(clock),
      uplink_(name_, headquarters, clock) {
  for (const char* folder : {"/agent", "/slots", "/control"}) {
    if (!files_.MakeFolders(state_ + folder).ok()) std::abort();
  }
  WriteFile(state_ + "/trust.json", TestTrust().ToJson());
  WriteFile(state_ + "/agent/cert.pem", RobotCertificate(name_));
  StartWhatIsDue();
}

Robot::~Robot() {
  KillAgent();
  KillControl();
}

void Robot::KillAgent() {
  agent_.reset();
  porter_.reset();
  store_.reset();
  journal_.reset();
  if (control_ && joined_) control_->LoseAgent(clock_.Now());
  joined_ = false;
  orders_.clear();
  agent_at_ = clock_.Now() + kRestartAfter;
}

void Robot::KillControl() {
  control_.reset();
  source_.reset();  // workers die with it
  if (agent_ && joined_) agent_->OnControlClosed();
  joined_ = false;
  orders_.clear();
  control_at_ = clock_.Now() + kRestartAfter;
}

absl::Status Robot::FlipByteInSlot(const std::string& digest, const std::string& path) {
  const std::string file = state_ + "/slots/" + digest + "/" + path;
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  const int first = bytes.get();
  if (first < 0) return absl::NotFoundError(path + " is not on this robot");
  bytes.seekp(0);
  bytes.put(static_cast<char>(first ^ 1));
  return absl::OkStatus();
}

std::vector<std::string> Robot::Slots() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(state_ + "/slots")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void Robot::StartWhatIsDue() {
  if (!control_ && clock_.Now() >= control_at_) StartControl();
  if (!agent_ && clock_.Now() >= agent_at_) StartAgent();
  if (!agent_ || !control_ || joined_) return;
  joined_ = true;
  report_due_ = {};
  agent_->OnControlOpen();
}

void Robot::StartControl() {
  source_ = std::make_unique<MarkerSource>(state_, clock_, log_);
  control_ = std::make_unique<control::ControlCore>(state_, files_, clock_, *source_);
}

void Robot::StartAgent() {
  journal_ = Must(lifecycle::Journal::Open(state_ + "/agent/journal.sqlite", clock_.WallMs()));
  store_ = std::make_unique<lifecycle::UnitStore>(files_, state_);
  porter_ = std::make_unique<lifecycle::Porter>(*store_, uplink_, kReserveBytes);
  agent_ = Must(lifecycle::Agent::Start({.clock = clock_,
                                         .gatekeeper = uplink_,
                                         .control = *this,
                                         .journal = *journal_,
                                         .store = *store_},
                                        lifecycle::AgentOptions(), clock_.Now()));
}

void Robot::Step() {
  seen_.ticked = false;
  StartWhatIsDue();
  TakeOrders();
  Drive();
  if (control_) control_->Poll(clock_.Now());
  ReportToAgent();
  RunAgent();
}

// --- the robot's program and control -----------------------------------------------------------

v1::Observation Robot::Look() {
  v1::Observation seen;
  const int64_t now_ns = clock_.Now().count();
  seen.set_seq(++seq_);
  seen.set_stamp_ns(now_ns);
  seen.set_want_command(!paused_);
  seen.set_network_up(true);
  seen.set_estop_pressed(estop_pressed_);
  v1::Odometry& odom = *seen.mutable_odom();
  odom.set_stamp_ns(now_ns);
  odom.set_x_m(x_m_);
  odom.set_vx_mps(vx_mps_);
  odom.set_wz_radps(wz_radps_);
  return seen;
}

void Robot::Drive() {
  const v1::Observation observation = Look();
  v1::Command stop;  // what the client library gives when control does not answer
  stop.set_stop(true);
  if (!control_) return Move(stop);
  control_->SetSurroundings({.robot_connected = true});
  control_->Observe(observation, clock_.Now());
  log_->runs.clear();
  control_->Tick(clock_.Now());
  const uint64_t asked = paused_ ? 0 : observation.seq();
  seen_ = {.ticked = true,
           .asked = asked,
           .answer = control_->CommandFor(asked),
           .drivers = std::exchange(log_->runs, {}),
           .estop_pressed = estop_pressed_,
           .contact = seen_.contact};
  control::ShadowFrame frame;
  if (control_->TakeShadow(frame)) {
    control::ShadowResult result;
    control::RunShadow(frame, result);
    control_->AcceptShadow(result, clock_.Now());
  }
  Move(seen_.answer);
}

void Robot::Move(const v1::Command& command) {
  const bool drives = !command.stop() && command.values_size() == 2;
  vx_mps_ = drives ? command.values(0) : 0;
  wz_radps_ = drives ? command.values(1) : 0;
  x_m_ += vx_mps_ * kStepS;
}

void Robot::TakeOrders() {
  for (const v1::ControlOrder& order : std::exchange(orders_, {})) {
    if (control_) control_->Apply(order, clock_.Now());
  }
}

absl::Status Robot::Send(const v1::ControlOrder& order) {
  if (!joined_) return absl::UnavailableError("gatekeeper-control is not there");
  orders_.push_back(order);
  return absl::OkStatus();
}

void Robot::ReportToAgent() {
  if (!joined_) return;
  const Nanos now = clock_.Now();
  if (control_->changes() == changes_reported_ && now < report_due_) return;
  changes_reported_ = control_->changes();
  report_due_ = now + kReportEvery;
  agent_->OnControl(control_->Report(now), now);
}

// --- the agent ---------------------------------------------------------------------------------

void Robot::RunAgent() {
  const Uplink::News news = uplink_.Attend(agent_ != nullptr);
  if (!agent_) return;
  const Nanos now = clock_.Now();
  if (news == Uplink::News::kOpened) agent_->OnLinkOpen(now);
  if (news == Uplink::News::kClosed) agent_->OnLinkClosed();
  for (const v1::ServerMessage& message : uplink_.TakeForAgent()) {
    seen_.contact = now;
    agent_->OnServer(message, now);
  }
  const std::atomic<bool> cancelled = false;
  while (const std::optional<lifecycle::Task> task = agent_->TakeTask(now)) {
    agent_->OnTaskDone(*task, porter_->Run(*task, cancelled), now);
  }
  agent_->Poll(now);
  uplink_.DeliverToGatekeeper();
}

}  // namespace tests::journeys
