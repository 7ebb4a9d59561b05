#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

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

// One file of messages, of which a recording may have several.
class Container : public RecordingFile {
 public:
  virtual Span span() const = 0;
};

}  // namespace gatekeeper::ingest
