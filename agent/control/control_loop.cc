#include "agent/control/control_loop.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

constexpr Nanos kHousekeeping = std::chrono::milliseconds(20);
constexpr Nanos kReportEvery = std::chrono::milliseconds(200);
// News do not wait for the next regular report, but a flood of them does not become one of packets.
constexpr Nanos kReportApart = std::chrono::milliseconds(20);
constexpr int kOrdersAtOnce = 32;  // then the robot gets its turn
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
    const bool calm = Calm();
    const auto when_calm = [calm](int fd) { return calm ? fd : -1; };
    std::array<pollfd, 7> fds = {{{stop_fd, POLLIN, 0},
                                  {parts_.robot.listener_fd(), POLLIN, 0},
                                  {parts_.robot.peer_fd(), POLLIN, 0},
                                  {when_calm(parts_.agent.listener_fd()), POLLIN, 0},
                                  {when_calm(parts_.agent.peer_fd()), POLLIN, 0},
                                  {when_calm(parts_.unit_news_fd), POLLIN, 0},
                                  {when_calm(parts_.shadow.result_fd()), POLLIN, 0}}};
    WaitUntil(fds, calm ? NextDue() : next_own_tick_, parts_.clock.Now());
    if (fds[0].revents != 0) break;
    if (fds[2].revents != 0) ServeRobot();
    if (fds[1].revents != 0) parts_.robot.Accept();
    TickWhenDue();
    if (!Calm()) continue;
    if (fds[3].revents != 0) parts_.agent.Accept();
    if (fds[4].revents != 0) ServeAgent();
    FollowAgent();
    if (fds[6].revents != 0) {
      if (const ShadowResult* const result = parts_.shadow.Result()) {
        parts_.core.AcceptShadow(*result, parts_.clock.Now());
        parts_.shadow.Release();
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

// The robot is not about to ask.
bool ControlLoop::Calm() const { return parts_.clock.Now() - answered_ < parts_.core.period() / 2; }

// One packet: the next one, if there is one already, makes the next wait end at once, which costs
// no more than asking in vain whether it is there.
void ControlLoop::ServeRobot() {
  base::PacketBuffer* const packet = parts_.robot.Receive();
  if (packet == nullptr) return;
  const Nanos received = parts_.clock.Now();
  if (const absl::Status parsed = observation_.Parse(packet->bytes(), packet->attached().get());
      !parsed.ok()) {
    spdlog::error("robot turned away: {}", std::string(parsed.message()));
    parts_.robot.Drop();
    return;
  }
  const v1::Observation& observation = observation_.observation();
  parts_.core.Observe(observation_, received);
  if (observation.want_command()) {
    TickFor(observation.seq(), received);
    next_own_tick_ = received + parts_.core.period() * 3 / 2;
  }
  parts_.recorder.AddPacket(packet->bytes(), std::move(packet->attached()), observation.has_image(),
                            received);
}

void ControlLoop::TickWhenDue() {
  const Nanos now = parts_.clock.Now();
  if (now < next_own_tick_) return;
  TickFor(0, next_own_tick_);
  next_own_tick_ = now + parts_.core.period();
}

void ControlLoop::TickFor(uint64_t seq, Nanos asked) {
  const Nanos start = parts_.clock.Now();
  TakeSignals(start);
  const runtime::Tick& tick = parts_.core.Tick(start);
  const v1::Command& command = parts_.core.CommandFor(seq);
  const Nanos decided = parts_.clock.Now();
  command.SerializeToString(&bytes_);
  parts_.robot.Send(bytes_);
  // Everything below is after the answer: it delays nobody.
  const Nanos sent = parts_.clock.Now();
  answered_ = sent;
  parts_.supervisor.Works(sent);
  const ModelTimes& model = parts_.core.model_times();
  runtime::WriteRecord(tick, record_);
  v1::LatencySplit& latency = *record_.mutable_latency();
  latency.set_wait_ns((start - asked).count());
  latency.set_copy_ns(model.copy.count());
  latency.set_run_ns(model.run.count());
  latency.set_check_ns((decided - start - model.copy - model.run).count());
  latency.set_publish_ns((sent - decided).count());
  parts_.recorder.AddTick(record_, tick.now);
  parts_.recorder.AddCommand(bytes_, tick.now);
  parts_.core.Remember(sent);
  latency_.Count(tick);
  if (parts_.core.TakeShadow(parts_.shadow.frame())) parts_.shadow.Offer();
}

// Before a tick, so that it decides on the newest; what is recorded is what was set.
void ControlLoop::TakeSignals(Nanos now) {
  const auto set = [this](const OwnSignal& signal, Nanos at) {
    parts_.core.SetSignal(signal.name, signal.value, at);
    parts_.recorder.AddSignal(signal.name, signal.value, at);
  };
  if (const std::optional<health::HealthSample> sample = parts_.health.Take()) {
    parts_.recorder.AddHealth(*sample);
    const HealthSignals signals(*sample);
    for (const OwnSignal& signal : signals.values()) set(signal, sample->at);
  }
  if (const std::optional<OwnSignal> latency = latency_.Due(now)) set(*latency, now);
}

void ControlLoop::ServeAgent() {
  for (int i = 0; i < kOrdersAtOnce; ++i) {
    base::PacketBuffer* const packet = parts_.agent.Receive();
    if (packet == nullptr) return;
    v1::ControlOrder order;
    if (!order.ParseFromString(std::string(packet->bytes()))) {
      spdlog::error("agent turned away: it sent a packet that is no order");
      parts_.agent.Drop();
      return;
    }
    parts_.core.Apply(order, parts_.clock.Now());
  }
}

void ControlLoop::FollowAgent() {
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
    parts_.recorder.AddEvent(event, parts_.clock.Now());
    spdlog::info("{} {} {}", event.kind(), event.unit_digest().substr(0, 12), event.detail());
  }
}

void ControlLoop::SayStop() {
  v1::Command stop = parts_.core.CommandFor(0);
  for (double& value : *stop.mutable_values()) value = 0;
  stop.set_stop(true);
  stop.set_state(kStopped);
  stop.add_reasons("gatekeeper-control is shutting down");
  bytes_ = stop.SerializeAsString();
  parts_.robot.Send(bytes_);
  parts_.recorder.AddCommand(bytes_, parts_.clock.Now());
}

}  // namespace agent::control
