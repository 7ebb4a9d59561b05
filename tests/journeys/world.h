#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/journeys/headquarters.h"
#include "tests/journeys/robot.h"
#include "tests/journeys/unit_book.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace tests::journeys {

inline constexpr char kPerson[] = "operator/mara";
inline constexpr Nanos kStep = std::chrono::milliseconds(50);

// One gatekeeper and its fleet in one process, on a clock that moves only by Step. Everything that
// decides is the real thing; what is not here are sockets, threads, worker processes and TLS.
class World {
 public:
  World();

  // The journey's one fleet.
  absl::Status AddRobots(const std::string& fleet, const std::vector<std::string>& names);
  // Everybody lives through one step; `by` is more than kStep only where nothing goes on.
  void Step(Nanos by = kStep);
  void RestartGatekeeper();

  const FakeClock& clock() const { return clock_; }
  double Seconds() const;  // since the journey began
  Headquarters& headquarters() { return headquarters_; }
  const std::string& fleet() const { return fleet_; }
  const v1::RolloutPlan& plan() const { return plan_; }
  UnitBook& units() { return units_; }
  const UnitBook& units() const { return units_; }
  const std::vector<std::unique_ptr<Robot>>& robots() const { return robots_; }
  Robot* FindRobot(const std::string& name) const;
  // The newest rollout as the gatekeeper has it after the last step.
  const std::optional<v1::RolloutState>& rollout() const { return rollout_; }
  // The fleet as the gatekeeper sees it.
  v1::FleetView View();

 private:
  void LookAtRollout();

  TempFolder folder_;
  FakeClock clock_;
  const Nanos began_;
  UnitBook units_;
  v1::RolloutPlan plan_;
  Headquarters headquarters_;
  std::string fleet_;
  std::vector<std::unique_ptr<Robot>> robots_;
  std::optional<v1::RolloutState> rollout_;
};

}  // namespace tests::journeys
