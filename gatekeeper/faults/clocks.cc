#include <optional>

#include "gatekeeper/faults/channel_fault.h"
#include "gatekeeper/faults/transforms.h"

namespace gatekeeper::faults {
namespace {

constexpr int64_t kSecond_ns = 1'000'000'000;
constexpr int64_t kJump_ns = 5 * kSecond_ns;
constexpr int64_t kOtherClock_ns = 800'000'000;  // longer than messages take anywhere here
constexpr int64_t kStep_ns = 2 * kSecond_ns;     // a host's clock that is set right
constexpr int64_t kYear2100_ns = 4'102'444'800 * kSecond_ns;
constexpr int64_t kDriftOneIn = 5'000;  // 200 ppm, a poor crystal

// Stamps as `stamp(old stamp, arrival)` says.
std::unique_ptr<Transform> Stamping(const Spec& spec,
                                    std::function<int64_t(int64_t, int64_t)> stamp) {
  return std::make_unique<ChannelFault>(spec, [stamp = std::move(stamp), channel = spec.channel](
                                                  Message part, std::vector<Message>& out) {
    SetStamp(channel, stamp(StampOf(part.observation, channel), part.at_ns), part.observation);
    out.push_back(std::move(part));
  });
}

class TimeStep final : public Transform {
 public:
  explicit TimeStep(const Spec& spec) : spec_(spec) {}
  void Take(Message message, std::vector<Message>& out) override {
    if (spec_.On(message.at_ns)) ShiftStamps(-kStep_ns, message.observation);
    out.push_back(std::move(message));
  }

 private:
  Spec spec_;
};

}  // namespace

std::unique_ptr<Transform> JumpAhead(const Spec& spec) {
  return Stamping(spec, [](int64_t stamp, int64_t) { return Later(stamp, kJump_ns); });
}

std::unique_ptr<Transform> JumpBack(const Spec& spec) {
  return Stamping(spec, [](int64_t stamp, int64_t) { return Later(stamp, -kJump_ns); });
}

// The counter of a sender starts again at nothing, wherever it was: 32 bits of whatever it counts.
std::unique_ptr<Transform> WrapStamps(const Spec& spec) {
  return Stamping(spec, [first = std::optional<int64_t>()](int64_t stamp, int64_t) mutable {
    if (!first) first = stamp;
    return Later(Later(stamp, 1), static_cast<int64_t>(0U - static_cast<uint64_t>(*first)));
  });
}

std::unique_ptr<Transform> ZeroStamps(const Spec& spec) {
  return Stamping(spec, [](int64_t, int64_t) { return int64_t{0}; });
}

std::unique_ptr<Transform> FutureStamps(const Spec& spec) {
  return Stamping(spec, [](int64_t, int64_t) { return kYear2100_ns; });
}

std::unique_ptr<Transform> DriftClock(const Spec& spec) {
  return Stamping(spec, [onset = spec.onset_ns](int64_t stamp, int64_t at) {
    return Later(stamp, (at - onset) / kDriftOneIn);
  });
}

std::unique_ptr<Transform> TwoClocks(const Spec& spec) {
  return Stamping(spec, [count = 0](int64_t stamp, int64_t) mutable {
    return count++ % 2 == 0 ? Later(stamp, kOtherClock_ns) : stamp;
  });
}

std::unique_ptr<Transform> StepTime(const Spec& spec) { return std::make_unique<TimeStep>(spec); }

}  // namespace gatekeeper::faults
