#pragma once

#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "proto/control.pb.h"

namespace tests {

// Reads a robot's slot pointer every few milliseconds, and whenever it names a digest for the first
// time verifies that unit's slot as the robot would: signatures, verdict, every byte.
class PointerWitness {
 public:
  explicit PointerWitness(std::string state_folder);

  gatekeeper::v1::Pointer Now() const;  // as it stands on disk
  // What was wrong; empty when the pointer never named an unverified unit.
  std::string complaint() const;
  size_t verified() const;  // units that it ever named

  // How late this thread woke up at worst since the last Forget(): what the machine does to any
  // thread just now, whatever the programs under test do.
  agent::base::Nanos worst_delay() const;
  void Forget();

 private:
  void Watch(const std::stop_token& stop);
  void Look();

  const std::string state_;
  mutable std::mutex mutex_;
  std::set<std::string> verified_;
  std::string complaint_;
  agent::base::Nanos worst_delay_{};
  std::jthread thread_;  // last: it uses the others
};

}  // namespace tests
