#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/recording_file.h"

namespace gatekeeper::ingest {

// Log time less the message's own stamp. Negative: the stamp lies in the future.
struct Ages {
  uint64_t messages = 0;  // those with a stamp
  int64_t median_ns = 0;  // of the messages, beyond 65,536 of every second, fourth, ... one
  int64_t max_ns = 0;
};

// What is wrong with the stamps of a topic, message by message.
struct ClockFaults {
  uint64_t zero = 0;      // 0: a clock that was never set
  uint64_t backward = 0;  // earlier than the one before
  uint64_t stuck = 0;     // the same as the one before, at a later log time
  uint64_t jumps = 0;     // more than 1 s further on than log time went
  uint64_t all() const { return zero + backward + stuck + jumps; }
};

struct TopicSurvey {
  uint32_t topic = 0;  // index into RecordingFile::topics()
  uint64_t bytes = 0;
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  double rate_hz = 0;  // 0 with fewer than two messages, or all at once
  int64_t largest_gap_ns = 0;
  int64_t largest_gap_at_ns = 0;  // log time of its end
  std::string stamp;              // the field that `faults` and `age` speak of; or publish_time
  std::optional<Ages> age;        // absent: the container and the type know no time but log time
  ClockFaults faults;
  uint64_t undecodable = 0;  // messages whose stamp could not be read
};

// One pass over the recording: one entry a topic, in the order of topics(). The stamp is the type's
// header.stamp, stamp or timestamp; of a type without one, the publish time where the container
// has it.
absl::StatusOr<std::vector<TopicSurvey>> SurveyTopics(const RecordingFile& file);

}  // namespace gatekeeper::ingest
