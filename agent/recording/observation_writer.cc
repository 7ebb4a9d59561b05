#include "agent/recording/observation_writer.h"

#include <set>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/foxglove_codec.h"
#include "agent/recording/topics.h"
#include "google/protobuf/descriptor.h"

namespace agent::recording {

namespace v1 = ::gatekeeper::v1;

absl::StatusOr<ObservationWriter> ObservationWriter::Create(const std::string& path,
                                                            const RecordingOptions& options) {
  ASSIGN_OR_RETURN(McapWriter mcap, McapWriter::Create(path, options.mcap));
  if (!options.metadata.empty())
    RETURN_IF_ERROR(mcap.Write(Metadata{.name = "recording", .values = options.metadata}));
  return ObservationWriter(std::move(mcap));
}

absl::Status ObservationWriter::WriteMessage(const std::string& topic,
                                             const google::protobuf::Message& message,
                                             base::Nanos at) {
  if (at.count() < 0)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: a message for %s was received at %d ns; receive times start at 0",
                        path(), topic, at.count()));
  const google::protobuf::Descriptor* const type = message.GetDescriptor();
  Lane& lane = lanes_[topic];
  if (lane.type != nullptr && lane.type != type)
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s carries %s already and cannot carry %s", path(), topic,
                        lane.type->full_name(), type->full_name()));
  if (lane.type == nullptr) {
    ASSIGN_OR_RETURN(const uint16_t schema,
                     mcap_.AddSchema(type->full_name(), kProtobuf, SchemaOf(*type)));
    ASSIGN_OR_RETURN(lane.channel, mcap_.AddChannel(schema, topic, kProtobuf, {}));
    lane.type = type;
  }
  bytes_.clear();
  if (!message.SerializeToString(&bytes_))
    return absl::InvalidArgumentError("a message for " + topic + " does not serialise");
  const auto time = static_cast<uint64_t>(at.count());
  return mcap_.Write(Message{.channel_id = lane.channel,
                             .sequence = lane.sequence++,
                             .log_time_ns = time,
                             .publish_time_ns = time,
                             .data = bytes_});
}

absl::Status ObservationWriter::Write(const v1::Observation& observation, base::Nanos received) {
  // Converted first: a packet that cannot be recorded must not leave half of itself.
  ::foxglove::RawImage image;
  if (observation.has_image()) {
    ASSIGN_OR_RETURN(image, ToFoxglove(observation.image()));
  }
  RETURN_IF_ERROR(WriteChannels(observation, received));
  if (observation.has_image()) RETURN_IF_ERROR(WriteMessage(topics::kImage, image, received));
  return absl::OkStatus();
}

absl::Status ObservationWriter::WriteJpeg(const v1::Observation& packet, int64_t stamp_ns,
                                          std::string_view jpeg, base::Nanos received) {
  if (packet.has_image())
    return absl::InvalidArgumentError("a packet with a JPEG image cannot have a raw one as well");
  RETURN_IF_ERROR(WriteChannels(packet, received));
  return WriteMessage(topics::kImage, JpegImage(stamp_ns, jpeg), received);
}

// Everything but the image.
absl::Status ObservationWriter::WriteChannels(const v1::Observation& observation, base::Nanos at) {
  v1::Observation packet;
  packet.set_seq(observation.seq());
  packet.set_stamp_ns(observation.stamp_ns());
  packet.set_want_command(observation.want_command());
  packet.set_estop_pressed(observation.estop_pressed());
  packet.set_network_up(observation.network_up());
  // foxglove.LaserScan keeps the end angle; a replay must see the very increment the robot saw.
  if (observation.has_scan())
    packet.mutable_scan()->set_angle_increment_rad(observation.scan().angle_increment_rad());
  absl::Status status = WriteMessage(topics::kPacket, packet, at);
  if (observation.has_scan())
    status.Update(WriteMessage(topics::kScan, ToFoxglove(observation.scan()), at));
  if (observation.has_odom()) {
    status.Update(WriteMessage(topics::kOdom, observation.odom(), at));
    status.Update(WriteMessage(topics::kPose, ToFoxglove(observation.odom()), at));
  }
  if (observation.has_imu()) status.Update(WriteMessage(topics::kImu, observation.imu(), at));
  if (observation.has_joints())
    status.Update(WriteMessage(topics::kJoints, observation.joints(), at));
  std::set<std::string> names;  // in order, so that equal packets make equal bytes
  for (const auto& [name, signal] : observation.signals()) names.insert(name);
  for (const std::string& name : names)
    status.Update(
        WriteMessage(std::string(topics::kSignals) + name, observation.signals().at(name), at));
  return status;
}

absl::Status ObservationWriter::Write(const v1::Command& command, base::Nanos at) {
  return WriteMessage(topics::kCommand, command, at);
}

absl::Status ObservationWriter::Write(const v1::TickRecord& tick, base::Nanos at) {
  return WriteMessage(topics::kVerdict, tick, at);
}

}  // namespace agent::recording
