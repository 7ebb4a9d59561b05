#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/unique_fd.h"
#include "agent/health/reading.h"

namespace agent::health {

// An integer of sysfs, or why there is none.
struct Count {
  State state = State::kNotAvailable;
  int64_t value = 0;  // a number when available() only

  bool available() const { return state == State::kAvailable; }
};

// One attribute file of sysfs that holds one integer. Opened once and read again with pread, which
// is how sysfs is meant to be polled: every read is a fresh value.
class SysfsNumber {
 public:
  explicit SysfsNumber(const std::string& path);
  Count Read() const;

 private:
  base::UniqueFd fd_;
  State absent_ = State::kAvailable;  // why it could not be opened
};

// The first line of a file, without its end; empty when it cannot be read. For names and labels.
std::string SysfsText(const std::string& path);

// Entries of `folder` whose name is `prefix` and a number ("hwmon" finds hwmon0, hwmon12), by
// number; whole paths.
std::vector<std::string> Numbered(const std::string& folder, std::string_view prefix);

}  // namespace agent::health
