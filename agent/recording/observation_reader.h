#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/recording/mcap_reader.h"
#include "proto/robot.pb.h"
#include "proto/verdict.pb.h"

namespace agent::recording {

// One thing that happened. Recordings of ours give back the packets that were written, bit for bit.
// Where a recording has no /packet topic every message is an Observation of its own with exactly
// that channel, stamp_ns its stamp, and network_up true (nobody said otherwise).
struct RecordedItem {
  int64_t log_time_ns = 0;  // when it was received (commands and verdicts: made)
  std::variant<::gatekeeper::v1::Observation, ::gatekeeper::v1::Command,
               ::gatekeeper::v1::TickRecord>
      content;
};

// Robot channel -> topic, over the topics of ObservationWriter. Channels: packet, scan, odom,
// image, imu, joints, command, verdict; any other name is a scalar signal. An entry that names a
// topic which the file has not is an error; topics that nobody names are passed over.
using ChannelMap = std::map<std::string, std::string>;

// Reads a recording as what the robot received and did. JPEG images are decoded to rgb8.
class ObservationReader {
 public:
  // Beside McapReader's errors: kInvalidArgument when a channel's topic is absent or carries a
  // schema that the channel cannot be made of; the text names topic, found and wanted schema.
  static absl::StatusOr<ObservationReader> Open(const std::string& path,
                                                const ChannelMap& channels = {},
                                                McapReaderOptions options = {});

  // In log-time order. The item lives until the callback returns; an error from it ends the
  // reading. kDataLoss names topic and log time of a message that does not parse or contradicts
  // itself.
  using Callback = std::function<absl::Status(const RecordedItem&)>;
  absl::Status ForEach(const Callback& callback) const;
  // Only what was logged in [from_ns, to_ns].
  absl::Status ForEach(int64_t from_ns, int64_t to_ns, const Callback& callback) const;

  int64_t start_ns() const { return static_cast<int64_t>(mcap_.start_ns()); }
  int64_t end_ns() const { return static_cast<int64_t>(mcap_.end_ns()); }
  const McapReader& mcap() const { return mcap_; }

 private:
  explicit ObservationReader(McapReader mcap) : mcap_(std::move(mcap)) {}
  // Reads `topic` as robot channel `name`.
  absl::Status Bind(const std::string& name, const std::string& topic,
                    const std::vector<std::string>& schemas);
  absl::Status Read(MessageFilter filter, const Callback& callback) const;
  const std::string& SchemaName(const Channel& channel) const;

  McapReader mcap_;
  std::map<uint16_t, std::string> names_;  // MCAP channel id -> robot channel
};

}  // namespace agent::recording
