#pragma once

#include <filesystem>
#include <string>
#include <system_error>

namespace tests {

// Real recordings lie beside the checkout and are never part of it: their licences differ.
inline std::string SharedRecording(const std::string& name) {
  return "../shared/recordings/" + name;
}
inline bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace tests

// First line of a test that needs one.
#define SKIP_WITHOUT(path)    \
  if (!::tests::Exists(path)) \
  GTEST_SKIP() << path << " is absent: real recordings are not part of this repository"
