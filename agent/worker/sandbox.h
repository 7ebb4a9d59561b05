#pragma once

#include "absl/status/status.h"

namespace agent::worker {

// The two halves of what keeps a model to itself. Both are for the whole process and cannot be
// undone.

// Before the model's bytes are touched: dies with the process that started it (PR_SET_PDEATHSIG is
// tied to the starting *thread*, so start workers from one that lives as long as its process),
// never gains privileges, bounded address space, no file written, no core dumped, few descriptors.
absl::Status LimitProcess();

// After the model is loaded and warm, with no other thread left: closes every descriptor but the
// standard ones and kills the process on any system call that running a model does not need: no
// socket, no open, no exec, no new thread or process, no executable memory, no write but to
// standard output and error.
absl::Status SealProcess();

}  // namespace agent::worker
