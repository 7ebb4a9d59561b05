#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/control/control_core.h"
#include "agent/control/flight_recorder.h"
#include "agent/control/packet_port.h"
#include "agent/control/shadow_thread.h"
#include "agent/control/worker_source.h"

namespace agent::control {

// The control thread: brings the sockets, the clock and the core together. The robot sets the pace;
// when it asks for nothing for one and a half periods, control ticks by itself and sends the
// command unasked (seq 0), so that triggers, leases and stops go on.
class ControlLoop {
 public:
  struct Parts {
    ControlCore& core;
    const base::Clock& clock;
    WorkerSource& source;
    ShadowThread& shadow;
    FlightRecorder& recorder;
    PacketPort robot;
    PacketPort agent;
    bool realtime = false;
  };
  explicit ControlLoop(Parts parts);

  // Until `stop_fd` becomes readable; the robot is then told to stop.
  void Run(int stop_fd);

 private:
  void ServeRobot();
  void ServeAgent();
  void TickFor(uint64_t seq);
  void TickWhenDue();
  void ReportWhenDue();
  void LogNews();
  void SayStop();
  base::Nanos NextDue() const;

  Parts parts_;
  base::Nanos next_own_tick_;
  base::Nanos next_report_{};
  uint64_t reported_changes_ = 0;
  uint64_t logged_event_ = 0;
  bool agent_was_here_ = true;
  std::string bytes_;
};

}  // namespace agent::control
