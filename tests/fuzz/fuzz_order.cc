#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/control/control_core.h"
#include "proto/control.pb.h"
#include "tests/agent/control/crash_files.h"
#include "tests/fuzz/target.h"

// An order as it comes from the agent's socket, to a control whose robot latched an emergency stop:
// whatever it says, it is survived, the stop stays, and nothing drives.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 64 << 10, .per_input_byte = 64};

namespace {

namespace v1 = ::gatekeeper::v1;
using agent::base::Nanos;

class StandingClock final : public agent::base::Clock {
 public:
  Nanos Now() const override { return std::chrono::hours(1); }
  int64_t WallMs() const override { return 1; }
};

// There is no unit to be had.
class NoUnits final : public agent::control::ModelSource {
 public:
  uint64_t Request(const std::string&, const std::string&) override { return ++ticket_; }
  std::optional<agent::control::SourceNews> Poll() override { return std::nullopt; }
  void Kill(uint64_t) override {}

 private:
  uint64_t ticket_ = 0;
};

std::string Order(v1::Stage stage, const std::string& digest) {
  v1::ControlOrder order;
  order.set_seq(7);
  order.set_stage(stage);
  order.set_candidate_digest(digest);
  order.set_lease_ms(1000);
  order.set_reason("fuzzed");
  order.set_link_up(true);
  order.set_acknowledge(true);
  order.set_release_quarantine(true);
  order.set_events_acked(1);
  order.add_rearm_approvals("{\"payload\":\"\"}");
  v1::Quarantined& unit = *order.mutable_recall()->add_units();
  unit.set_digest(digest);
  unit.set_reason("recalled");
  return order.SerializeAsString();
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string digest(64, 'a');
  return {Order(v1::STAGE_UNSPECIFIED, ""), Order(v1::STAGE_IDLE, ""),
          Order(v1::STAGE_SHADOW, digest), Order(v1::STAGE_TRIAL, digest),
          Order(v1::STAGE_COMMIT, digest)};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  v1::ControlOrder order;
  if (!order.ParseFromString(std::string(fuzz::Text(data, size)))) return 0;
  const StandingClock clock;
  tests::CrashFiles files;
  NoUnits source;
  agent::control::ControlCore core("state", files, clock, source);
  v1::Observation press;
  press.set_estop_pressed(true);
  press.set_want_command(true);
  core.Observe(press, clock.Now());
  core.Tick(clock.Now());
  core.Remember(clock.Now());
  press.set_estop_pressed(false);
  for (int turn = 0; turn < 3; ++turn) {
    core.Observe(press, clock.Now());
    core.Tick(clock.Now());
    fuzz::Check(core.CommandFor(1).stop(), "an order made a latched robot drive");
    core.Apply(order, clock.Now());
    fuzz::Check(core.Report(clock.Now()).latched(), "an order ended an emergency stop");
  }
  return 0;
}
