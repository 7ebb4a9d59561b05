#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "agent/recording/mcap_records.h"
#include "agent/recording/observation_reader.h"
#include "proto/foxglove.pb.h"

namespace agent::recording {

// What a topic's messages are read as; found out once a topic.
struct Carried {
  enum class Kind {
    kPacket,
    kCommand,
    kVerdict,
    kScan,
    kOdom,
    kRawImage,
    kJpegImage,
    kImu,
    kJoints,
    kSignal,
  };
  // `channel` is the robot channel that the messages carry, `schema` the type their bytes have.
  Carried(const std::string& channel, const std::string& schema);

  Kind kind;
  std::string channel;  // of a signal its name
};

// Puts the messages of one packet (its /packet message and the channels of equal log time behind
// it) back into one Observation, and hands every finished item on. Items find the memory of those
// before them.
class PacketMerge {
 public:
  explicit PacketMerge(ObservationReader::Callback callback) : callback_(std::move(callback)) {}

  absl::Status Add(const Carried& carried, const Message& message);
  absl::Status Finish();  // hands on what is still open

 private:
  absl::Status AddPacket(const Message& message);
  absl::Status AddSensor(const Carried& carried, const Message& message);
  bool BelongsToOpen(const Carried& carried, const Message& message) const;
  // Reads one sensor message into `out`; returns its stamp.
  absl::StatusOr<int64_t> Parse(const Carried& carried, std::string_view bytes,
                                ::gatekeeper::v1::Observation& out);
  template <class T>
  absl::Status AddWhole(const Message& message, RecordedItem& whole);
  ::gatekeeper::v1::Observation& packet() {
    return std::get<::gatekeeper::v1::Observation>(item_.content);
  }
  ::gatekeeper::v1::Observation& EmptyPacket();

  ObservationReader::Callback callback_;
  bool open_ = false;  // the packet is waiting for more channels
  RecordedItem item_;  // always an Observation
  RecordedItem command_{0, ::gatekeeper::v1::Command()};
  RecordedItem verdict_{0, ::gatekeeper::v1::TickRecord()};
  std::unique_ptr<::gatekeeper::v1::LaserScan> spare_scan_;  // the last packet's, for its memory
  ::foxglove::LaserScan scan_;                               // the last one that protobuf read
  std::optional<double> scan_increment_rad_;                 // of the open packet
  bool estop_pressed_ = false;                               // as the newest packet said
  bool network_up_ = true;
};

}  // namespace agent::recording
