#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "proto/robot.pb.h"

namespace gatekeeper::faults {

// One packet on its way from the robot's sensors to the controller.
struct Message {
  int64_t at_ns = 0;        // when it arrives
  int64_t recorded_ns = 0;  // when it arrived in the recording: how old what it says really is
  v1::Observation observation;
};

// What is done to the packets of one recording, one by one in order of time. Equal streams come out
// of equal streams: whatever is random is drawn from the spec's seed.
class Transform {
 public:
  virtual ~Transform() = default;
  // What becomes of a packet: none, it or several; none of them earlier than it.
  virtual void Take(Message message, std::vector<Message>& out) = 0;
};

// Transforms one behind the other. Packets go in in order of time; they come out in order of time,
// those of one moment in the order they were sent.
class Stream {
 public:
  explicit Stream(std::vector<std::unique_ptr<Transform>> stages)
      : stages_(std::move(stages)), waiting_(stages_.size() + 1) {}

  void Take(Message message);
  // What has arrived by `now_ns` and was not asked for before.
  std::vector<Message> Due(int64_t now_ns);

 private:
  std::vector<std::unique_ptr<Transform>> stages_;
  std::vector<std::multimap<int64_t, Message>> waiting_;  // before each stage, and behind the last
};

}  // namespace gatekeeper::faults
