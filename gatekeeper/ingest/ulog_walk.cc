#include "gatekeeper/ingest/ulog_walk.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/record_walk.h"

namespace gatekeeper::ingest {
namespace {
constexpr uint64_t kWindow = 256 << 10;  // four of the largest messages
}

absl::StatusOr<std::string_view> UlogWalk::View(uint64_t size) {
  if (size > end_ - at_)
    return absl::OutOfRangeError(
        absl::StrFormat("a message of %d bytes where %d are left", size, end_ - at_));
  if (at_ < window_at_ || at_ + size > window_at_ + window_.size()) {
    window_.resize(std::min(end_ - at_, kWindow));
    window_at_ = at_;
    RETURN_IF_ERROR(agent::recording::ReadAt(fd_, at_, window_.size(), window_.data()));
  }
  return std::string_view(window_).substr(at_ - window_at_, size);
}

absl::StatusOr<std::optional<UlogMessage>> UlogWalk::Next() {
  if (at_ >= end_) return std::nullopt;
  ASSIGN_OR_RETURN(const std::string_view header, View(kUlogMessageHeader));
  UlogTaker taker(header);
  const uint64_t size = taker.Number<uint16_t>();
  const char type = taker.Number<char>();
  if (type == 0) return absl::DataLossError("a message has type 0, which does not exist");
  ASSIGN_OR_RETURN(const std::string_view whole, View(kUlogMessageHeader + size));
  const UlogMessage message{.type = type, .offset = at_, .body = whole.substr(kUlogMessageHeader)};
  at_ += whole.size();
  return message;
}

}  // namespace gatekeeper::ingest
