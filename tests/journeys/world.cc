#include "tests/journeys/world.h"

#include <cstdlib>
#include <filesystem>

#include "agent/base/status_macros.h"
#include "gatekeeper/rollout/plan.h"
#include "gatekeeper/rollout/step.h"
#include "tests/agent/trust/unit_fixture.h"

namespace tests::journeys {
namespace {

constexpr char kPlanFile[] = JOURNEYS_FOLDER "/plan.yaml";

std::string Made(const std::string& folder) {
  std::filesystem::create_directories(folder);
  return folder;
}

// What no power cut can reach needs no disk, and syncs cost nothing there.
TempFolder FolderInMemory() {
  if (std::filesystem::exists("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
  return {};
}

}  // namespace

World::World()
    : folder_(FolderInMemory()),
      began_(clock_.Now()),
      plan_(Must(gatekeeper::rollout::ReadPlan(ReadFile(kPlanFile), "plan.yaml"))),
      headquarters_(Made(folder_ / "gatekeeper"), clock_) {}

absl::Status World::AddRobots(const std::string& fleet, const std::vector<std::string>& names) {
  if (!fleet_.empty()) return absl::FailedPreconditionError("a journey has one fleet");
  fleet_ = fleet;
  RETURN_IF_ERROR(headquarters_.core().CreateFleet(fleet, kPerson, headquarters_.Now()));
  for (const std::string& name : names) {
    v1::CreateRobotRequest request;
    request.set_fleet(fleet);
    request.set_robot(name);
    request.set_hardware("amr");
    RETURN_IF_ERROR(
        headquarters_.core().CreateRobot(request, kPerson, headquarters_.Now()).status());
    robots_.push_back(std::make_unique<Robot>(name, Made(folder_ / name), headquarters_, clock_));
  }
  return absl::OkStatus();
}

void World::Step(Nanos by) {
  clock_.Advance(by);
  for (const auto& robot : robots_) robot->Step();
  if (!headquarters_.core().Poll(headquarters_.Now()).ok()) std::abort();
  for (const gatekeeper::server::Outgoing& outgoing : headquarters_.core().TakeOutgoing()) {
    FindRobot(outgoing.robot)->uplink().Queue(outgoing.message);
  }
  LookAtRollout();
}

void World::RestartGatekeeper() {
  headquarters_.Restart();
  for (const auto& robot : robots_) robot->uplink().Break();
}

double World::Seconds() const {
  return std::chrono::duration<double>(clock_.Now() - began_).count();
}

Robot* World::FindRobot(const std::string& name) const {
  for (const auto& robot : robots_) {
    if (robot->name() == name) return robot.get();
  }
  return nullptr;
}

v1::FleetView World::View() {
  return Must(headquarters_.core().ViewFleet(fleet_, headquarters_.Now()));
}

void World::LookAtRollout() {
  if (fleet_.empty()) return;
  const v1::FleetView view = View();
  if (view.has_active_rollout()) {
    rollout_ = view.active_rollout();
  } else if (rollout_ && !gatekeeper::rollout::IsFinal(rollout_->phase())) {
    v1::GetRolloutRequest request;
    request.set_id(rollout_->id());
    rollout_ = Must(headquarters_.core().ViewRollout(request, headquarters_.Now())).state();
  }
}

}  // namespace tests::journeys
