#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"

namespace agent::base {

// A memfd holding `bytes` that nobody, its maker included, can change, grow or shrink any more.
// This is how a process hands on the very bytes it hashed. `name` is only seen in /proc.
absl::StatusOr<UniqueFd> SealBytes(const std::string& name, std::string_view bytes);

// A read-only view of a descriptor made by SealBytes, unmapped with this object.
class SealedView {
 public:
  // kInvalidArgument when it is not a memfd, when any of the three seals is missing, when it is
  // empty or larger than `cap` bytes. The descriptor stays the caller's and may be closed
  // afterwards.
  static absl::StatusOr<SealedView> Map(int fd, size_t cap);
  SealedView(SealedView&& other) noexcept;
  SealedView& operator=(SealedView&&) = delete;
  ~SealedView();

  std::string_view bytes() const { return bytes_; }

 private:
  explicit SealedView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

}  // namespace agent::base
