#include "agent/control/observation_packet.h"

#include <algorithm>

#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/input_board.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

CodedInputStream StreamOf(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

// Tags and sizes are 32 bits in at most five bytes.
constexpr int kMostBytes = 5;

// 0 at the end, or when what stands there is no tag.
uint32_t ReadTag(CodedInputStream& stream) {
  const int start = stream.CurrentPosition();
  const uint32_t tag = stream.ReadTag();
  return stream.CurrentPosition() - start <= kMostBytes ? tag : 0;
}

// The bytes of a length-delimited field, still where they stand in `whole`.
bool ReadBytes(CodedInputStream& stream, std::string_view whole, std::string_view& bytes) {
  const int before = stream.CurrentPosition();
  uint32_t size = 0;
  if (!stream.ReadVarint32(&size)) return false;
  const int start = stream.CurrentPosition();
  if (start - before > kMostBytes || size > whole.size() - static_cast<size_t>(start)) return false;
  bytes = whole.substr(static_cast<size_t>(start), size);
  return stream.Skip(static_cast<int>(size));
}

// A field that comes twice is merged, as protobuf does. Not by a stream: its reader takes memory
// for a length that it is told before it has seen as many bytes.
template <class Message>
bool Merge(std::string_view bytes, bool first, Message& message) {
  if (first) return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return message.MergeFromString(std::string(bytes));
}

}  // namespace

ParsedObservation::ParsedObservation()
    : observation_(google::protobuf::Arena::CreateMessage<v1::Observation>(&arena_)),
      scan_(google::protobuf::Arena::CreateMessage<v1::LaserScan>(&arena_)),
      odom_(google::protobuf::Arena::CreateMessage<v1::Odometry>(&arena_)),
      image_(google::protobuf::Arena::CreateMessage<v1::Image>(&arena_)),
      imu_(google::protobuf::Arena::CreateMessage<v1::Imu>(&arena_)),
      joints_(google::protobuf::Arena::CreateMessage<v1::JointState>(&arena_)) {}

absl::Status ParsedObservation::Parse(std::string_view bytes, int image_fd) {
  observation_->Clear();
  signal_count_ = 0;
  if (!ReadFields(bytes)) {
    return absl::InvalidArgumentError("the robot sent a packet that is no Observation");
  }
  for (Signal& signal : std::span(signals_.data(), signal_count_)) {
    if (signal.stamp_ns == 0) signal.stamp_ns = observation_->stamp_ns();
  }
  return image_fd < 0 ? absl::OkStatus() : TakeImage(image_fd);
}

bool ParsedObservation::ReadFields(std::string_view bytes) {
  CodedInputStream stream = StreamOf(bytes);
  while (const uint32_t tag = ReadTag(stream)) {
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    const auto type = WireFormatLite::GetTagWireType(tag);
    if (field == 0) return false;
    bool read = false;
    if (type == WireFormatLite::WIRETYPE_VARINT) {
      uint64_t number = 0;
      read = stream.ReadVarint64(&number);
      TakeNumber(field, number);
    } else if (type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      std::string_view part;
      read = ReadBytes(stream, bytes, part) && TakePart(field, part);
    } else {
      read = WireFormatLite::SkipField(&stream, tag);
    }
    if (!read) return false;
  }
  return stream.ConsumedEntireMessage();
}

// Fields that are not known are passed over, as everywhere in protobuf.
void ParsedObservation::TakeNumber(int field, uint64_t number) {
  switch (field) {
    case v1::Observation::kSeqFieldNumber:
      return observation_->set_seq(number);
    case v1::Observation::kStampNsFieldNumber:
      return observation_->set_stamp_ns(static_cast<int64_t>(number));
    case v1::Observation::kWantCommandFieldNumber:
      return observation_->set_want_command(number != 0);
    case v1::Observation::kEstopPressedFieldNumber:
      return observation_->set_estop_pressed(number != 0);
    case v1::Observation::kNetworkUpFieldNumber:
      return observation_->set_network_up(number != 0);
    default:
      return;
  }
}

bool ParsedObservation::TakePart(int field, std::string_view part) {
  v1::Observation& whole = *observation_;
  switch (field) {
    case v1::Observation::kScanFieldNumber: {
      const bool first = !whole.has_scan();
      whole.unsafe_arena_set_allocated_scan(scan_);
      return Merge(part, first, *scan_);
    }
    case v1::Observation::kOdomFieldNumber: {
      const bool first = !whole.has_odom();
      whole.unsafe_arena_set_allocated_odom(odom_);
      return Merge(part, first, *odom_);
    }
    case v1::Observation::kImageFieldNumber: {
      const bool first = !whole.has_image();
      whole.unsafe_arena_set_allocated_image(image_);
      return Merge(part, first, *image_);
    }
    case v1::Observation::kImuFieldNumber: {
      const bool first = !whole.has_imu();
      whole.unsafe_arena_set_allocated_imu(imu_);
      return Merge(part, first, *imu_);
    }
    case v1::Observation::kJointsFieldNumber: {
      const bool first = !whole.has_joints();
      whole.unsafe_arena_set_allocated_joints(joints_);
      return Merge(part, first, *joints_);
    }
    case v1::Observation::kSignalsFieldNumber:
      return TakeSignal(part);
    default:
      return true;
  }
}

// One entry of the map: its name is field 1, its value field 2; of a name that comes twice the last
// one counts.
bool ParsedObservation::TakeSignal(std::string_view entry) {
  constexpr uint32_t kName = WireFormatLite::MakeTag(1, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  constexpr uint32_t kValue = WireFormatLite::MakeTag(2, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  CodedInputStream stream = StreamOf(entry);
  std::string_view name;
  v1::Signal value;
  bool first = true;
  while (const uint32_t tag = ReadTag(stream)) {
    std::string_view part;
    if (tag != kName && tag != kValue) {
      if (!WireFormatLite::SkipField(&stream, tag)) return false;
      continue;
    }
    if (!ReadBytes(stream, entry, part)) return false;
    if (tag == kName) {
      name = part;
      continue;
    }
    if (!Merge(part, first, value)) return false;
    first = false;
  }
  if (!stream.ConsumedEntireMessage() ||
      !WireFormatLite::VerifyUtf8String(name.data(), static_cast<int>(name.size()),
                                        WireFormatLite::PARSE, "Observation.signals")) {
    return false;
  }
  const auto known = signals_.begin() + static_cast<std::ptrdiff_t>(signal_count_);
  auto place = std::find_if(signals_.begin(), known,
                            [&](const Signal& signal) { return signal.name == name; });
  if (place == known) {
    if (signal_count_ == runtime::kMaxSignals) return false;
    if (signal_count_ == signals_.size()) place = signals_.emplace(signals_.end());
    ++signal_count_;
  }
  place->name.assign(name);
  place->value = value.value();
  place->stamp_ns = value.stamp_ns();
  return true;
}

absl::Status ParsedObservation::TakeImage(int fd) {
  constexpr size_t kMaxImageBytes = 64 << 20;
  ASSIGN_OR_RETURN(const base::SealedView image, base::SealedView::Map(fd, kMaxImageBytes));
  if (!observation_->has_image() || !image_->data().empty()) {
    return absl::InvalidArgumentError("a memfd came beside an observation that needs none");
  }
  image_->mutable_data()->assign(image.bytes());
  return absl::OkStatus();
}

}  // namespace agent::control
