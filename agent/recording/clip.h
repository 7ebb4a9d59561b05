#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/recording/mcap_reader.h"

namespace agent::recording {

struct ClipRequest {
  std::vector<std::string> sources;  // recordings that follow each other in time, oldest first
  int64_t from_ns = 0;               // first log time
  int64_t to_ns = 0;                 // last log time, included
  std::string destination;
  std::set<std::string> topics = {};            // only these; empty: all
  std::vector<Metadata> metadata = {};          // e.g. which gate failed, on which unit, and why
  Truncation truncation = Truncation::kRefuse;  // kRecover for the file a flight recorder has open
};

// Copies every message of the window and topics, bytes and times unchanged, with its schemas and
// channels into a new recording. A Metadata record "clip" says where it was cut from. The
// destination appears whole or not at all. Returns the number of messages; kNotFound when the
// window holds none.
absl::StatusOr<uint64_t> WriteClip(const ClipRequest& request);

}  // namespace agent::recording
