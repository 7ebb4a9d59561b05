#include <algorithm>
#include <optional>

#include "gatekeeper/faults/channel_fault.h"
#include "gatekeeper/faults/draws.h"
#include "gatekeeper/faults/transforms.h"

namespace gatekeeper::faults {
namespace {

constexpr int64_t kMillisecond_ns = 1'000'000;
constexpr int64_t kDelay_ns =
    600 * kMillisecond_ns;  // above the 500 ms that patient policies accept
constexpr int64_t kJitter_ns = 300 * kMillisecond_ns;  // above the 250 ms of most
constexpr int64_t kMostLag_ns = 2'000 * kMillisecond_ns;
constexpr double kLostShare = 1.0 / 3;
constexpr int kBurst = 8;  // messages, of which every other half is lost

// A bus at 95 %: what is sent waits for up to two periods of 20 Hz, and one packet in twenty is
// lost.
constexpr int64_t kBusWait_ns = 100 * kMillisecond_ns;
constexpr double kBusLoss = 0.05;

using Out = std::vector<Message>;

std::unique_ptr<Transform> Hurting(const Spec& spec, ChannelFault::Hurt hurt,
                                   ChannelFault::Healthy healthy = {}) {
  return std::make_unique<ChannelFault>(spec, std::move(hurt), std::move(healthy));
}

// Keeps whole packets waiting, whatever they hold.
class LoadedBus final : public Transform {
 public:
  explicit LoadedBus(const Spec& spec) : spec_(spec), draws_(spec.seed) {}
  void Take(Message message, Out& out) override {
    if (spec_.On(message.at_ns)) {
      if (draws_.Unit() < kBusLoss) return;
      const auto wait = static_cast<int64_t>(draws_.Below(kBusWait_ns));
      // A bus is a queue: nobody overtakes.
      last_ns_ = std::max(last_ns_, message.at_ns + wait);
    }
    message.at_ns = std::max(message.at_ns, last_ns_);
    out.push_back(std::move(message));
  }

 private:
  Spec spec_;
  Draws draws_;
  int64_t last_ns_ = 0;
};

}  // namespace

std::unique_ptr<Transform> DropOne(const Spec& spec) {
  return Hurting(spec, [dropped = false](Message part, Out& out) mutable {
    if (std::exchange(dropped, true)) out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> DropSome(const Spec& spec) {
  return Hurting(spec, [draws = Draws(spec.seed)](Message part, Out& out) mutable {
    if (draws.Unit() >= kLostShare) out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> DropBurst(const Spec& spec) {
  return Hurting(spec, [count = 0](Message part, Out& out) mutable {
    if (count++ % kBurst >= kBurst / 2) out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> DropAll(const Spec& spec) {
  return Hurting(spec, [](const Message&, Out&) {});
}

std::unique_ptr<Transform> HalveRate(const Spec& spec) {
  return Hurting(spec, [count = 0](Message part, Out& out) mutable {
    if (count++ % 2 == 1) out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> FreezePayload(const Spec& spec) {
  const auto last = std::make_shared<std::optional<v1::Observation>>();
  return Hurting(
      spec,
      [last, channel = spec.channel](Message part, Out& out) {
        const int64_t stamp = StampOf(part.observation, channel);
        if (!*last) *last = part.observation;
        part.observation = **last;
        SetStamp(channel, stamp, part.observation);
        out.push_back(std::move(part));
      },
      [last, channel = spec.channel](const Message& message, Out&) {
        *last = Only(channel, message.observation);
      });
}

std::unique_ptr<Transform> FreezeMessage(const Spec& spec) {
  const auto last = std::make_shared<std::optional<Message>>();
  return Hurting(
      spec,
      [last](Message part, Out& out) {
        if (!*last) *last = part;
        Message again = **last;
        again.at_ns = part.at_ns;
        out.push_back(std::move(again));
      },
      [last, channel = spec.channel](const Message& message, Out&) {
        *last = Message{message.at_ns, message.recorded_ns, Only(channel, message.observation)};
        // Whoever repeats it repeats its stamp, wherever that stood.
        SetStamp(channel, StampOf(message.observation, channel), (*last)->observation);
      });
}

std::unique_ptr<Transform> DelayConstant(const Spec& spec) {
  return Hurting(spec, [](Message part, Out& out) {
    part.at_ns += kDelay_ns;
    out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> DelayJitter(const Spec& spec) {
  return Hurting(spec, [draws = Draws(spec.seed)](Message part, Out& out) mutable {
    part.at_ns += static_cast<int64_t>(draws.Below(kJitter_ns));
    out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> DelayGrowing(const Spec& spec) {
  return Hurting(spec, [onset = spec.onset_ns](Message part, Out& out) {
    part.at_ns += std::min((part.at_ns - onset) / 2, kMostLag_ns);
    out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> Reorder(const Spec& spec) {
  const auto held = std::make_shared<std::optional<Message>>();
  return Hurting(
      spec,
      [held](Message part, Out& out) {
        if (!*held) {
          *held = std::move(part);
          return;
        }
        (*held)->at_ns = part.at_ns;
        out.push_back(std::move(part));
        out.push_back(std::move(**held));
        held->reset();
      },
      [held](const Message& message, Out& out) {
        if (!*held) return;
        (*held)->at_ns = message.at_ns;
        out.push_back(std::move(**held));
        held->reset();
      });
}

std::unique_ptr<Transform> Duplicate(const Spec& spec) {
  return Hurting(spec, [](Message part, Out& out) {
    out.push_back(part);
    out.push_back(std::move(part));
  });
}

std::unique_ptr<Transform> LoadBus(const Spec& spec) { return std::make_unique<LoadedBus>(spec); }

}  // namespace gatekeeper::faults
