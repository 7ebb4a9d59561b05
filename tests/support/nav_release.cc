#include "tests/support/nav_release.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tests {

std::string NavFile(const std::string& name) {
  std::ifstream file("policies/nav/" + name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (text.str().empty()) {
    std::fprintf(stderr, "policies/nav/%s is missing; run tests from the project's root\n",
                 name.c_str());
    std::abort();
  }
  return text.str();
}

std::string NavSpecWithout(const std::string& key, const std::string& model) {
  std::string spec = NavFile("release-1.0.0.yaml");
  const size_t line = spec.find("\n" + key + ": ");
  if (line == std::string::npos) std::abort();
  spec.erase(line + 1, spec.find('\n', line + 1) - line);
  return Edit(spec, "models/nav-1.0.0.onnx", model);
}

std::string Edit(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
    std::fprintf(stderr, "'%s' does not stand exactly once in the text\n", from.c_str());
    std::abort();
  }
  return text.replace(at, from.size(), to);
}

}  // namespace tests
