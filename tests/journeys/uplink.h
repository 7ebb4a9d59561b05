#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/lifecycle/links.h"
#include "tests/journeys/headquarters.h"

namespace tests::journeys {

using agent::base::Nanos;

// One robot's network: the GatekeeperLink of its agent, with FleetCore at the other end instead of
// gRPC. Like TCP it loses nothing while a connection lives: a cut holds everything back, and ends
// the connection once both sides have noticed.
class Uplink final : public agent::lifecycle::GatekeeperLink {
 public:
  Uplink(std::string robot, Headquarters& headquarters, const FakeClock& clock)
      : robot_(std::move(robot)), headquarters_(headquarters), clock_(clock) {}

  // --- what happens to it
  void Cut();
  void Mend() { cut_since_.reset(); }
  void SetDelay(Nanos delay) { delay_ = delay; }
  // One byte of this file of a unit is flipped on its way, once.
  void CorruptNext(const std::string& sha256) { corrupt_.insert(sha256); }
  // A process at one end is gone: the connection ends at once, and what was under way is lost.
  void Break();

  // --- once a step
  enum class News { kNone, kOpened, kClosed };
  // Connects, or notices that the connection is dead. `agent_runs`: somebody wants to connect.
  News Attend(bool agent_runs);
  void Queue(const v1::ServerMessage& message);  // from the gatekeeper
  std::vector<v1::ServerMessage> TakeForAgent();
  void DeliverToGatekeeper();

  bool open() const { return connection_.has_value(); }
  // Files handed out since the last call, by digest.
  std::vector<std::string> TakeFetched() { return std::exchange(fetched_, {}); }

  // --- GatekeeperLink
  absl::Status Send(const v1::AgentMessage& message) override;
  absl::StatusOr<v1::UnitPapers> GetUnit(const std::string& digest) override;
  absl::Status FetchBlob(const std::string& sha256, uint64_t offset,
                         const agent::lifecycle::Sink& sink) override;

 private:
  template <class Message>
  struct UnderWay {
    Nanos due;
    Message message;
  };
  bool Reachable() const { return !cut_since_; }

  const std::string robot_;
  Headquarters& headquarters_;
  const FakeClock& clock_;
  std::optional<Nanos> cut_since_;
  Nanos delay_{};
  Nanos connect_at_{};
  std::optional<uint64_t> connection_;  // FleetCore's number of it
  std::deque<UnderWay<v1::AgentMessage>> up_;
  std::deque<UnderWay<v1::ServerMessage>> down_;
  std::set<std::string> corrupt_;
  std::vector<std::string> fetched_;
};

}  // namespace tests::journeys
