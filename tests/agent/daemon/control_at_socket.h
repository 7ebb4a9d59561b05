#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "agent/base/packet_socket.h"
#include "agent/base/unique_fd.h"
#include "tests/agent/lifecycle/fake_links.h"

namespace tests {

// A FakeControl behind the real socket, on a thread of its own; works a step every 10 ms.
class ControlAtSocket {
 public:
  explicit ControlAtSocket(const std::string& path)
      : listener_(agent::base::ListenPackets(path).value()),
        stop_(eventfd(0, EFD_CLOEXEC)),
        thread_([this] { Run(); }) {}
  ~ControlAtSocket() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }

 private:
  void Run() {
    agent::base::UniqueFd agent;
    while (true) {
      pollfd watched[] = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      poll(watched, 2, 10);
      if (watched[0].revents != 0) return;
      if (watched[1].revents != 0) {
        agent.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      }
      if (!agent.valid()) continue;
      for (auto packet = agent::base::ReceivePacket(agent.get()); packet.ok();
           packet = agent::base::ReceivePacket(agent.get())) {
        v1::ControlOrder order;
        if (order.ParseFromString(packet->bytes) && !control_.Send(order).ok()) return;
      }
      const absl::Status sent =
          agent::base::SendPacket(agent.get(), control_.Turn().SerializeAsString());
      if (!sent.ok() && !absl::IsUnavailable(sent)) agent.reset();
    }
  }

  Fuse fuse_;
  agent::base::SystemClock clock_;
  FakeControl control_{fuse_, clock_};
  agent::base::UniqueFd listener_;
  agent::base::UniqueFd stop_;
  std::thread thread_;
};

}  // namespace tests
