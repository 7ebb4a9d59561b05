#include "agent/recording/scan_wire.h"

#include <algorithm>
#include <cstring>

#include "agent/recording/mcap_wire.h"

namespace agent::recording {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

// Tags of the Protocol Buffers encoding: field number times 8, and the wire type.
constexpr uint8_t kVarint = 0;
constexpr uint8_t kFixed64 = 1;
constexpr uint8_t kLength = 2;
constexpr uint8_t Tag(uint8_t field, uint8_t type) {
  return static_cast<uint8_t>(field << 3 | type);
}

// The fields of one message, each of which may stand there once.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : in_(bytes) {}

  bool empty() const { return in_.empty(); }
  bool ok() const { return ok_ && in_.ok(); }
  // Of the next field; not ok for field 0, those above 15 and a second time.
  uint8_t TakeTag() {
    const auto tag = in_.Number<uint8_t>();
    const uint32_t bit = 1u << (tag >> 3);
    ok_ = ok_ && tag < 0x80 && tag >= 8 && (seen_ & bit) == 0;
    seen_ |= bit;
    return tag;
  }
  double TakeDouble() { return in_.Number<double>(); }
  std::string_view TakeBytes() { return in_.Bytes(TakeVarint()); }
  uint64_t TakeVarint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = in_.Number<uint8_t>();
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte >= 0x80) continue;
      if (shift == 63 && byte > 1) break;  // it does not fit
      return value;
    }
    ok_ = false;
    return 0;
  }

 private:
  WireTaker in_;
  uint32_t seen_ = 0;  // by field number
  bool ok_ = true;
};

// A message of doubles alone: foxglove.Vector3, foxglove.Quaternion.
bool IsDoubles(std::string_view bytes) {
  Fields in(bytes);
  while (!in.empty() && in.ok()) {
    if ((in.TakeTag() & 7) != kFixed64) return false;
    in.TakeDouble();
  }
  return in.ok();
}

bool IsPose(std::string_view bytes) {
  Fields in(bytes);
  while (!in.empty() && in.ok()) {
    const uint8_t tag = in.TakeTag();
    if (tag != Tag(1, kLength) && tag != Tag(2, kLength)) return false;
    if (!IsDoubles(in.TakeBytes())) return false;
  }
  return in.ok();
}

// Every such text is UTF-8, which protobuf insists on.
bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool ReadStamp(std::string_view bytes, int64_t& stamp_ns) {
  Fields in(bytes);
  uint64_t seconds = 0;
  uint64_t nanos = 0;
  while (!in.empty() && in.ok()) {
    const uint8_t tag = in.TakeTag();
    if (tag != Tag(1, kVarint) && tag != Tag(2, kVarint)) return false;
    (tag == Tag(1, kVarint) ? seconds : nanos) = in.TakeVarint();
  }
  if (nanos > INT32_MAX) return false;
  stamp_ns = Nanoseconds(static_cast<int64_t>(seconds), static_cast<int32_t>(nanos));
  return in.ok();
}

}  // namespace

int64_t Nanoseconds(int64_t seconds, int32_t nanos) {
  int64_t ns = 0;
  if (__builtin_mul_overflow(seconds, kNsPerSecond, &ns) ||
      __builtin_add_overflow(ns, int64_t{nanos}, &ns))
    return seconds < 0 ? INT64_MIN : INT64_MAX;
  return ns;
}

double StepBetween(double first_rad, double last_rad, int beams) {
  return beams > 1 ? (last_rad - first_rad) / (beams - 1) : 0;
}

void Narrow(const char* wide, size_t count, float* narrow) {
  // Two at a time, which the compiler does not see by itself.
  using Two = double __attribute__((vector_size(2 * sizeof(double))));
  using TwoNarrow = float __attribute__((vector_size(2 * sizeof(float))));
  size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    Two two;
    std::memcpy(&two, wide + i * sizeof(double), sizeof(two));
    const auto both = __builtin_convertvector(two, TwoNarrow);
    std::memcpy(narrow + i, &both, sizeof(both));
  }
  if (i == count) return;
  double last = 0;
  std::memcpy(&last, wide + i * sizeof(double), sizeof(last));
  narrow[i] = static_cast<float>(last);
}

bool ReadScan(std::string_view bytes, ::gatekeeper::v1::LaserScan& out) {
  if (bytes.size() > INT32_MAX) return false;
  Fields in(bytes);
  int64_t stamp_ns = 0;
  double first_rad = 0;
  double last_rad = 0;
  std::string_view ranges;
  while (!in.empty() && in.ok()) {
    bool sound = true;
    switch (in.TakeTag()) {
      case Tag(1, kLength):
        sound = ReadStamp(in.TakeBytes(), stamp_ns);
        break;
      case Tag(2, kLength):
        sound = IsAscii(in.TakeBytes());
        break;
      case Tag(3, kLength):
        sound = IsPose(in.TakeBytes());
        break;
      case Tag(4, kFixed64):
        first_rad = in.TakeDouble();
        break;
      case Tag(5, kFixed64):
        last_rad = in.TakeDouble();
        break;
      case Tag(6, kLength):
        ranges = in.TakeBytes();
        break;
      case Tag(7, kLength):
        sound = in.TakeBytes().size() % sizeof(double) == 0;
        break;
      default:
        sound = false;
    }
    if (!sound) return false;
  }
  if (!in.ok() || ranges.size() % sizeof(double) != 0) return false;
  const auto beams = static_cast<int>(ranges.size() / sizeof(double));
  out.set_stamp_ns(stamp_ns);
  out.set_angle_min_rad(first_rad);
  out.set_angle_increment_rad(StepBetween(first_rad, last_rad, beams));
  out.mutable_ranges_m()->Resize(beams, 0);
  Narrow(ranges.data(), static_cast<size_t>(beams), out.mutable_ranges_m()->mutable_data());
  return true;
}

}  // namespace agent::recording
