#include "tests/support/git_folder.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tests {

GitFolder::GitFolder() { Git("init -q -b main"); }

void GitFolder::Write(const std::string& name, const std::string& bytes) const {
  const std::filesystem::path path = std::filesystem::path(folder_.path()) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string GitFolder::Commit(const std::string& message) const {
  Git("add -A");
  Git("commit -q --allow-empty -m '" + message + "'");
  std::string id = Git("rev-parse HEAD");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::string GitFolder::Git(const std::string& arguments) const {
  const std::string command =
      "cd '" + folder_.path() +
      "' && GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null"
      " GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org GIT_AUTHOR_DATE=2026-01-01T00:00:00Z"
      " GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org"
      " GIT_COMMITTER_DATE=2026-01-01T00:00:00Z git " +
      arguments;
  FILE* pipe = popen(command.c_str(), "r");
  std::string out;
  char buffer[4096];
  while (pipe != nullptr && fgets(buffer, sizeof(buffer), pipe) != nullptr) out += buffer;
  if (pipe == nullptr || pclose(pipe) != 0) {
    std::fprintf(stderr, "failed: %s\n", command.c_str());
    std::abort();
  }
  return out;
}

}  // namespace tests
