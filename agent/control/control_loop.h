#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/base/supervisor.h"
#include "agent/control/control_core.h"
#include "agent/control/flight_recorder.h"
#include "agent/control/health_thread.h"
#include "agent/control/observation_packet.h"
#include "agent/control/own_signals.h"
#include "agent/control/packet_port.h"
#include "agent/control/shadow_thread.h"

namespace agent::control {

// The control thread: brings the sockets, the clock and the core together. The robot sets the pace;
// when it asks for nothing for one and a half periods, control ticks by itself and sends the
// command unasked (seq 0), so that triggers, leases and stops go on.
//
// The answer goes out before anything is written. Agent, units and files are attended to in the
// first half of the period after an answer only, so that what a slow disk takes is no observation's
// time.
//
// A tick, from the robot's packet to its answer and back to waiting, takes no lock, allocates
// nothing once every buffer has found its size, and makes these system calls: ppoll, recvmsg, two
// futex calls (wake the worker, wait for its answer), sendmsg. An image that came as a memfd adds
// those of mapping it; a supervisor that watches is told by one a few times a second. Reports to
// the agent, five a second, and events do allocate.
class ControlLoop {
 public:
  struct Parts {
    ControlCore& core;
    const base::Clock& clock;
    int unit_news_fd = -1;  // readable while the core's ModelSource may have news
    HealthThread& health;
    ShadowThread& shadow;
    FlightRecorder& recorder;
    PacketPort robot;
    PacketPort agent;
    bool realtime = false;
    base::Supervisor supervisor = {};  // told of answered ticks and of nothing else
  };
  explicit ControlLoop(Parts parts);

  // Until `stop_fd` becomes readable; the robot is then told to stop.
  void Run(int stop_fd);

 private:
  void ServeRobot();
  void ServeAgent();
  // `asked`: when the robot's packet was there, or the tick was due.
  void TickFor(uint64_t seq, base::Nanos asked);
  void TakeSignals(base::Nanos now);
  void FollowAgent();
  void TickWhenDue();
  void ReportWhenDue();
  void LogNews();
  void SayStop();
  base::Nanos NextDue() const;
  bool Calm() const;

  Parts parts_;
  base::Nanos next_own_tick_;
  base::Nanos answered_{};
  base::Nanos next_report_{};
  uint64_t reported_changes_ = 0;
  uint64_t logged_event_ = 0;
  bool agent_was_here_ = true;
  // Kept from tick to tick, for their memory.
  ParsedObservation observation_;
  LatencySignal latency_;
  ::gatekeeper::v1::TickRecord record_;
  std::string bytes_;
};

}  // namespace agent::control
