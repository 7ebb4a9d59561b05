#include "gatekeeper/ingest/wire_cursor.h"

#include "absl/strings/str_format.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kCdrHeader = 4;  // encoding and options, OMG DDSI-RTPS 2.5, 10.2

absl::StatusOr<bool> IsBigEndian(std::string_view header) {
  const auto first = static_cast<unsigned char>(header[0]);
  const auto second = static_cast<unsigned char>(header[1]);
  if (first == 0 && second <= 1) return second == 0;
  constexpr const char* kNames[] = {
      "CDR",        "CDR",        "PL_CDR",         "PL_CDR",         "?",       "?",
      "PLAIN_CDR2", "PLAIN_CDR2", "DELIMITED_CDR2", "DELIMITED_CDR2", "PL_CDR2", "PL_CDR2"};
  const std::string_view name = first == 0 && second < std::size(kNames) ? kNames[second] : "?";
  if (name == "?") {
    return absl::DataLossError(absl::StrFormat(
        "the message begins with 0x%02x%02x, which is no encoding of CDR", first, second));
  }
  return absl::UnimplementedError(absl::StrFormat(
      "the message is %s; only plain CDR of version 1 is read, as ROS 2 writes it", name));
}

}  // namespace

absl::StatusOr<WireCursor> WireCursor::Open(Wire wire, std::string_view message) {
  if (wire != Wire::kCdr) return WireCursor(wire, message, false);
  if (message.size() < kCdrHeader) {
    return absl::DataLossError(
        absl::StrFormat("the message's %d bytes are less than the header of CDR", message.size()));
  }
  const absl::StatusOr<bool> big_endian = IsBigEndian(message);
  if (!big_endian.ok()) return big_endian.status();
  return WireCursor(wire, message.substr(kCdrHeader), *big_endian);
}

bool WireCursor::TakeText(uint32_t bound, std::string_view& text) {
  uint32_t length = 0;
  const char* from = nullptr;
  if (!TakeCount(0, 1, length) || !Take(1, length, from)) return false;
  // In CDR the length counts the closing NUL; some writers give an empty text no byte at all.
  if (wire_ == Wire::kCdr && length > 0) {
    if (from[--length] != '\0') return false;
  }
  text = {from, length};
  return bound == 0 || length <= bound;
}

}  // namespace gatekeeper::ingest
