#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/recording/mcap_writer.h"
#include "google/protobuf/message.h"
#include "proto/robot.pb.h"
#include "proto/verdict.pb.h"

namespace agent::recording {

struct RecordingOptions {
  McapWriterOptions mcap = {};
  StringMap metadata = {};  // written as the Metadata record "recording" when not empty
};

// Writes robot life as a recording that Foxglove draws and ObservationReader reads back exactly:
//   /packet   gatekeeper.v1.Observation without its bulk: seq, stamp, want_command, e-stop, network
//   /scan     foxglove.LaserScan       /odom   gatekeeper.v1.Odometry  (+ /pose
//   foxglove.PoseInFrame) /image    foxglove.RawImage, or foxglove.CompressedImage by WriteJpeg
//   /imu      gatekeeper.v1.Imu        /joints gatekeeper.v1.JointState
//   /signal/N gatekeeper.v1.Signal     /command gatekeeper.v1.Command   /verdict
//   gatekeeper.v1.TickRecord
//   /health   gatekeeper.v1.HealthSample   /event   foxglove.Log (the flight recorder's, by
//   WriteMessage)
// Log and publish time are the receive time; stamps stay inside the messages. Receive times must
// not be negative (kInvalidArgument) but may repeat. One thread at a time.
class ObservationWriter {
 public:
  static absl::StatusOr<ObservationWriter> Create(const std::string& path,
                                                  const RecordingOptions& options = {});

  // One packet of the robot: every channel that is present.
  absl::Status Write(const ::gatekeeper::v1::Observation& observation, base::Nanos received);
  // A packet whose only channel is an image, already JPEG; `packet` must have no image of its own.
  absl::Status WriteJpeg(const ::gatekeeper::v1::Observation& packet, int64_t stamp_ns,
                         std::string_view jpeg, base::Nanos received);
  // What was driven.
  absl::Status Write(const ::gatekeeper::v1::Command& command, base::Nanos at);
  absl::Status Write(const ::gatekeeper::v1::TickRecord& tick, base::Nanos at);
  // Any other message, with the schema of its descriptor; ObservationReader passes over it.
  absl::Status WriteMessage(const std::string& topic, const google::protobuf::Message& message,
                            base::Nanos at);
  absl::Status WriteMetadata(const Metadata& metadata) { return mcap_.Write(metadata); }

  absl::Status Flush() { return mcap_.Flush(); }
  absl::Status Close() { return mcap_.Close(); }  // without it the file is one that was cut off
  uint64_t bytes_written() const { return mcap_.bytes_written(); }
  size_t chunks() const { return mcap_.chunks(); }
  const std::string& path() const { return mcap_.path(); }

 private:
  explicit ObservationWriter(McapWriter mcap) : mcap_(std::move(mcap)) {}
  absl::Status WriteChannels(const ::gatekeeper::v1::Observation& observation, base::Nanos at);

  struct Lane {
    uint16_t channel = 0;
    uint32_t sequence = 0;
    const google::protobuf::Descriptor* type = nullptr;
  };
  McapWriter mcap_;
  std::map<std::string, Lane, std::less<>> lanes_;  // by topic
  std::string bytes_;
};

}  // namespace agent::recording
