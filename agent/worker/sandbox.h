#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace agent::worker {

struct Limits {
  // Address space: code, library and model together. The largest model is 512 MiB; loading one
  // holds it, its parsed form and its packed weights at once.
  uint64_t memory_bytes = uint64_t{4} << 30;
  uint32_t load_cpu_s = 60;  // processor time until it is ready; serving is not counted
};

// What keeps a model to itself, in three steps. Each holds for good. Linux on x86-64 and arm64.

// First, before the model's bytes are touched. The process dies with the one that started it
// (PR_SET_PDEATHSIG is tied to the starting *thread*, so start workers from one that lives as long
// as its process), never gains privileges, has bounded memory, processor time and descriptors,
// dumps no core. Network, programs, other processes, and any change to a file are refused (EPERM)
// while the library and the model load.
absl::Status LimitProcess(const Limits& limits);

// Then, on the thread that loads: no other thread or process is started from here.
absl::Status ForbidThreads();

// After the model is loaded and warm: closes every descriptor but the standard ones, ends the
// count of processor time, and kills the process on any system call of any thread that running a
// model does not need: no socket, no open, no exec, no new thread or process, no executable
// memory, no write but to standard output and error.
absl::Status SealProcess();

}  // namespace agent::worker
