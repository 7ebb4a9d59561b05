#pragma once

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/store/blob_folder.h"
#include "gatekeeper/store/store.h"

namespace gatekeeper::server {

// The documents of a unit that was pushed here, named "nav@1.0.0:policy/control_policy.yaml".
// kDataLoss: a file is not there, or larger than a document may be.
absl::StatusOr<bundle::RuleSet> StoredRules(const store::Unit& unit,
                                            const store::BlobFolder& blobs);

}  // namespace gatekeeper::server
