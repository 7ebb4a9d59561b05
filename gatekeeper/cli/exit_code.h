#pragma once

#include "absl/status/status.h"

namespace gatekeeper::cli {

// What a script may rely on; `gatekeeper help exit-codes` prints this list.
enum class ExitCode {
  kOk = 0,
  kInternal = 1,    // a bug, or the machine failed
  kUsage = 2,       // wrong usage or an invalid input file
  kGateFailed = 3,  // a gate refused the unit
  kNotAllowed = 4,  // the server does not let this operator do that
  kNotFound = 5,
  kConflict = 6,        // right request, wrong moment: held, running, exists already
  kRolloutAborted = 7,  // the rollout ended aborted or superseded; robots were returned
  kWaitRanOut = 8,      // still going on
  kUntrusted = 9,       // signature, digest or trust failure
  kInsufficient = 10,   // the gates had too little evidence
  kServerUnreachable = 11,
  kPartial = 12,  // some robots were not reached
};

ExitCode ExitCodeFor(const absl::Status& status);

// Prints "error: ..." to standard error unless OK, and says which code the program ends with.
int Report(const absl::Status& status);

extern const char kExitCodeHelp[];

}  // namespace gatekeeper::cli
