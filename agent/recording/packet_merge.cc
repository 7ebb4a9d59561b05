#include "agent/recording/packet_merge.h"

#include "agent/base/status_macros.h"
#include "agent/recording/foxglove_codec.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;

template <class T>
absl::Status Fill(std::string_view bytes, T& message) {
  if (bytes.size() > INT32_MAX ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::DataLossError("its bytes are not a " + T::descriptor()->full_name());
  return absl::OkStatus();
}

template <class T>
absl::StatusOr<T> Parse(std::string_view bytes) {
  T message;
  RETURN_IF_ERROR(Fill(bytes, message));
  return message;
}

absl::StatusOr<v1::Image> ParseImage(const std::string& schema, std::string_view bytes) {
  if (schema == ::foxglove::RawImage::descriptor()->full_name()) {
    ASSIGN_OR_RETURN(const auto raw, Parse<::foxglove::RawImage>(bytes));
    return FromFoxglove(raw);
  }
  ASSIGN_OR_RETURN(const auto packed, Parse<::foxglove::CompressedImage>(bytes));
  return FromFoxglove(packed);
}

template <class T>
absl::StatusOr<int64_t> ParseInto(std::string_view bytes, T& out) {
  RETURN_IF_ERROR(Fill(bytes, out));
  return out.stamp_ns();
}

// Reads one sensor message into `out`; returns its stamp.
absl::StatusOr<int64_t> ParseSensor(const std::string& channel, const std::string& schema,
                                    std::string_view bytes, ::foxglove::LaserScan& scan,
                                    v1::Observation& out) {
  if (channel == "odom") return ParseInto(bytes, *out.mutable_odom());
  if (channel == "imu") return ParseInto(bytes, *out.mutable_imu());
  if (channel == "joints") return ParseInto(bytes, *out.mutable_joints());
  if (channel == "scan") {
    RETURN_IF_ERROR(Fill(bytes, scan));
    *out.mutable_scan() = FromFoxglove(scan);
    return out.scan().stamp_ns();
  }
  if (channel == "image") {
    ASSIGN_OR_RETURN(*out.mutable_image(), ParseImage(schema, bytes));
    return out.image().stamp_ns();
  }
  return ParseInto(bytes, (*out.mutable_signals())[channel]);
}

bool Has(const v1::Observation& packet, const std::string& channel) {
  if (channel == "scan") return packet.has_scan();
  if (channel == "odom") return packet.has_odom();
  if (channel == "image") return packet.has_image();
  if (channel == "imu") return packet.has_imu();
  if (channel == "joints") return packet.has_joints();
  return packet.signals().contains(channel);
}

}  // namespace

absl::Status PacketMerge::Add(const std::string& channel, const std::string& schema,
                              const Message& message) {
  if (message.log_time_ns > INT64_MAX)
    return absl::DataLossError("its log time is beyond the year 2262");
  if (channel == "packet") return AddPacket(message);
  if (channel == "command") return AddWhole<v1::Command>(message);
  if (channel == "verdict") return AddWhole<v1::TickRecord>(message);
  return AddSensor(channel, schema, message);
}

absl::Status PacketMerge::Finish() {
  scan_increment_rad_.reset();
  if (!open_) return absl::OkStatus();
  const absl::Status status = callback_(*open_);
  open_.reset();
  return status;
}

absl::Status PacketMerge::AddPacket(const Message& message) {
  RETURN_IF_ERROR(Finish());
  open_.emplace().log_time_ns = static_cast<int64_t>(message.log_time_ns);
  auto& packet = std::get<v1::Observation>(open_->content);
  const absl::Status parsed = Fill(message.data, packet);
  if (!parsed.ok()) {
    open_.reset();
    return parsed;
  }
  if (packet.has_scan()) scan_increment_rad_ = packet.scan().angle_increment_rad();
  packet.clear_scan();
  estop_pressed_ = packet.estop_pressed();
  network_up_ = packet.network_up();
  return absl::OkStatus();
}

template <class T>
absl::Status PacketMerge::AddWhole(const Message& message) {
  RETURN_IF_ERROR(Finish());
  ASSIGN_OR_RETURN(auto whole, Parse<T>(message.data));
  return callback_(RecordedItem{static_cast<int64_t>(message.log_time_ns), std::move(whole)});
}

absl::Status PacketMerge::AddSensor(const std::string& channel, const std::string& schema,
                                    const Message& message) {
  if (BelongsToOpen(channel, message)) {
    auto& packet = std::get<v1::Observation>(open_->content);
    RETURN_IF_ERROR(ParseSensor(channel, schema, message.data, scan_, packet).status());
    if (channel == "scan" && scan_increment_rad_)
      packet.mutable_scan()->set_angle_increment_rad(*scan_increment_rad_);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Finish());
  v1::Observation alone;
  ASSIGN_OR_RETURN(const int64_t stamp, ParseSensor(channel, schema, message.data, scan_, alone));
  alone.set_stamp_ns(stamp);
  // It says nothing about these; the last packet did.
  alone.set_estop_pressed(estop_pressed_);
  alone.set_network_up(network_up_);
  return callback_(RecordedItem{static_cast<int64_t>(message.log_time_ns), std::move(alone)});
}

bool PacketMerge::BelongsToOpen(const std::string& channel, const Message& message) const {
  return open_ && open_->log_time_ns == static_cast<int64_t>(message.log_time_ns) &&
         !Has(std::get<v1::Observation>(open_->content), channel);
}

}  // namespace agent::recording
