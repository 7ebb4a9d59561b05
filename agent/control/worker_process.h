#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/execution_provider.h"
#include "agent/base/unique_fd.h"

namespace agent::control {

// What to start for a unit's model.
struct WorkerProgram {
  std::string path;         // gatekeeper-worker
  std::string library;      // ONNX Runtime's shared library; empty: the worker's own default
  uint32_t memory_mib = 0;  // address space a worker may have; 0: the worker's own default
};

// What one worker works on. The descriptors stay the caller's.
struct WorkerJob {
  int model_fd = -1;
  int channel_fd = -1;
  int golden_fd = -1;                              // -1: none
  std::vector<base::ExecutionProvider> providers;  // best first; none: the CPU
};

// One running gatekeeper-worker. Destroyed: killed and reaped.
class WorkerProcess {
 public:
  // Call from a thread that lives as long as the worker shall: the kernel kills the worker when
  // that thread ends. kNotFound: the program is not there.
  static absl::StatusOr<WorkerProcess> Start(const WorkerProgram& program, const WorkerJob& job);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  ~WorkerProcess();

  // Becomes readable when the process has ended.
  int pidfd() const { return pidfd_.get(); }
  pid_t pid() const { return pid_; }
  void Kill() const;
  // How it ended ("killed by signal 9", "exited with code 3") once it has; does not wait.
  std::optional<std::string> Reap();

 private:
  WorkerProcess(pid_t pid, base::UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
};

}  // namespace agent::control
