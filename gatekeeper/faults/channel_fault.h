#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gatekeeper/faults/channel.h"
#include "gatekeeper/faults/spec.h"
#include "gatekeeper/faults/stream.h"

namespace gatekeeper::faults {

// Takes the spec's channel out of every packet that arrives while the fault is on, as a packet of
// its own, and does something to it; the rest of the packet passes. `healthy` sees the packets with
// that channel that arrive before and after the fault.
class ChannelFault final : public Transform {
 public:
  using Hurt = std::function<void(Message, std::vector<Message>&)>;
  using Healthy = std::function<void(const Message&, std::vector<Message>&)>;

  ChannelFault(Spec spec, Hurt hurt, Healthy healthy = {})
      : spec_(std::move(spec)), hurt_(std::move(hurt)), healthy_(std::move(healthy)) {}

  void Take(Message message, std::vector<Message>& out) override {
    const bool has = Has(message.observation, spec_.channel);
    if (has && spec_.On(message.at_ns)) {
      Message part{message.at_ns, message.recorded_ns, Only(spec_.channel, message.observation)};
      Remove(spec_.channel, message.observation);
      out.push_back(std::move(message));
      hurt_(std::move(part), out);
      return;
    }
    if (has && healthy_) healthy_(message, out);
    out.push_back(std::move(message));
  }

 private:
  Spec spec_;
  Hurt hurt_;
  Healthy healthy_;
};

// One that changes what the channel says and nothing else.
inline std::unique_ptr<Transform> Changing(const Spec& spec,
                                           std::function<void(v1::Observation&)> change) {
  return std::make_unique<ChannelFault>(
      spec, [change = std::move(change)](Message part, std::vector<Message>& out) {
        change(part.observation);
        out.push_back(std::move(part));
      });
}

}  // namespace gatekeeper::faults
