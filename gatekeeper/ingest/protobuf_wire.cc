#include "gatekeeper/ingest/protobuf_wire.h"

namespace gatekeeper::ingest {
namespace {

using google::protobuf::FieldDescriptor;

constexpr uint32_t kLastNumber = (1u << 29) - 1;
constexpr int kDeepestGroup = 100;

int64_t Unzigzag(uint64_t raw) { return static_cast<int64_t>((raw >> 1) ^ (~(raw & 1) + 1)); }

template <class T>
T As(uint64_t raw) {
  T value;
  std::memcpy(&value, &raw, sizeof(T));  // the low bytes: little-endian hosts only, as we build for
  return value;
}

// `integer` of whole numbers; false for reals.
bool WholeOf(FieldDescriptor::Type type, uint64_t raw, int64_t& integer) {
  switch (type) {
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_ENUM:
    case FieldDescriptor::TYPE_SFIXED32:
      integer = static_cast<int32_t>(static_cast<uint32_t>(raw));
      return true;
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      integer = static_cast<uint32_t>(raw);
      return true;
    case FieldDescriptor::TYPE_SINT32:
      integer = static_cast<int32_t>(Unzigzag(raw & 0xffffffffu));
      return true;
    case FieldDescriptor::TYPE_SINT64:
      integer = Unzigzag(raw);
      return true;
    case FieldDescriptor::TYPE_BOOL:
      integer = raw != 0 ? 1 : 0;
      return true;
    case FieldDescriptor::TYPE_FLOAT:
    case FieldDescriptor::TYPE_DOUBLE:
      return false;
    default:
      integer = static_cast<int64_t>(raw);
      return true;
  }
}

bool IsUnsigned64(FieldDescriptor::Type type) {
  return type == FieldDescriptor::TYPE_UINT64 || type == FieldDescriptor::TYPE_FIXED64;
}

}  // namespace

bool ProtobufWire::ReadVarint(uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) return false;
    const auto byte = static_cast<unsigned char>(*at_++);
    if (shift == 63 && byte > 1) return false;  // more than 64 bits
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool ProtobufWire::ReadTag(Tag& tag) {
  uint64_t value = 0;
  if (!ReadVarint(value) || (value >> 3) == 0 || (value >> 3) > kLastNumber) return false;
  tag.number = static_cast<uint32_t>(value >> 3);
  tag.wire = static_cast<WireType>(value & 7);
  return (value & 7) <= 5;
}

bool ProtobufWire::ReadLength(std::string_view& bytes) {
  uint64_t length = 0;
  if (!ReadVarint(length) || length > static_cast<uint64_t>(end_ - at_)) return false;
  bytes = {at_, static_cast<size_t>(length)};
  at_ += length;
  return true;
}

bool ProtobufWire::SkipOne(Tag tag) {
  if (tag.wire == WireType::kLength) {
    std::string_view bytes;
    return ReadLength(bytes);
  }
  uint64_t raw = 0;
  return ReadScalar(tag.wire, raw);
}

bool ProtobufWire::Skip(Tag tag) {
  if (tag.wire == WireType::kGroupEnd) return false;
  if (tag.wire != WireType::kGroupBegin) return SkipOne(tag);
  uint32_t open[kDeepestGroup] = {tag.number};
  for (int depth = 1; depth > 0;) {
    if (!ReadTag(tag)) return false;
    if (tag.wire == WireType::kGroupEnd) {
      if (open[--depth] != tag.number) return false;
    } else if (tag.wire == WireType::kGroupBegin) {
      if (depth == kDeepestGroup) return false;
      open[depth++] = tag.number;
    } else if (!SkipOne(tag)) {
      return false;
    }
  }
  return true;
}

WireType WireTypeOf(FieldDescriptor::Type type) {
  switch (type) {
    case FieldDescriptor::TYPE_DOUBLE:
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
      return WireType::kFixed64;
    case FieldDescriptor::TYPE_FLOAT:
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
      return WireType::kFixed32;
    case FieldDescriptor::TYPE_STRING:
    case FieldDescriptor::TYPE_BYTES:
    case FieldDescriptor::TYPE_MESSAGE:
      return WireType::kLength;
    default:
      return WireType::kVarint;
  }
}

double NumberOf(FieldDescriptor::Type type, uint64_t raw) {
  if (type == FieldDescriptor::TYPE_FLOAT) return As<float>(raw);
  if (type == FieldDescriptor::TYPE_DOUBLE) return As<double>(raw);
  if (IsUnsigned64(type)) return static_cast<double>(raw);
  int64_t integer = 0;
  WholeOf(type, raw, integer);
  return static_cast<double>(integer);
}

void SetScalar(FieldDescriptor::Type type, uint64_t raw, FieldValue& value) {
  value.present = true;
  value.number = NumberOf(type, raw);
  WholeOf(type, raw, value.integer);
}

bool ReadMoment(std::string_view bytes, FieldValue& value) {
  constexpr uint32_t kSeconds = 1;
  constexpr uint32_t kNanos = 2;
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  ProtobufWire wire(bytes);
  while (!wire.done()) {
    ProtobufWire::Tag tag;
    uint64_t raw = 0;
    if (!wire.ReadTag(tag)) return false;
    if (tag.number != kSeconds && tag.number != kNanos) {
      if (!wire.Skip(tag)) return false;
      continue;
    }
    if (tag.wire != WireType::kVarint || !wire.ReadScalar(tag.wire, raw)) return false;
    if (tag.number == kSeconds) seconds = static_cast<int64_t>(raw);
    if (tag.number == kNanos) nanoseconds = static_cast<int32_t>(static_cast<uint32_t>(raw));
  }
  value.number = static_cast<double>(seconds) + static_cast<double>(nanoseconds) * 1e-9;
  // Seconds of year 10,000 and beyond, which the format's specification rules out.
  if (__builtin_mul_overflow(seconds, kSecondNs, &value.integer)) return false;
  return !__builtin_add_overflow(value.integer, nanoseconds, &value.integer);
}

}  // namespace gatekeeper::ingest
