#include "agent/control/observation_packet.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/target.h"

// The hand-written reader of the robot's packets against protobuf's own.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 64};

namespace {

namespace v1 = ::gatekeeper::v1;

v1::Observation Packet() {
  v1::Observation packet;
  packet.set_seq(7);
  packet.set_stamp_ns(5'000'000);
  packet.set_want_command(true);
  packet.set_network_up(true);
  packet.mutable_scan()->set_angle_increment_rad(0.1);
  for (int i = 0; i < 12; ++i) packet.mutable_scan()->add_ranges_m(2.5F);
  packet.mutable_odom()->set_x_m(1);
  packet.mutable_odom()->set_pose_sigma_m(0.02);
  packet.mutable_imu()->set_ax_mps2(9.81);
  packet.mutable_image()->set_width(2);
  packet.mutable_image()->set_data("abcdef");
  packet.mutable_joints()->add_q_rad(0.5);
  packet.mutable_joints()->add_tau_nm(1);
  (*packet.mutable_signals())["goal_range_m"].set_value(3);
  (*packet.mutable_signals())["supply_V"].set_stamp_ns(4);
  return packet;
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  // It tells the terminal of every name that is no UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  v1::Observation empty;
  empty.set_estop_pressed(true);
  // An Imu whose unknown field claims 1.3 MB and has three bytes.
  const std::string claims = "\x3a\x09\xfa\x1f\x85\xeb\x51\xb8\x9e\x23\x40";
  return {Packet().SerializeAsString(), empty.SerializeAsString(), claims};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  agent::control::ParsedObservation parsed;
  // Twice into the same memory: what the first left must not show in the second.
  parsed.Parse(Packet().SerializeAsString(), -1).IgnoreError();
  const bool taken = parsed.Parse(fuzz::Text(data, size), -1).ok();

  const fuzz::Unmeasured oracle;  // it believes lengths, up to 50 MB
  v1::Observation wanted;
  const bool sound = wanted.ParseFromArray(data, static_cast<int>(size));
  const bool many = wanted.signals_size() > 256;
  fuzz::Check(taken == (sound && !many), "the two readers disagree on what a packet is");
  if (!taken) return 0;
  fuzz::Check(parsed.signals().size() == static_cast<size_t>(wanted.signals_size()),
              "a signal too many or too few");
  for (const auto& signal : parsed.signals()) {
    const auto found = wanted.signals().find(signal.name);
    fuzz::Check(found != wanted.signals().end(), "a signal of another name");
    const int64_t own = found->second.stamp_ns();
    fuzz::Check(signal.stamp_ns == (own != 0 ? own : wanted.stamp_ns()), "another stamp");
  }
  wanted.clear_signals();
  wanted.DiscardUnknownFields();
  v1::Observation found = parsed.observation();
  found.DiscardUnknownFields();
  fuzz::Check(found.SerializeAsString() == wanted.SerializeAsString(), "another observation");
  return 0;
}
