#include "gatekeeper/defects/recording_edits.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/recording/observation_writer.h"

namespace gatekeeper::defects {
namespace {

using agent::recording::RecordedItem;

constexpr int64_t kCommandDelay_ns = 300'000'000;
constexpr int64_t kStampStep_ns = 2'000'000'000;
constexpr size_t kMaxRewritten = size_t{64} << 20;  // all of it is held at once
constexpr size_t kMaxWritten = size_t{256} << 20;

v1::Observation* PacketOf(RecordedItem& item) {
  return std::get_if<v1::Observation>(&item.content);
}

void ShiftStamps(v1::Observation& packet, int64_t by_ns) {
  packet.set_stamp_ns(packet.stamp_ns() + by_ns);
  if (packet.has_scan()) packet.mutable_scan()->set_stamp_ns(packet.scan().stamp_ns() + by_ns);
  if (packet.has_odom()) packet.mutable_odom()->set_stamp_ns(packet.odom().stamp_ns() + by_ns);
  if (packet.has_image()) packet.mutable_image()->set_stamp_ns(packet.image().stamp_ns() + by_ns);
  if (packet.has_imu()) packet.mutable_imu()->set_stamp_ns(packet.imu().stamp_ns() + by_ns);
  if (packet.has_joints())
    packet.mutable_joints()->set_stamp_ns(packet.joints().stamp_ns() + by_ns);
  for (auto& entry : *packet.mutable_signals())
    entry.second.set_stamp_ns(entry.second.stamp_ns() + by_ns);
}

bool Drop(v1::Observation& packet, const std::string& channel) {
  const google::protobuf::FieldDescriptor* field = packet.GetDescriptor()->FindFieldByName(channel);
  if (field == nullptr || field->message_type() == nullptr || field->is_repeated())
    return packet.mutable_signals()->erase(channel) > 0;
  const bool had = packet.GetReflection()->HasField(packet, field);
  packet.GetReflection()->ClearField(&packet, field);
  return had;
}

absl::Status WriteItems(const std::vector<RecordedItem>& items, const std::string& path) {
  ASSIGN_OR_RETURN(auto writer, agent::recording::ObservationWriter::Create(path));
  for (const RecordedItem& item : items) {
    const agent::base::Nanos at(item.log_time_ns);
    RETURN_IF_ERROR(
        std::visit([&](const auto& content) { return writer.Write(content, at); }, item.content));
  }
  return writer.Close();
}

}  // namespace

bool DelayCommands(std::vector<RecordedItem>& items) {
  bool any = false;
  for (RecordedItem& item : items) {
    if (!std::holds_alternative<v1::Command>(item.content)) continue;
    item.log_time_ns += kCommandDelay_ns;
    any = true;
  }
  return any;
}

bool MirrorScans(std::vector<RecordedItem>& items) {
  bool any = false;
  for (RecordedItem& item : items) {
    v1::Observation* packet = PacketOf(item);
    if (packet == nullptr || !packet->has_scan()) continue;
    auto& ranges = *packet->mutable_scan()->mutable_ranges_m();
    for (int i = 0, j = ranges.size() - 1; i < j; ++i, --j) {
      any = any || ranges.Get(i) != ranges.Get(j);
      ranges.SwapElements(i, j);
    }
  }
  return any;
}

bool TurnStampsBack(std::vector<RecordedItem>& items) {
  bool any = false;
  for (size_t i = items.size() / 2; i < items.size(); ++i) {
    v1::Observation* packet = PacketOf(items[i]);
    if (packet == nullptr) continue;
    ShiftStamps(*packet, -kStampStep_ns);
    any = true;
  }
  return any;
}

EditItems WithoutChannel(const std::string& channel) {
  return [channel](std::vector<RecordedItem>& items) {
    bool any = false;
    for (RecordedItem& item : items) {
      v1::Observation* packet = PacketOf(item);
      if (packet != nullptr) any = Drop(*packet, channel) || any;
    }
    return any;
  };
}

absl::StatusOr<std::string> RewriteRecording(const std::string& path,
                                             const agent::recording::ChannelMap& channels,
                                             const EditItems& edit, const std::string& scratch) {
  agent::base::OsFiles files;
  ASSIGN_OR_RETURN(const size_t size, files.Size(path));
  if (size > kMaxRewritten) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s has %d bytes; defects are written into recordings up to %d", path, size,
                        kMaxRewritten));
  }
  ASSIGN_OR_RETURN(const auto reader, agent::recording::ObservationReader::Open(path, channels));
  std::vector<RecordedItem> items;
  RETURN_IF_ERROR(reader.ForEach([&items](const RecordedItem& item) {
    items.push_back(item);
    return absl::OkStatus();
  }));
  if (!edit(items)) return absl::NotFoundError("the recording holds nothing that it would change");
  std::stable_sort(items.begin(), items.end(), [](const RecordedItem& a, const RecordedItem& b) {
    return a.log_time_ns < b.log_time_ns;
  });
  const std::string written = scratch + "/rewritten.mcap";
  RETURN_IF_ERROR(WriteItems(items, written));
  return files.Read(written, kMaxWritten);
}

}  // namespace gatekeeper::defects
