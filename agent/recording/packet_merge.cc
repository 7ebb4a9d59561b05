#include "agent/recording/packet_merge.h"

#include "agent/base/status_macros.h"
#include "agent/recording/foxglove_codec.h"
#include "agent/recording/scan_wire.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;
using Kind = Carried::Kind;

template <class T>
absl::Status Fill(std::string_view bytes, T& message) {
  if (bytes.size() > INT32_MAX ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::DataLossError("its bytes are not a " + T::descriptor()->full_name());
  return absl::OkStatus();
}

template <class T>
absl::StatusOr<v1::Image> ParseImage(std::string_view bytes) {
  T message;
  RETURN_IF_ERROR(Fill(bytes, message));
  return FromFoxglove(message);
}

template <class T>
absl::StatusOr<int64_t> ParseInto(std::string_view bytes, T& out) {
  RETURN_IF_ERROR(Fill(bytes, out));
  return out.stamp_ns();
}

Kind KindOf(const std::string& channel, const std::string& schema) {
  if (channel == "packet") return Kind::kPacket;
  if (channel == "command") return Kind::kCommand;
  if (channel == "verdict") return Kind::kVerdict;
  if (channel == "scan") return Kind::kScan;
  if (channel == "odom") return Kind::kOdom;
  if (channel == "imu") return Kind::kImu;
  if (channel == "joints") return Kind::kJoints;
  if (channel != "image") return Kind::kSignal;
  const bool raw = schema == ::foxglove::RawImage::descriptor()->full_name();
  return raw ? Kind::kRawImage : Kind::kJpegImage;
}

bool Has(const v1::Observation& packet, const Carried& carried) {
  switch (carried.kind) {
    case Kind::kScan:
      return packet.has_scan();
    case Kind::kOdom:
      return packet.has_odom();
    case Kind::kRawImage:
    case Kind::kJpegImage:
      return packet.has_image();
    case Kind::kImu:
      return packet.has_imu();
    case Kind::kJoints:
      return packet.has_joints();
    default:
      return packet.signals().contains(carried.channel);
  }
}

}  // namespace

Carried::Carried(const std::string& channel, const std::string& schema)
    : kind(KindOf(channel, schema)), channel(channel) {}

absl::Status PacketMerge::Add(const Carried& carried, const Message& message) {
  if (message.log_time_ns > INT64_MAX)
    return absl::DataLossError("its log time is beyond the year 2262");
  switch (carried.kind) {
    case Kind::kPacket:
      return AddPacket(message);
    case Kind::kCommand:
      return AddWhole<v1::Command>(message, command_);
    case Kind::kVerdict:
      return AddWhole<v1::TickRecord>(message, verdict_);
    default:
      return AddSensor(carried, message);
  }
}

absl::Status PacketMerge::Finish() {
  scan_increment_rad_.reset();
  return std::exchange(open_, false) ? callback_(item_) : absl::OkStatus();
}

v1::Observation& PacketMerge::EmptyPacket() {
  // Clear would give it back.
  if (packet().has_scan()) spare_scan_.reset(packet().release_scan());
  packet().Clear();
  return packet();
}

absl::Status PacketMerge::AddPacket(const Message& message) {
  RETURN_IF_ERROR(Finish());
  v1::Observation& packet = EmptyPacket();
  RETURN_IF_ERROR(Fill(message.data, packet));
  open_ = true;
  item_.log_time_ns = static_cast<int64_t>(message.log_time_ns);
  if (packet.has_scan()) scan_increment_rad_ = packet.scan().angle_increment_rad();
  packet.clear_scan();
  estop_pressed_ = packet.estop_pressed();
  network_up_ = packet.network_up();
  return absl::OkStatus();
}

template <class T>
absl::Status PacketMerge::AddWhole(const Message& message, RecordedItem& whole) {
  RETURN_IF_ERROR(Finish());
  whole.log_time_ns = static_cast<int64_t>(message.log_time_ns);
  RETURN_IF_ERROR(Fill(message.data, std::get<T>(whole.content)));
  return callback_(whole);
}

absl::Status PacketMerge::AddSensor(const Carried& carried, const Message& message) {
  if (BelongsToOpen(carried, message)) {
    RETURN_IF_ERROR(Parse(carried, message.data, packet()).status());
    if (carried.kind == Kind::kScan && scan_increment_rad_)
      packet().mutable_scan()->set_angle_increment_rad(*scan_increment_rad_);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Finish());
  v1::Observation& alone = EmptyPacket();
  ASSIGN_OR_RETURN(const int64_t stamp, Parse(carried, message.data, alone));
  alone.set_stamp_ns(stamp);
  // It says nothing about these; the last packet did.
  alone.set_estop_pressed(estop_pressed_);
  alone.set_network_up(network_up_);
  item_.log_time_ns = static_cast<int64_t>(message.log_time_ns);
  return callback_(item_);
}

absl::StatusOr<int64_t> PacketMerge::Parse(const Carried& carried, std::string_view bytes,
                                           v1::Observation& out) {
  switch (carried.kind) {
    case Kind::kOdom:
      return ParseInto(bytes, *out.mutable_odom());
    case Kind::kImu:
      return ParseInto(bytes, *out.mutable_imu());
    case Kind::kJoints:
      return ParseInto(bytes, *out.mutable_joints());
    case Kind::kScan:
      if (spare_scan_ != nullptr) out.set_allocated_scan(spare_scan_.release());
      if (ReadScan(bytes, *out.mutable_scan())) return out.scan().stamp_ns();
      RETURN_IF_ERROR(Fill(bytes, scan_));
      FromFoxglove(scan_, *out.mutable_scan());
      return out.scan().stamp_ns();
    case Kind::kRawImage: {
      ASSIGN_OR_RETURN(*out.mutable_image(), ParseImage<::foxglove::RawImage>(bytes));
      return out.image().stamp_ns();
    }
    case Kind::kJpegImage: {
      ASSIGN_OR_RETURN(*out.mutable_image(), ParseImage<::foxglove::CompressedImage>(bytes));
      return out.image().stamp_ns();
    }
    default:
      return ParseInto(bytes, (*out.mutable_signals())[carried.channel]);
  }
}

bool PacketMerge::BelongsToOpen(const Carried& carried, const Message& message) const {
  return open_ && item_.log_time_ns == static_cast<int64_t>(message.log_time_ns) &&
         !Has(std::get<v1::Observation>(item_.content), carried);
}

}  // namespace agent::recording
