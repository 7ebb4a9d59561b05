#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/target.h"

// Under libFuzzer: fills the corpus folder that stands first on the command line, if it is empty.

fuzz::Unmeasured::Unmeasured() = default;  // libFuzzer has a limit of its own
fuzz::Unmeasured::~Unmeasured() = default;

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i) {
    const std::string folder = (*argv)[i];
    std::error_code error;
    if (folder.starts_with('-') || !std::filesystem::is_directory(folder, error)) continue;
    if (!std::filesystem::is_empty(folder, error)) return 0;
    int number = 0;
    for (const std::string& seed : fuzz::Seeds()) {
      std::ofstream(folder + "/seed-" + std::to_string(number++), std::ios::binary) << seed;
    }
    return 0;
  }
  return 0;
}
