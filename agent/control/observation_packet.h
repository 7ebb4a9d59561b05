#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/arena.h"
#include "proto/robot.pb.h"

namespace agent::control {

// The robot's packets, read one after another into memory that is used again, so that a tick of a
// robot that sends the same channels as before allocates nothing. Protobuf's own parser gives
// nested messages back and takes fresh ones at every packet, and builds a map's nodes anew; hence
// the outer message is read here, and its signals stand beside it.
class ParsedObservation {
 public:
  ParsedObservation();

  // Reads what Observation::ParseFromString reads, no more and no less; `image_fd` is a sealed
  // memfd that was sent beside the packet and holds the image's data, or -1; it stays the caller's.
  // kInvalidArgument: not an observation, more than runtime::kMaxSignals signals, or the descriptor
  // is not a sealed memfd of at most 64 MiB that an image waits for.
  absl::Status Parse(std::string_view bytes, int image_fd);

  // Of the last Parse that went well: everything but the signals.
  const ::gatekeeper::v1::Observation& observation() const { return *observation_; }

  struct Signal {
    std::string name;
    double value = 0;
    int64_t stamp_ns = 0;  // the packet's where it had none of its own
  };
  // In the order of the packet, each name once.
  std::span<const Signal> signals() const { return {signals_.data(), signal_count_}; }

 private:
  bool ReadFields(std::string_view bytes);
  void TakeNumber(int field, uint64_t number);
  bool TakePart(int field, std::string_view part);
  bool TakeSignal(std::string_view entry);
  absl::Status TakeImage(int fd);

  google::protobuf::Arena arena_;
  // All in the arena, whose messages do not own one another: clearing the outer one keeps the
  // others.
  ::gatekeeper::v1::Observation* const observation_;
  ::gatekeeper::v1::LaserScan* const scan_;
  ::gatekeeper::v1::Odometry* const odom_;
  ::gatekeeper::v1::Image* const image_;
  ::gatekeeper::v1::Imu* const imu_;
  ::gatekeeper::v1::JointState* const joints_;
  std::vector<Signal> signals_;  // the first signal_count_ count
  size_t signal_count_ = 0;
};

}  // namespace agent::control
