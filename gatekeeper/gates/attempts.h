#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// A run that was counted.
struct Attempt {
  std::string unit;     // name@version
  std::string suite;    // id
  uint32_t number = 0;  // of this unit under this suite, from 1
  uint32_t failed_before =
      0;  // earlier ones that did not end with PASS: refused, killed, or under way
  // Attempts with this unit's name, in any version, under this suite that began since one of them
  // ended with PASS: a new version number does not make a new count.
  uint32_t failed_since_pass = 0;
};

// How often each unit was tried under each suite: one file that only grows. Each line carries the
// SHA-256 of the line before and of itself, so a line that was edited, taken out or put in between
// shows; lines cut off at the end do not. Several processes may share the file. Nothing is kept in
// memory: every call reads it anew under its lock.
class AttemptLog {
 public:
  explicit AttemptLog(std::string path) : path_(std::move(path)) {}

  // Counts before anything runs: whoever kills the run has had his attempt. On disk when it
  // returns. kDataLoss names the line where the chain breaks.
  absl::StatusOr<Attempt> Begin(const std::string& unit, const std::string& suite,
                                const std::string& plan_sha256, int64_t wall_ms) const;
  absl::Status End(const Attempt& attempt, v1::GateOutcome outcome, int64_t wall_ms) const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace gatekeeper::gates
