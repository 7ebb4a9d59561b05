#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/lifecycle/agent.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"
#include "tests/agent/lifecycle/fake_links.h"
#include "tests/agent/lifecycle/fused_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sealed_unit.h"
#include "tests/support/temp_folder.h"

namespace tests {

// A folder in memory where there is one: these tests kill processes, not the power, so syncing to a
// disk would only cost time.
inline TempFolder FolderInMemory() {
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
  return TempFolder();
}

// A robot's agent over a real journal and real files, between a fake gatekeeper and a fake control.
// The agent can be killed and started again; the world around it goes on.
class Robot {
 public:
  Robot() : gatekeeper(fuse), control(fuse, clock), files(fuse), store(files, state.path()) {
    spdlog::set_level(spdlog::level::off);
    agent::base::OsFiles real;
    const auto& trust = TestTrust();
    if (!real.WriteDurably(state / "trust.json", trust.ToJson(), 0600).ok()) std::abort();
    if (!real.MakeFolders(state / "slots").ok()) std::abort();
    if (!real.MakeFolders(state / "agent").ok()) std::abort();
    Boot();
  }

  void Boot() {
    journal =
        agent::lifecycle::Journal::Open(state / "agent/journal.sqlite", clock.WallMs()).value();
    porter.emplace(store, gatekeeper, reserve_bytes);
    agent = agent::lifecycle::Agent::Start({.clock = clock,
                                            .gatekeeper = gatekeeper,
                                            .control = control,
                                            .journal = *journal,
                                            .store = store},
                                           {}, clock.Now())
                .value();
    control_open_ = link_open_ = false;
  }
  // As kill -9 does: nobody gets to say goodbye. (What lies in memory is lost; the disk stays.)
  void Kill() {
    agent.reset();
    porter.reset();
    journal.reset();
  }

  // 100 ms of life: links open and close, news and tasks are delivered, control works a step.
  void Turn() {
    if (gatekeeper.connected != link_open_) {
      link_open_ = gatekeeper.connected;
      if (link_open_) {
        agent->OnLinkOpen(clock.Now());
        gatekeeper.Tell();
      } else {
        agent->OnLinkClosed();
      }
    }
    if (control.there != control_open_) {
      control_open_ = control.there;
      control_open_ ? agent->OnControlOpen() : agent->OnControlClosed();
    }
    const auto answers = gatekeeper.TakeAnswers();
    for (const v1::ServerMessage& message : answers) {
      if (gatekeeper.connected) agent->OnServer(message, clock.Now());
    }
    if (control.there) agent->OnControl(control.Turn(), clock.Now());
    if (const auto task = agent->TakeTask(clock.Now())) {
      const std::atomic<bool> cancelled = false;
      agent->OnTaskDone(*task, porter->Run(*task, cancelled), clock.Now());
    }
    agent->Poll(clock.Now());
    clock.Advance(std::chrono::milliseconds(100));
  }
  void Turns(int n) {
    for (int i = 0; i < n; ++i) Turn();
  }
  // Until the lifecycle is in `name`, 60 s at most.
  testing::AssertionResult Reaches(std::string_view name) {
    for (int i = 0; i < 600; ++i) {
      if (StateName() == name) return testing::AssertionSuccess();
      Turn();
    }
    return testing::AssertionFailure()
           << "still " << StateName() << " (" << agent->Observed().reason() << "), wanted " << name;
  }
  std::string StateName() const {
    return std::string(agent::lifecycle::NameOf(agent->lifecycle().state));
  }
  // A robot that runs `unit`, as if it had always.
  void Runs(const SealedUnit& unit) {
    gatekeeper.Publish(unit);
    gatekeeper.Want(unit, v1::STAGE_COMMIT);
    Turn();
    ASSERT_TRUE(Reaches("Committed"));
    Turns(3);
    control.orders.clear();
    gatekeeper.fetched.clear();
  }
  bool HasSlot(const SealedUnit& unit) const {
    return std::filesystem::exists(state / ("slots/" + unit.digest));
  }
  size_t CountIn(const std::string& folder) const {
    if (!std::filesystem::exists(state / folder)) return 0;
    const std::filesystem::directory_iterator all(state / folder);
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  Fuse fuse;
  TempFolder state = FolderInMemory();
  FakeClock clock;
  FakeGatekeeper gatekeeper;
  FakeControl control;
  FusedFiles files;
  agent::lifecycle::UnitStore store;
  uint64_t reserve_bytes = 0;
  std::unique_ptr<agent::lifecycle::Journal> journal;
  std::optional<agent::lifecycle::Porter> porter;
  std::unique_ptr<agent::lifecycle::Agent> agent;

 private:
  bool control_open_ = false;
  bool link_open_ = false;
};

// nav, made once a version.
inline const SealedUnit& Unit(const std::string& version) {
  static std::map<std::string, SealedUnit> units;
  const auto at = units.find(version);
  if (at != units.end()) return at->second;
  return units[version] = MakeUnit({.version = version, .model = "model of " + version});
}

}  // namespace tests
