#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gatekeeper::ingest {

// One topic of a recording, whoever wrote it.
struct Topic {
  uint32_t id = 0;  // index into RecordingFile::topics()
  std::string name;
  std::string type;              // e.g. sensor_msgs/msg/LaserScan
  std::string message_encoding;  // cdr, protobuf, ros1, json, ulog, ...
  std::string schema_encoding;   // ros2msg, protobuf, ros1msg, jsonschema, ulog; empty: none
  std::string schema;            // the definition; empty where the recording holds none
  uint64_t messages = 0;         // counted, not believed
};

// What is known of the container beyond its messages.
struct FileFacts {
  std::string container;           // mcap, rosbag2 sqlite3 schema 4, ulog 1, ...
  std::string writer;              // the library that wrote it, where it says so
  std::string compression;         // none, zstd, lz4, zstd of the whole file, ...
  std::string checksums;           // "all", "some", "none"
  std::vector<std::string> files;  // as read, in order of time
  std::vector<std::string> notes;  // damage that was survived, dropouts, metadata that contradicts
};

struct RawMessage {
  int64_t log_time_ns = 0;
  int64_t publish_time_ns = 0;  // log time where the container has none
  std::string_view data;        // lives until the callback returns
};

// Log times, both included.
struct TimeRange {
  int64_t from_ns = INT64_MIN;
  int64_t to_ns = INT64_MAX;
};

// First and last log time; empty while first > last.
struct Span {
  int64_t first_ns = INT64_MAX;
  int64_t last_ns = INT64_MIN;

  void Add(int64_t time_ns) {
    first_ns = std::min(first_ns, time_ns);
    last_ns = std::max(last_ns, time_ns);
  }
  bool empty() const { return first_ns > last_ns; }
};

struct Selection {
  std::set<std::string> topics = {};  // empty: all
  int64_t from_ns = INT64_MIN;
  int64_t to_ns = INT64_MAX;  // included
};

// A recording of any container. Reading never writes beside the evidence.
class RecordingFile {
 public:
  virtual ~RecordingFile() = default;
  virtual const std::vector<Topic>& topics() const = 0;
  virtual const FileFacts& facts() const = 0;
  virtual Span span() const = 0;  // of all messages
  // In log-time order. An error from the callback ends the reading and is returned.
  using Callback = std::function<absl::Status(const Topic&, const RawMessage&)>;
  virtual absl::Status ForEachMessage(const Selection& selection,
                                      const Callback& callback) const = 0;
};

// By content, not by name: an .mcap, a rosbag2 .db3 or folder with metadata.yaml (split bags too),
// a .ulg, or one of these inside a whole-file zstd. Errors name the file and, where there is one,
// the byte: kNotFound, kDataLoss for damage, kResourceExhausted for sizes above the caps,
// kInvalidArgument for what is no recording.
absl::StatusOr<std::unique_ptr<RecordingFile>> OpenRecording(const std::string& path);

}  // namespace gatekeeper::ingest
