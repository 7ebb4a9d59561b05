#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/fuzz/allocation_meter.h"
#include "tests/fuzz/mutator.h"
#include "tests/fuzz/target.h"

// Runs one fuzz target without libFuzzer, in every build:
//
//   fuzz_yaml [FILE...]       FILEs: only these inputs, as they are
//
// FUZZ_SECONDS (2) or FUZZ_RUNS say how long, FUZZ_SEED (1) which inputs. An input that crashes,
// hangs for 20 s, breaks a promise or takes more memory than its allowance is left in the working
// folder as PROGRAM.crash.

namespace {

constexpr unsigned kHangS = 20;

std::string crash_file;
std::string current;

// Async-signal-safe: what is running is left for whoever looks.
void LeaveInput(int signal) {
  const int fd = open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0) {
    if (write(fd, current.data(), current.size()) < 0) _exit(2);
    close(fd);
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

uint64_t NumberFrom(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void RunOne(const std::string& input) {
  current = input;
  alarm(kHangS);
  // A copy of exactly its size, so that a sanitizer sees a read beyond it.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  alarm(0);
}

// Takes what is made once and kept, such as descriptors of messages, out of the count.
void WarmUp(const std::vector<std::string>& seeds) {
  for (int i = 0; i < 2; ++i) {
    for (const std::string& seed : seeds) RunOne(seed);
  }
}

size_t most_percent = 0;  // of its allowance, by any input

void RunMeasured(const std::string& input) {
  const size_t before = fuzz::LiveBytes();
  fuzz::ResetPeak();
  RunOne(input);
  const size_t taken = fuzz::PeakBytes() - before;
  const size_t allowed =
      fuzz::kAllowance.base_bytes + fuzz::kAllowance.per_input_byte * input.size();
  most_percent = std::max(most_percent, 100 * taken / allowed);
  if (taken <= allowed) return;
  fuzz::Fail("an input of " + std::to_string(input.size()) + " bytes takes " +
             std::to_string(taken) + " bytes of memory, allowed " + std::to_string(allowed));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string program = argv[0];
  crash_file = program.substr(program.rfind('/') + 1) + ".crash";
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) {
    std::signal(signal, LeaveInput);
  }
  const std::vector<std::string> seeds = fuzz::Seeds();
  WarmUp(seeds);
  for (int i = 1; i < argc; ++i) RunMeasured(fuzz::FileText(argv[i]));
  if (argc > 1) return 0;

  for (const std::string& seed : seeds) RunMeasured(seed);
  const uint64_t most_runs = NumberFrom("FUZZ_RUNS", 0);
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(NumberFrom("FUZZ_SECONDS", most_runs > 0 ? 86'400 : 2));
  fuzz::Mutator mutator(seeds, NumberFrom("FUZZ_SEED", 1));
  uint64_t runs = 0;
  while ((most_runs == 0 || runs < most_runs) && std::chrono::steady_clock::now() < end) {
    RunMeasured(mutator.Next());
    ++runs;
  }
  std::printf("%s: %llu inputs bent from %zu hold; at most %zu %% of the memory allowed\n",
              program.c_str(), static_cast<unsigned long long>(runs), seeds.size(), most_percent);
  return 0;
}
