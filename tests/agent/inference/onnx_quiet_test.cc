#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "agent/inference/onnx_runtime.h"
#include "tests/support/onnx_models.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// A program of its own: what the library does when it starts can be watched only once.

namespace agent::inference {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Sockets() {
  std::vector<std::string> sockets;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the descriptor of this very listing
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    if (target.starts_with("socket:")) sockets.push_back(target);
  }
  return sockets;
}

size_t Threads() {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}

TEST(OnnxQuietTest, WritesNoFileOpensNoSocketAndStartsNoThread) {
  const tests::TempFolder home;
  for (const char* name : {"HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"}) {
    setenv(name, home.path().c_str(), 1);
  }
  ASSERT_EQ(chdir(home.path().c_str()), 0);
  const std::vector<std::string> sockets_before = Sockets();
  const size_t threads_before = Threads();

  ASSERT_OK_AND_ASSIGN(const auto runtime, OnnxRuntime::Open(DefaultLibraryPath()));
  const tests::TestModel source = tests::SlowHalf();
  ASSERT_OK_AND_ASSIGN(const auto model, runtime->Load(source.onnx, source.signature));
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(model->Run(std::chrono::seconds(10)), base::RunOutcome::kDone);
  }

  EXPECT_STREQ(getenv("ORT_DISABLE_TELEMETRY"), "1");
  EXPECT_TRUE(fs::is_empty(home.path()));
  EXPECT_EQ(Sockets(), sockets_before);
  EXPECT_EQ(Threads(), threads_before);
}

}  // namespace
}  // namespace agent::inference
