#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// The picture of ARCHITECTURE.md as a test: who may include whom, which foreign library stays
// where.

namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

// Each folder and the folders it may use, itself and generated messages aside.
const std::map<std::string, std::set<std::string>>& Allowed() {
  static const std::map<std::string, std::set<std::string>> table = {
      {"agent/base", {}},
      {"agent/monitor", {"agent/base"}},
      {"agent/trust", {"agent/base"}},
      {"agent/recording", {"agent/base"}},
      {"agent/inference", {"agent/base", "agent/trust"}},
      {"agent/runtime", {"agent/base", "agent/monitor", "agent/recording"}},
      {"agent/worker", {"agent/base", "agent/inference"}},
      {"agent/client", {"agent/base"}},
      {"agent/health", {"agent/base"}},
      {"agent/control",
       {"agent/base", "agent/trust", "agent/recording", "agent/runtime", "agent/health"}},
      {"agent/lifecycle", {"agent/base", "agent/trust"}},
      {"agent/daemon", {"agent/base", "agent/trust", "agent/lifecycle"}},
      {"gatekeeper/source", {"agent/base", "agent/trust"}},
      {"gatekeeper/ingest",
       {"agent/base", "agent/trust", "agent/recording", "agent/runtime", "gatekeeper/resim"}},
      {"gatekeeper/bundle",
       {"agent/base", "agent/trust", "agent/inference", "agent/runtime", "gatekeeper/source"}},
      {"gatekeeper/resim", {"agent/base", "agent/recording", "agent/runtime"}},
      {"gatekeeper/faults", {"agent/base", "agent/trust"}},
      {"gatekeeper/gates",
       {"agent/base", "agent/trust", "agent/recording", "agent/inference", "agent/runtime",
        "gatekeeper/source", "gatekeeper/bundle", "gatekeeper/faults", "gatekeeper/resim"}},
      {"gatekeeper/defects",
       {"agent/base", "agent/trust", "agent/recording", "gatekeeper/bundle", "gatekeeper/gates"}},
      {"gatekeeper/report", {"agent/base", "agent/trust"}},
      {"gatekeeper/seal", {"agent/base", "agent/trust", "gatekeeper/bundle", "gatekeeper/gates"}},
      {"gatekeeper/store", {"agent/base", "agent/trust"}},
      {"gatekeeper/rollout", {"agent/base"}},
      {"gatekeeper/incident",
       {"agent/base", "agent/recording", "gatekeeper/store", "gatekeeper/rollout"}},
      {"gatekeeper/server",
       {"agent/base", "agent/trust", "gatekeeper/bundle", "gatekeeper/store", "gatekeeper/rollout",
        "gatekeeper/incident"}},
      {"gatekeeper/sim",
       {"agent/base", "agent/trust", "agent/recording", "agent/runtime", "agent/client"}},
      {"gatekeeper/cli",
       {"agent/base", "agent/trust", "agent/runtime", "gatekeeper/source", "gatekeeper/bundle",
        "gatekeeper/gates", "gatekeeper/defects", "gatekeeper/report", "gatekeeper/seal",
        "gatekeeper/rollout", "gatekeeper/incident", "gatekeeper/ingest", "gatekeeper/server"}},
  };
  return table;
}

// A foreign header and the only folders that may know it.
const std::map<std::string, std::set<std::string>>& Foreign() {
  static const std::map<std::string, std::set<std::string>> table = {
      {"git2", {"gatekeeper/source"}},
      {"openssl", {"agent/trust", "gatekeeper/seal"}},
      {"onnxruntime", {"agent/inference"}},
      {"soci", {"gatekeeper/store"}},
      {"sqlite3", {"agent/lifecycle", "gatekeeper/ingest"}},
      {"grpc", {"agent/daemon", "gatekeeper/server", "gatekeeper/cli"}},
      {"grpcpp", {"agent/daemon", "gatekeeper/server", "gatekeeper/cli"}},
      {"zstd", {"agent/recording"}},
      {"lz4", {"agent/recording"}},
      {"jpeglib", {"agent/recording"}},
      {"yaml-cpp", {"agent/base"}},
      {"seccomp", {"agent/worker"}},
  };
  return table;
}

