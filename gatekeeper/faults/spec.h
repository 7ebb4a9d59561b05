#pragma once

#include <cstdint>
#include <string>

#include "proto/robot.pb.h"

namespace gatekeeper::faults {

// One fault put into one recording: an id of the catalogue (catalogue.h) or of the corruptions
// (corruption.h), and all that it depends on. Equal specs do equal things to equal recordings.
struct Spec {
  std::string id;
  std::string channel;   // what it hurts: scan, odom, image, imu, joints or a signal; empty: all
  int64_t onset_ns = 0;  // log time
  int64_t end_ns = 0;    // the first moment without it
  uint64_t seed = 0;     // of everything random in it
  int severity = 0;      // corruptions: 1 to 5

  bool On(int64_t now_ns) const { return now_ns >= onset_ns && now_ns < end_ns; }
};

// The whole spec in one line without spaces at its ends, different for different specs.
std::string Text(const Spec& spec);

// The seed for a fault of one recording, so that each is hurt in its own way: from the suite's
// seed, the recording's digest in hex and the fault's id.
uint64_t SeedFor(uint64_t suite_seed, const std::string& recording_sha256, const std::string& id);

}  // namespace gatekeeper::faults
