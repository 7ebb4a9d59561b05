#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/runtime/controller.h"
#include "gatekeeper/faults/stream.h"
#include "gatekeeper/gates/fault.h"
#include "gatekeeper/gates/test_bench.h"

namespace gatekeeper::gates {

// The transforms of the fault's packets: of a catalogue fault, a corruption or a relation. Ids that
// are none of these, or that hurt no packets, give none.
std::vector<std::unique_ptr<faults::Transform>> StagesOf(const Fault& fault);

// Does what faults do beside the stream of packets: to the link, to the models, and to what control
// measures itself. Leaves the bench's models healthy when it ends.
class FaultActor {
 public:
  FaultActor(const Fault& fault, TestBench& bench);
  ~FaultActor();
  FaultActor(const FaultActor&) = delete;
  FaultActor& operator=(const FaultActor&) = delete;

  // Before the tick at `now_ns`.
  void Act(int64_t now_ns, agent::runtime::Controller& controller);
  // A packet of the robot's before it is sent.
  void Touch(int64_t now_ns, v1::Observation& observation) const {
    TouchPacket(fault_, now_ns, observation);
  }

 private:
  void HurtModel(const faults::Spec& spec, int64_t now_ns);
  void SetSignals(int64_t now_ns, agent::runtime::Controller& controller) const;

  const Fault& fault_;
  TestBench& bench_;
  uint64_t ticks_ = 0;  // with the fault on
};

// What a signal is set to by heat, voltage_sag and the like, from the rule that speaks of it:
// beyond its worst point, and at its best one.
struct SignalPair {
  const char* name = "";  // soc_temp_degC, supply_V or infer_p99_ms_60s
  double bad = 0;
  double good = 0;
};
// Of a fault that hurts signals; without a rule for the signal the values are any computer's.
SignalPair SignalOf(const std::string& fault_id, const agent::runtime::Policy& policy);

}  // namespace gatekeeper::gates