struct Include {
  std::string file;
  std::string folder;  // of the including file: agent/trust
  std::string target;  // as written
};

std::vector<fs::path> Sources() {
  std::vector<fs::path> paths;
  for (const char* top : {"agent", "gatekeeper"}) {
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".cc" || extension == ".h") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string FolderOf(const fs::path& path) {
  auto part = path.begin();
  const std::string top = part->string();
  return top + "/" + (++part)->string();
}

std::vector<Include> Includes() {
  static const std::regex pattern(R"(^\s*#include\s+["<]([^">]+)[">])");
  std::vector<Include> includes;
  for (const fs::path& path : Sources()) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      if (std::regex_search(line, match, pattern)) {
        includes.push_back({path.string(), FolderOf(path), match[1]});
      }
    }
  }
  return includes;
}

bool IsOurs(const std::string& target) {
  return target.rfind("agent/", 0) == 0 || target.rfind("gatekeeper/", 0) == 0;
}

TEST(LayersTest, EveryFolderIsInThePicture) {
  std::set<std::string> missing;
  for (const fs::path& path : Sources()) {
    if (!Allowed().contains(FolderOf(path))) missing.insert(FolderOf(path));
  }
  EXPECT_THAT(missing, IsEmpty());
}

TEST(LayersTest, IncludesPointDownwardsOnly) {
  std::vector<std::string> wrong;
  const std::vector<Include> includes = Includes();
  ASSERT_GT(includes.size(), 500u);
  for (const Include& include : includes) {
    if (!IsOurs(include.target) || !Allowed().contains(include.folder)) continue;
    const std::string used = FolderOf(include.target);
    if (used != include.folder && !Allowed().at(include.folder).contains(used)) {
      wrong.push_back(include.file + " includes " + include.target);
    }
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(LayersTest, ForeignLibrariesStayBehindTheirFolder) {
  std::vector<std::string> wrong;
  for (const Include& include : Includes()) {
    std::string library = include.target.substr(0, include.target.find('/'));
    if (const size_t dot = library.find(".h"); dot != std::string::npos) library.resize(dot);
    if (library.rfind("onnxruntime", 0) == 0) library = "onnxruntime";
    if (library.rfind("lz4", 0) == 0) library = "lz4";
    if (include.target.find("grpc.pb.h") != std::string::npos) library = "grpc";
    const auto rule = Foreign().find(library);
    if (rule != Foreign().end() && !rule->second.contains(include.folder)) {
      wrong.push_back(include.file + " includes " + include.target);
    }
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(LayersTest, NoFileIsLongerThan400Lines) {
  std::vector<std::string> wrong;
  for (const fs::path& path : Sources()) {
    std::ifstream file(path);
    size_t lines = 0;
    for (std::string line; std::getline(file, line);) ++lines;
    if (lines > 400) wrong.push_back(path.string() + ": " + std::to_string(lines));
  }
  EXPECT_THAT(wrong, IsEmpty());
}

// A crash or a hostile model must not be able to reach the control loop through a library.
TEST(LayersTest, ControlLinksNeitherGrpcNorSqliteNorOnnxRuntime) {
  const std::string command = std::string("ldd ") + GATEKEEPER_CONTROL;
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string libraries;
  char buffer[512];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) libraries += buffer;
  ASSERT_EQ(pclose(pipe), 0);
  EXPECT_THAT(libraries, testing::HasSubstr("libprotobuf"));
  for (const char* name : {"libgrpc", "libsqlite", "libonnxruntime", "libgit2", "libsoci"}) {
    EXPECT_THAT(libraries, testing::Not(testing::HasSubstr(name)));
  }
}

}  // namespace
