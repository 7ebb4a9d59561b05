#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/recording/compression.h"
#include "gatekeeper/ingest/recording_file.h"

namespace gatekeeper::ingest {

// Where the bytes of a recording lie, and what people call them: the two differ for a recording
// that was unpacked to a temporary file.
struct Source {
  std::string path;
  std::string name;
};

// The status with what people call the file where `source.path` stands.
absl::Status Named(const Source& source, const absl::Status& status);

// One file of messages, of which a recording may have several.
class Container : public RecordingFile {
 public:
  const std::vector<Topic>& topics() const final { return topics_; }
  const FileFacts& facts() const final { return facts_; }
  Span span() const final { return span_; }
  // The file was packed as a whole around what the container itself says.
  void AddOuterCompression(const std::string& name);

 protected:
  explicit Container(Source source) : source_(std::move(source)) { facts_.files = {source_.name}; }
  // Reads every message once: counts of topics, the span.
  absl::Status CountMessages();

  Source source_;
  std::vector<Topic> topics_;
  FileFacts facts_;
  Span span_;
};

// rosbag2 can pack every message by itself (compression_mode MESSAGE), of which the file that holds
// them knows nothing. CDR begins with a zero byte and zstd does not, so that the bytes tell. The
// result points into `message` or into `room`. kDataLoss, kResourceExhausted above 64 MiB.
absl::StatusOr<std::string_view> PlainMessage(const Topic& topic, std::string_view message,
                                              agent::recording::Buffer& room);

}  // namespace gatekeeper::ingest
