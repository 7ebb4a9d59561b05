#include "tests/fuzz/target.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace fuzz {

void Fail(std::string_view what) {
  std::fprintf(stderr, "fuzz: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

std::string FileText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(path + " is not there: run from the root of the checkout");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string RecordingBytes(const std::string& name, size_t most) {
  std::ifstream file("../shared/recordings/" + name, std::ios::binary);
  std::string bytes(most, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(most));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

}  // namespace fuzz
