#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/recording/observation_writer.h"

namespace agent::recording {

struct RingOptions {
  std::string folder;                     // made when absent
  uint64_t max_file_bytes = 16ull << 20;  // a new file is begun when the current one reaches this
  uint32_t max_files = 8;                 // the oldest go first; the current one counts
  RecordingOptions recording = {};
};

// The flight recorder: a bounded ring of recordings "flight-000001.mcap", ... in one folder. Each
// is a valid file of its own; the one that was open when the process was killed is recovered by
// McapReader up to its last second. Numbers go on where an earlier process stopped; its files are
// kept until the ring needs the room. One thread at a time, never the control tick's: it writes to
// disk.
class RecorderRing {
 public:
  static absl::StatusOr<RecorderRing> Open(RingOptions options);

  // After an error (disk full, ...) the next write tries again with a new file.
  absl::Status Write(const ::gatekeeper::v1::Observation& observation, base::Nanos received);
  absl::Status Write(const ::gatekeeper::v1::Command& command, base::Nanos at);
  absl::Status Write(const ::gatekeeper::v1::TickRecord& tick, base::Nanos at);
  // Any other message; see ObservationWriter.
  absl::Status WriteMessage(const std::string& topic, const google::protobuf::Message& message,
                            base::Nanos at);

  absl::Status Flush();
  // Ends the current file, so that it can be read strictly; the next write begins another.
  absl::Status Rotate();

  // The ring's files, oldest first; usable as ClipRequest::sources with Truncation::kRecover.
  static absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& folder);

 private:
  explicit RecorderRing(RingOptions options) : options_(std::move(options)) {}
  absl::Status MakeReady();
  absl::Status BeginFile();
  absl::Status Keep(absl::Status status);

  RingOptions options_;
  uint64_t next_number_ = 1;
  std::optional<ObservationWriter> current_;
};

}  // namespace agent::recording
