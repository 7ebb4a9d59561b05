#include "gatekeeper/server/hub.h"

#include <vector>

#include "gatekeeper/server/receipt_stream.h"
#include "gatekeeper/server/robot_stream.h"

namespace gatekeeper::server {

Moment Hub::Now() const {
  return {std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now()).count(),
          clock.WallMs()};
}

void Hub::Deliver() {
  for (const Outgoing& outgoing : core.TakeOutgoing()) {
    const auto stream = robots.find(outgoing.robot);
    if (stream != robots.end()) stream->second->Send(outgoing.message);
  }
}

absl::Status Hub::Poll() {
  const std::lock_guard lock(mutex);
  const absl::Status polled = core.Poll(Now());
  Deliver();
  // Here and not at each report: a fleet that returns at once would be looked at once a robot.
  for (ReceiptStream* rollback : rollbacks) rollback->SendReceipts();
  return polled;
}

}  // namespace gatekeeper::server
