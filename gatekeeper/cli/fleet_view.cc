#include "gatekeeper/cli/fleet_view.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gatekeeper/cli/table.h"

namespace gatekeeper::cli {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string Wanted(const v1::RobotView& robot) {
  if (robot.desired().unit_digest().empty()) return "-";
  return robot.desired().unit_name() + "@" + robot.desired().unit_version();
}

std::string Link(const v1::RobotView& robot) {
  // Since the server started; what the robot reported before that is kept.
  if (robot.seen_s_ago() < 0) return robot.observed().has_control() ? "away" : "never seen";
  if (robot.connected()) return "connected";
  return absl::StrFormat("away %.0f s", robot.seen_s_ago());
}

std::string Lifecycle(const v1::RobotView& robot) {
  return absl::AsciiStrToLower(v1::LifecycleState_Name(robot.observed().lifecycle()));
}

std::string Attention(const v1::RobotView& robot) {
  const v1::ControlReport& control = robot.observed().control();
  if (control.latched() && control.has_rearm()) {
    return "emergency stop latched: wants approval by " +
           absl::StrJoin(control.rearm().roles(), " and ");
  }
  if (control.latched()) return "emergency stop latched";
  if (robot.seen_s_ago() >= 0 && !robot.observed().has_control()) return "control does not answer";
  return robot.observed().reason();
}

std::string RobotLines(const google::protobuf::RepeatedPtrField<v1::RobotView>& robots) {
  Table table({"ROBOT", "LINK", "RUNNING", "DIGEST", "WANTED", "LIFECYCLE", "STATE", "NOTE"});
  for (const v1::RobotView& robot : robots) {
    const v1::ControlReport& control = robot.observed().control();
    table.Add({robot.robot(), Link(robot), OrDash(robot.running_name()),
               OrDash(control.running_digest().substr(0, 12)), Wanted(robot), Lifecycle(robot),
               OrDash(control.fallback_state()), Attention(robot)});
  }
  return table.Text();
}

}  // namespace

std::string PhaseName(v1::RolloutPhase phase) {
  return absl::AsciiStrToLower(v1::RolloutPhase_Name(phase));
}

bool HasEnded(v1::RolloutPhase phase) {
  return phase == v1::DONE || phase == v1::ABORTED || phase == v1::SUPERSEDED;
}

std::string FleetTable(const v1::FleetView& fleet) {
  std::string text = RobotLines(fleet.robots());
  if (fleet.has_active_rollout()) {
    const v1::RolloutState& rollout = fleet.active_rollout();
    text += absl::StrFormat("rollout %s: %s@%s, %s, wave %d of %d\n", rollout.id(),
                            rollout.unit_name(), rollout.unit_version(), PhaseName(rollout.phase()),
                            rollout.wave() + 1, rollout.plan().waves_size());
  }
  return text;
}

std::string RolloutText(const v1::RolloutView& view) {
  const v1::RolloutState& state = view.state();
  std::string text =
      absl::StrFormat("rollout %s  %s@%s -> fleet %s  %s, wave %d of %d\n", state.id(),
                      state.unit_name(), state.unit_version(), state.fleet(),
                      PhaseName(state.phase()), state.wave() + 1, state.plan().waves_size());
  if (!state.reason().empty()) text += "why: " + state.reason() + "\n";
  if (!view.waiting_for().empty()) text += "waiting for: " + view.waiting_for() + "\n";
  if (!state.incident().empty()) text += "incident: " + state.incident() + "\n";
  return text + RobotLines(view.robots());
}

}  // namespace gatekeeper::cli
