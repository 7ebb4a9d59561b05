#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/frame_placing.h"
#include "gatekeeper/ingest/recording_file.h"
#include "proto/ingest.pb.h"

namespace gatekeeper::ingest {

struct Imported {
  std::map<std::string, uint64_t> channels;  // how many messages each became
  uint64_t left_out = 0;                     // became nothing
  std::vector<std::string> notes;            // why, and how often
  int64_t first_ns = 0;                      // log times
  int64_t last_ns = 0;
};

// Writes the mapped topics as recordings of this project: every message a packet of its own with
// one channel, received at its log time, or a command. Scans and poses are brought into the body's
// and the site's frame first, see FramePlacing.
class Importer {
 public:
  // Reads the recording's frames. Recording and map must outlive the importer. kInvalidArgument:
  // the map names a topic that the recording has not, one topic's type does not fit its channel, or
  // frames are asked for, or needed, that cannot be followed.
  static absl::StatusOr<Importer> For(const RecordingFile& file, const v1::ImportMap& map);

  // How numbers were changed, and what was taken for granted of frames.
  const std::vector<std::string>& notes() const { return notes_; }

  // What was received in the stretch. Images, scans and numbers are checked on the way: kDataLoss
  // names topic and time; also when a channel has messages and no transform for any of them.
  // kNotFound: nothing was imported. The destination appears whole or not at all.
  absl::StatusOr<Imported> Write(const TimeRange& stretch, const std::string& destination) const;

 private:
  Importer(const RecordingFile& file, const v1::ImportMap& map, FramePlacing placing,
           std::vector<std::string> notes);
  absl::StatusOr<Imported> WriteTo(const std::string& path, const TimeRange& stretch) const;

  const RecordingFile& file_;
  const v1::ImportMap& map_;
  FramePlacing placing_;
  std::vector<std::string> notes_;
};

}  // namespace gatekeeper::ingest
