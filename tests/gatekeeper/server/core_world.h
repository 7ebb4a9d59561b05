#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/server/receipt_cursor.h"
#include "gatekeeper/server/unit_upload.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/gatekeeper/rollout/rollout_world.h"
#include "tests/support/sealed_unit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace tests {

namespace server = gatekeeper::server;
namespace store = gatekeeper::store;

// A gatekeeper's core on a real database, and robots that obey it, in one process and by one clock.
class CoreWorld {
 public:
  struct Robot {
    uint64_t connection = 0;  // 0: not connected
    bool deaf = false;        // takes no orders in
    v1::DesiredState desired;
    v1::ObservedState observed;
    int heartbeats = 0;
    int acknowledgements = 0;
    std::vector<v1::Rearm> rearms;
    int recalls = 0;             // messages
    std::string recalled;        // digests of the newest, with a space after each
    std::string known_recalled;  // the same when `desired` came
    std::vector<uint64_t> acks;
    std::function<void(v1::ObservedState&)> spoil;  // what goes wrong in each of its reports
  };

  CoreWorld() { Open(); }

  void AddFleet(const std::string& fleet, int count, const std::string& hardware = "amr-v2") {
    EXPECT_OK(core->CreateFleet(fleet, kMara, now));
    for (int i = 0; i < count; ++i) {
      v1::CreateRobotRequest request;
      request.set_fleet(fleet);
      request.set_robot(fleet + "-" + std::to_string(i));
      request.set_hardware(hardware);
      EXPECT_OK(core->CreateRobot(request, kMara, now));
      Connect(request.robot());
    }
  }
  void Connect(const std::string& name) {
    robots[name].connection = Must(core->OnConnected(name, now));
  }
  void Disconnect(const std::string& name) {
    core->OnDisconnected(name, robots[name].connection, now);
    robots[name].connection = 0;
  }

  // nav@VERSION, pushed; gives its digest.
  std::string AddUnit(const std::string& version) { return Push({.version = version}); }
  std::string Push(UnitRecipe recipe) {
    recipe.hardware = {"amr-v2"};
    const SealedUnit unit = MakeUnit(recipe);
    server::UnitUpload upload(*blobs, TestTrust());
    v1::PushUnitRequest part;
    *part.mutable_papers() = unit.papers;
    EXPECT_OK(upload.Accept(part));
    for (const auto& [path, bytes] : unit.files) {
      part.mutable_blob()->set_sha256(agent::trust::Sha256(bytes).hex());
      part.mutable_blob()->set_data(bytes);
      EXPECT_OK(upload.Accept(part));
    }
    EXPECT_OK(upload.Finish(*store, "operator/ci", now));
    return unit.digest;
  }

  absl::StatusOr<v1::RolloutState> Start(const std::string& unit,
                                         const std::string& fleet = "north") {
    v1::StartRolloutRequest request;
    request.set_fleet(fleet);
    request.set_unit(unit);
    *request.mutable_plan() = ShortPlan();
    auto started = core->StartRollout(request, kMara, now);
    HandOut();
    return started;
  }
  absl::StatusOr<std::string> Rollback(const std::string& to = "") {
    v1::RollbackRequest request;
    request.set_fleet("north");
    request.set_reason("it spins");
    request.set_to_unit(to);
    auto incident = core->Rollback(request, kMara, now);
    HandOut();
    return incident;
  }

  // Half a second: every connected robot obeys and reports, then the core is polled.
  void Tick() {
    now.ms += 500;
    now.wall_ms += 500;
    for (auto& [name, robot] : robots) {
      if (robot.connection == 0) continue;
      if (!robot.deaf) Obey(robot.desired, robot.observed);
      if (robot.spoil) robot.spoil(robot.observed);
      core->OnObserved(name, robot.observed, now);
    }
    EXPECT_OK(core->Poll(now));
    HandOut();
  }
  template <class Done>
  bool TickUntil(Done done, int seconds = 120) {
    for (int i = 0; i < 2 * seconds && !done(); ++i) Tick();
    return done();
  }
  bool TickUntilPhase(v1::RolloutPhase phase) {
    return TickUntil([&] { return Newest().phase() == phase; });
  }
  // Rolls nav@VERSION out to the whole fleet.
  void Promote(const std::string& version) {
    EXPECT_OK(Start("nav@" + version));
    EXPECT_TRUE(TickUntilPhase(v1::DONE)) << Newest().DebugString();
  }

  v1::RolloutState Newest(const std::string& fleet = "north") {
    v1::GetRolloutRequest request;
    request.set_fleet(fleet);
    return Must(core->ViewRollout(request, now)).state();
  }
  const std::string& Running(const std::string& robot) {
    return robots[robot].observed.control().running_digest();
  }
  std::vector<v1::RollbackReceipt> Receipts(server::ReceiptCursor& cursor) {
    return cursor.Take(*core, now);
  }
  std::vector<std::string> AuditActions() {
    std::vector<std::string> actions;
    const v1::AuditList trail = Must(core->ReadAudit(0));
    for (const auto& entry : trail.entries()) {
      actions.push_back(entry.actor() + " " + entry.action());
    }
    return actions;
  }

  // The process dies and another one begins, with another monotonic clock; robots come back.
  void Restart() {
    core.reset();
    store.reset();
    now.ms = 77'000;
    Open();
    for (auto& [name, robot] : robots) {
      if (robot.connection != 0) Connect(name);
    }
    HandOut();
  }
  void HandOut() {
    for (server::Outgoing& outgoing : core->TakeOutgoing()) {
      Robot& robot = robots[outgoing.robot];
      if (robot.connection == 0) continue;
      const v1::ServerMessage& message = outgoing.message;
      if (message.has_desired() && message.desired().generation() > robot.desired.generation()) {
        robot.desired = message.desired();
        robot.known_recalled = robot.recalled;
      }
      if (message.has_recall()) {
        ++robot.recalls;
        robot.recalled.clear();
        for (const auto& unit : message.recall().units()) robot.recalled += unit.digest() + " ";
      }
      robot.heartbeats += message.has_heartbeat();
      robot.acknowledgements += message.has_acknowledge();
      if (message.has_rearm()) robot.rearms.push_back(message.rearm());
      if (message.has_event_ack()) robot.acks.push_back(message.event_ack().id());
    }
  }

  static constexpr char kMara[] = "operator/mara";
  TempFolder folder;
  server::Moment now{3'600'000, 1'767'225'600'000};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<store::BlobFolder> blobs;
  std::unique_ptr<server::FleetCore> core;
  std::map<std::string, Robot> robots;

 private:
  void Open() {
    store = Must(store::Store::Open(folder / "gatekeeper.db"));
    blobs = std::make_unique<store::BlobFolder>(Must(store::BlobFolder::Open(folder / "blobs")));
    core = Must(server::FleetCore::Open(*store, *blobs, now));
  }
};

}  // namespace tests
