#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/recording_file.h"
#include "proto/ingest.pb.h"

namespace gatekeeper::ingest {

struct Imported {
  std::map<std::string, uint64_t> channels;  // how many messages each became
  uint64_t left_out = 0;                     // had no value that is a number
  int64_t first_ns = 0;                      // log times
  int64_t last_ns = 0;
};

// Writes the mapped topics as a recording of this project: every message a packet of its own with
// one channel, received at its log time, or a command. Images, scans and numbers are checked on the
// way: kDataLoss names topic and time. kInvalidArgument: the map names a topic that the recording
// has not, one topic's type does not fit its channel, or nothing was imported. The destination
// appears whole or not at all.
absl::StatusOr<Imported> ImportRecording(const RecordingFile& file, const v1::ImportMap& map,
                                         const std::string& destination);

}  // namespace gatekeeper::ingest
