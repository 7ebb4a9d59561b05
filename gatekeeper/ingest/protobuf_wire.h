#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "gatekeeper/ingest/field_plan.h"
#include "google/protobuf/descriptor.h"

namespace gatekeeper::ingest {

// protobuf.dev/programming-guides/encoding
enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLength = 2,
  kGroupBegin = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

// The bytes of one protobuf message, from the front. No call reads beyond the end.
class ProtobufWire {
 public:
  explicit ProtobufWire(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  struct Tag {
    uint32_t number = 0;
    WireType wire = WireType::kVarint;
  };
  bool done() const { return at_ == end_; }
  bool ReadTag(Tag& tag);
  bool ReadLength(std::string_view& bytes);
  bool ReadScalar(WireType wire, uint64_t& raw) {
    if (wire == WireType::kVarint) return ReadVarint(raw);
    return wire == WireType::kFixed64 ? ReadFixed<uint64_t>(raw) : ReadFixed<uint32_t>(raw);
  }
  bool Skip(Tag tag);

 private:
  bool ReadVarint(uint64_t& value);
  template <class T>
  bool ReadFixed(uint64_t& raw) {
    if (static_cast<size_t>(end_ - at_) < sizeof(T)) return false;
    T value;
    std::memcpy(&value, at_, sizeof(T));
    raw = value;
    at_ += sizeof(T);
    return true;
  }
  bool SkipOne(Tag tag);

  const char* at_;
  const char* end_;
};

WireType WireTypeOf(google::protobuf::FieldDescriptor::Type type);

// A scalar as it stood on the wire, as its type means it.
double NumberOf(google::protobuf::FieldDescriptor::Type type, uint64_t raw);
void SetScalar(google::protobuf::FieldDescriptor::Type type, uint64_t raw, FieldValue& value);

// A google.protobuf.Timestamp or Duration.
bool ReadMoment(std::string_view bytes, FieldValue& value);

}  // namespace gatekeeper::ingest
