#include "tests/journeys/uplink.h"

#include <algorithm>
#include <utility>

#include "agent/base/status_macros.h"

namespace tests::journeys {
namespace {

using std::chrono::milliseconds;

constexpr Nanos kNoticedAfter = milliseconds(3000);  // keep-alive of both sides
constexpr Nanos kConnectAfter = milliseconds(500);   // the agent's back-off
constexpr size_t kChunk = 100;                       // bytes; several chunks a file

absl::Status NoNetwork() { return absl::UnavailableError("no connection to the gatekeeper"); }

}  // namespace

void Uplink::Cut() {
  if (!cut_since_) cut_since_ = clock_.Now();
}

void Uplink::Break() {
  up_.clear();
  down_.clear();
  connect_at_ = clock_.Now() + kConnectAfter;
}

Uplink::News Uplink::Attend(bool agent_runs) {
  const bool dead = cut_since_ && clock_.Now() - *cut_since_ >= kNoticedAfter;
  if (connection_ && (dead || !agent_runs || clock_.Now() < connect_at_)) {
    headquarters_.core().OnDisconnected(robot_, *connection_, headquarters_.Now());
    connection_.reset();
    Break();
    return News::kClosed;
  }
  if (connection_ || !agent_runs || !Reachable() || clock_.Now() < connect_at_) return News::kNone;
  const absl::StatusOr<uint64_t> number =
      headquarters_.core().OnConnected(robot_, headquarters_.Now());
  if (!number.ok()) return News::kNone;
  connection_ = *number;
  return News::kOpened;
}

void Uplink::Queue(const v1::ServerMessage& message) {
  if (connection_) down_.push_back({clock_.Now() + delay_, message});
}

std::vector<v1::ServerMessage> Uplink::TakeForAgent() {
  std::vector<v1::ServerMessage> arrived;
  while (Reachable() && !down_.empty() && down_.front().due <= clock_.Now()) {
    arrived.push_back(std::move(down_.front().message));
    down_.pop_front();
  }
  return arrived;
}

void Uplink::DeliverToGatekeeper() {
  while (Reachable() && !up_.empty() && up_.front().due <= clock_.Now()) {
    const v1::AgentMessage message = std::move(up_.front().message);
    up_.pop_front();
    const gatekeeper::server::Moment now = headquarters_.Now();
    if (message.has_observed()) headquarters_.core().OnObserved(robot_, message.observed(), now);
    if (message.has_event()) headquarters_.core().OnEvent(robot_, message.event(), now);
  }
}

absl::Status Uplink::Send(const v1::AgentMessage& message) {
  if (!connection_) return NoNetwork();
  if (message.has_observed()) {
    // Only the newest of those that wait is worth sending.
    std::erase_if(up_, [this](const auto& waiting) {
      return waiting.message.has_observed() && (!Reachable() || waiting.due <= clock_.Now());
    });
  }
  up_.push_back({clock_.Now() + delay_, message});
  return absl::OkStatus();
}

absl::StatusOr<v1::UnitPapers> Uplink::GetUnit(const std::string& digest) {
  if (!Reachable()) return NoNetwork();
  return headquarters_.Papers(digest);
}

absl::Status Uplink::FetchBlob(const std::string& sha256, uint64_t offset,
                               const agent::lifecycle::Sink& sink) {
  if (!Reachable()) return NoNetwork();
  ASSIGN_OR_RETURN(std::string bytes, headquarters_.Blob(sha256));
  if (corrupt_.erase(sha256) > 0) bytes.back() = static_cast<char>(bytes.back() ^ 1);
  fetched_.push_back(sha256);
  for (size_t at = offset; at < bytes.size(); at += kChunk) {
    RETURN_IF_ERROR(sink(std::string_view(bytes).substr(at, kChunk)));
  }
  return absl::OkStatus();
}

}  // namespace tests::journeys
