#include <limits>

#include "gatekeeper/faults/channel_fault.h"
#include "gatekeeper/faults/transforms.h"

namespace gatekeeper::faults {
namespace {

constexpr double kPush_Nm = 1e4;  // beyond what any joint of an arm is built for

// Presses the emergency stop button in the packets that arrive while the fault is on.
class PressedButton final : public Transform {
 public:
  PressedButton(Spec spec, int most) : spec_(std::move(spec)), left_(most) {}

  void Take(Message message, std::vector<Message>& out) override {
    if (left_ > 0 && spec_.On(message.at_ns)) {
      --left_;
      message.observation.set_estop_pressed(true);
    }
    out.push_back(std::move(message));
  }

 private:
  Spec spec_;
  int left_;  // packets
};

}  // namespace

std::unique_ptr<Transform> HoldButton(const Spec& spec) {
  return std::make_unique<PressedButton>(spec, std::numeric_limits<int>::max());
}

std::unique_ptr<Transform> TapButton(const Spec& spec) {
  return std::make_unique<PressedButton>(spec, 1);
}

std::unique_ptr<Transform> Push(const Spec& spec) {
  return Changing(spec, [](v1::Observation& observation) {
    v1::JointState& joints = *observation.mutable_joints();
    joints.clear_tau_nm();
    for (int i = 0; i < joints.q_rad_size(); ++i) joints.add_tau_nm(kPush_Nm);
  });
}

}  // namespace gatekeeper::faults
