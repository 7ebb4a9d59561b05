#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "agent/recording/mcap_records.h"
#include "agent/recording/observation_reader.h"
#include "proto/foxglove.pb.h"

namespace agent::recording {

// Puts the messages of one packet (its /packet message and the channels of equal log time behind
// it) back into one Observation, and hands every finished item on.
class PacketMerge {
 public:
  explicit PacketMerge(ObservationReader::Callback callback) : callback_(std::move(callback)) {}

  // `channel` is the robot channel that the message carries, `schema` the type its bytes have.
  absl::Status Add(const std::string& channel, const std::string& schema, const Message& message);
  absl::Status Finish();  // hands on what is still open

 private:
  absl::Status AddPacket(const Message& message);
  absl::Status AddSensor(const std::string& channel, const std::string& schema,
                         const Message& message);
  bool BelongsToOpen(const std::string& channel, const Message& message) const;
  template <class T>
  absl::Status AddWhole(const Message& message);

  ObservationReader::Callback callback_;
  ::foxglove::LaserScan scan_;  // the last one read: the next finds its memory
  std::optional<RecordedItem> open_;
  std::optional<double> scan_increment_rad_;  // of the open packet
  bool estop_pressed_ = false;                // as the newest packet said
  bool network_up_ = true;
};

}  // namespace agent::recording
