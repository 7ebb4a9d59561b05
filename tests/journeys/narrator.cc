#include "tests/journeys/narrator.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace tests::journeys {
namespace {

std::string WaveOf(const v1::RolloutState& state) {
  return state.plan().waves(static_cast<int>(state.wave())).name();
}

}  // namespace

void Narrator::Say(const std::string& who, const std::string& what) {
  lines_.push_back(
      world_.units().Named(absl::StrFormat("%8.2f  %-10s %s", world_.Seconds(), who, what)));
}

void Narrator::Change(const std::string& who, std::string& known, const std::string& now) {
  if (std::exchange(known, now) != now) Say(who, now);
}

std::vector<std::string> Narrator::Tell() {
  for (const auto& robot : world_.robots()) TellRobot(*robot);
  TellRollout();
  TellReceipts();
  return std::exchange(lines_, {});
}

void Narrator::TellRobot(Robot& robot) {
  const auto [at, is_new] = robots_.try_emplace(robot.name());
  Robotwise& known = at->second;
  if (is_new) known.process = "runs";
  std::string down;
  if (robot.agent() == nullptr) down = "agent";
  if (robot.control() == nullptr) down += down.empty() ? "control" : " and control";
  Change(robot.name(), known.process, down.empty() ? "runs" : down + " is down");
  if (robot.control() != nullptr) Change(robot.name(), known.drive, DriveOf(robot));
  if (robot.agent() == nullptr) return;
  Change(robot.name(), known.link, robot.uplink().open() ? "is connected" : "is not connected");
  TellFetched(robot);
  Change(robot.name(), known.life, LifeOf(robot));
}

std::string Narrator::DriveOf(const Robot& robot) const {
  const v1::Command& answer = robot.seen().answer;
  if (answer.unit_digest().empty()) return "stands by rules only (" + answer.state() + ")";
  return absl::StrFormat("drives %s (%s)", answer.unit_digest(), answer.state());
}

std::string Narrator::LifeOf(const Robot& robot) const {
  const v1::ObservedState seen = robot.agent()->Observed();
  std::string text = v1::LifecycleState_Name(seen.lifecycle());
  if (!seen.candidate_digest().empty()) text += " " + seen.candidate_digest();
  const bool ended = seen.lifecycle() == v1::REFUSED || seen.lifecycle() == v1::ROLLING_BACK ||
                     seen.lifecycle() == v1::ROLLED_BACK || seen.lifecycle() == v1::SAFE_FALLBACK;
  if (ended && !seen.reason().empty()) text += ": " + seen.reason();
  return text;
}

void Narrator::TellFetched(Robot& robot) {
  const size_t files = robot.uplink().TakeFetched().size();
  if (files > 0) Say(robot.name(), absl::StrFormat("downloads %d files", files));
}

void Narrator::TellRollout() {
  if (!world_.rollout()) return;
  const v1::RolloutState& state = *world_.rollout();
  std::string text =
      absl::StrFormat("of %s: %s", state.unit_digest(), v1::RolloutPhase_Name(state.phase()));
  if (state.phase() < v1::DONE) text += " of wave " + WaveOf(state);
  if (!state.reason().empty()) text += ": " + state.reason();
  Change(state.id(), rollout_, text);
}

void Narrator::Follow(const std::string& incident, Nanos patience) {
  const int64_t wait_ms = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  receipts_.emplace(incident, world_.headquarters().Now().ms + wait_ms);
}

void Narrator::TellReceipts() {
  if (!receipts_) return;
  const auto fresh = receipts_->Take(world_.headquarters().core(), world_.headquarters().Now());
  for (const v1::RollbackReceipt& receipt : fresh) {
    if (!receipt.summary().empty()) {
      Say("receipts", receipt.summary());
      continue;
    }
    std::string text = receipt.outcome();
    if (!receipt.unit().empty()) text += " " + receipt.unit();
    text += absl::StrFormat(" after %.2f s", receipt.seconds());
    if (!receipt.detail().empty()) text += ": " + receipt.detail();
    Say("receipt", receipt.robot() + " " + text);
  }
  if (receipts_->done()) receipts_.reset();
}

}  // namespace tests::journeys
