#include "agent/control/control_loop.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/control/observation_packet.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

constexpr Nanos kHousekeeping = std::chrono::milliseconds(20);
constexpr Nanos kReportEvery = std::chrono::milliseconds(200);
// News do not wait for the next regular report, but a flood of them does not become one of packets.
constexpr Nanos kReportApart = std::chrono::milliseconds(20);
constexpr int kPacketsAtOnce = 32;  // then the own tick gets its turn
constexpr char kStopped[] = "SHUT_DOWN";

void WaitUntil(std::array<pollfd, 7>& fds, Nanos due, Nanos now) {
  const Nanos left = std::max(due - now, Nanos(0));
  const timespec wait{.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
                      .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
  ppoll(fds.data(), fds.size(), &wait, nullptr);
}

}  // namespace

ControlLoop::ControlLoop(Parts parts)
    : parts_(std::move(parts)), next_own_tick_(parts_.clock.Now()) {}

void ControlLoop::Run(int stop_fd) {
  while (true) {
    // A descriptor of -1 is passed over by poll.
    std::array<pollfd, 7> fds = {{{stop_fd, POLLIN, 0},
                                  {parts_.robot.listener_fd(), POLLIN, 0},
                                  {parts_.robot.peer_fd(), POLLIN, 0},
                                  {parts_.agent.listener_fd(), POLLIN, 0},
                                  {parts_.agent.peer_fd(), POLLIN, 0},
                                  {parts_.source.news_fd(), POLLIN, 0},
                                  {parts_.shadow.result_fd(), POLLIN, 0}}};
    WaitUntil(fds, NextDue(), parts_.clock.Now());
    if (fds[0].revents != 0) break;
    ServeRobot();
    if (fds[1].revents != 0) parts_.robot.Accept();
    TickWhenDue();
    if (fds[3].revents != 0) parts_.agent.Accept();
    ServeAgent();
    if (fds[6].revents != 0) {
      if (const auto result = parts_.shadow.Take()) {
        parts_.core.AcceptShadow(*result, parts_.clock.Now());
      }
    }
    parts_.core.SetSurroundings({.robot_connected = parts_.robot.connected(),
                                 .realtime = parts_.realtime,
                                 .recorder_dropped = parts_.recorder.dropped()});
    parts_.core.Poll(parts_.clock.Now());
    ReportWhenDue();
    LogNews();
  }
  SayStop();
}

Nanos ControlLoop::NextDue() const {
  const Nanos report = parts_.agent.connected() ? next_report_ : Nanos::max();
  return std::min({next_own_tick_, report, parts_.clock.Now() + kHousekeeping});
}

void ControlLoop::ServeRobot() {
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    const std::optional<base::Packet> packet = parts_.robot.Receive();
    if (!packet) return;
    const Nanos received = parts_.clock.Now();
    absl::StatusOr<v1::Observation> observation = ParseObservation(*packet);
    if (!observation.ok()) {
      spdlog::error("robot turned away: {}", std::string(observation.status().message()));
      parts_.robot.Drop();
      return;
    }
    parts_.core.Observe(*observation, received);
    if (observation->want_command()) {
      TickFor(observation->seq());
      next_own_tick_ = received + parts_.core.period() * 3 / 2;
    }
    parts_.recorder.Add(*std::move(observation), received);
  }
}

void ControlLoop::TickWhenDue() {
  const Nanos now = parts_.clock.Now();
  if (now < next_own_tick_) return;
  TickFor(0);
  next_own_tick_ = now + parts_.core.period();
}

void ControlLoop::TickFor(uint64_t seq) {
  const runtime::Tick& tick = parts_.core.Tick(parts_.clock.Now());
  v1::Command command = parts_.core.CommandFor(seq);
  command.SerializeToString(&bytes_);
  parts_.robot.Send(bytes_);
  // Everything below is after the answer: it delays nobody.
  if (std::optional<ShadowFrame> frame = parts_.core.TakeShadow()) {
    parts_.shadow.Offer(*std::move(frame));
  }
  parts_.recorder.Add(runtime::ToRecord(tick), tick.now);
  parts_.recorder.Add(std::move(command), tick.now);
}

void ControlLoop::ServeAgent() {
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    const std::optional<base::Packet> packet = parts_.agent.Receive();
    if (!packet) break;
    v1::ControlOrder order;
    if (!order.ParseFromString(packet->bytes)) {
      spdlog::error("agent turned away: it sent a packet that is no order");
      parts_.agent.Drop();
      break;
    }
    parts_.core.Apply(order, parts_.clock.Now());
  }
  const bool here = parts_.agent.connected();
  if (!here && agent_was_here_) parts_.core.LoseAgent(parts_.clock.Now());
  if (here && !agent_was_here_) next_report_ = Nanos{};
  agent_was_here_ = here;
}

void ControlLoop::ReportWhenDue() {
  if (!parts_.agent.connected()) return;
  const Nanos now = parts_.clock.Now();
  const bool news = parts_.core.changes() != reported_changes_;
  if (news) next_report_ = std::min(next_report_, now + kReportApart);
  if (now < next_report_) return;
  parts_.agent.Send(parts_.core.Report(now).SerializeAsString());
  reported_changes_ = parts_.core.changes();
  next_report_ = now + kReportEvery;
}

void ControlLoop::LogNews() {
  for (const v1::ControlEvent& event : parts_.core.events().pending()) {
    if (event.seq() <= logged_event_) continue;
    logged_event_ = event.seq();
    spdlog::info("{} {} {}", event.kind(), event.unit_digest().substr(0, 12), event.detail());
  }
}

void ControlLoop::SayStop() {
  v1::Command stop = parts_.core.CommandFor(0);
  for (double& value : *stop.mutable_values()) value = 0;
  stop.set_stop(true);
  stop.set_state(kStopped);
  stop.add_reasons("gatekeeper-control is shutting down");
  parts_.robot.Send(stop.SerializeAsString());
  parts_.recorder.Add(std::move(stop), parts_.clock.Now());
}

}  // namespace agent::control
