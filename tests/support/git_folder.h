#pragma once

#include <cstddef>
#include <string>

#include "tests/support/temp_folder.h"

namespace tests {

// A real git repository of its own, driven by the git program.
class GitFolder {
 public:
  static constexpr size_t kCap = 1 << 20;  // bytes; no file of a test has more

  GitFolder();

  const std::string& path() const { return folder_.path(); }
  void Write(const std::string& name, const std::string& bytes) const;  // makes folders as needed
  // Adds everything and commits; dates and author are fixed, so equal content gives equal ids.
  std::string Commit(const std::string& message) const;
  std::string Git(const std::string& arguments) const;  // stdout; aborts the test run on failure

 private:
  TempFolder folder_;
};

}  // namespace tests
