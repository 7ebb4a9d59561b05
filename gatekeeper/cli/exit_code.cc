#include "gatekeeper/cli/exit_code.h"

#include <cstdio>
#include <string>

namespace gatekeeper::cli {

const char kExitCodeHelp[] =
    "Exit codes of gatekeeper:\n"
    "   0  done\n"
    "   1  internal error, or the machine failed (disk full, out of memory)\n"
    "   2  wrong usage, or an input file that can never work (file:line is named)\n"
    "   3  a gate refused the unit\n"
    "   4  this operator may not do that\n"
    "   5  not found, or a prefix that fits several\n"
    "   6  right request, wrong moment (held, already running, exists already)\n"
    "   7  the rollout ended aborted or superseded; its robots were returned\n"
    "   8  waiting ran out; the work goes on\n"
    "   9  a signature, digest, key or certificate was refused\n"
    "  10  the gates had too little evidence to say\n"
    "  11  the server cannot be reached\n"
    "  12  some robots were not reached\n";

ExitCode ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kUsage;
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kNotAllowed;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kWaitRanOut;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDataLoss:
      return ExitCode::kUntrusted;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kServerUnreachable;
    default:
      return ExitCode::kInternal;
  }
}

int Report(const absl::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return static_cast<int>(ExitCodeFor(status));
}

}  // namespace gatekeeper::cli
