#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "agent/trust/unit.h"
#include "gatekeeper/gates/gate_pass.h"
#include "gatekeeper/seal/keyring.h"

namespace gatekeeper::seal {

// Signs a unit that passed its gates: writes UNIT/seal/unit.sigstore.json (model signature, build
// key) and UNIT/seal/vsa.sigstore.json (verdict, gate key), both or neither, replacing an older
// seal. There is no other function that seals, and a GatePass has no maker but RunSuite.
//
// The folder is checked again before it is signed: kDataLoss when it is no longer the unit that
// passed. Afterwards it is verified as a robot would, and what that says is returned. `wall_ms`
// since 1970 is written into the verdict.
absl::StatusOr<agent::trust::VerifiedUnit> Seal(const gates::GatePass& pass, const SealKeys& keys,
                                                int64_t wall_ms);

}  // namespace gatekeeper::seal
