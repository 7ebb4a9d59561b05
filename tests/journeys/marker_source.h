#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/control/model_source.h"
#include "tests/journeys/marker_model.h"

namespace tests::journeys {

// Workers of one life of control: verifies each slot against the robot's trust.json as the real
// source does, then puts a marker model in the worker's place. A load takes half a second.
class MarkerSource final : public agent::control::ModelSource {
 public:
  MarkerSource(std::string state_folder, const agent::base::Clock& clock,
               std::shared_ptr<RunLog> log)
      : state_(std::move(state_folder)), clock_(clock), log_(std::move(log)) {}

  uint64_t Request(const std::string& digest, const std::string& slot_folder) override;
  std::optional<agent::control::SourceNews> Poll() override;
  void Kill(uint64_t ticket) override;

  // kill -9 of the worker that serves `digest`. False: there is none.
  bool KillWorkerOf(const std::string& digest);

 private:
  struct Order {
    uint64_t ticket;
    std::string digest;
    std::string folder;
    Nanos ready_at;
  };
  struct Worker {
    uint64_t ticket;
    std::string digest;
    std::shared_ptr<bool> alive;
  };
  absl::StatusOr<std::shared_ptr<const agent::control::Crew>> Load(const Order& order);
  void End(Worker& worker);

  const std::string state_;
  const agent::base::Clock& clock_;
  std::shared_ptr<RunLog> log_;
  uint64_t last_ticket_ = 0;
  std::deque<Order> orders_;
  std::vector<Worker> workers_;
  std::deque<agent::control::SourceNews> news_;
};

}  // namespace tests::journeys
