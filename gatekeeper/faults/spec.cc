#include "gatekeeper/faults/spec.h"

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"

namespace gatekeeper::faults {

std::string Text(const Spec& spec) {
  return absl::StrFormat("%s/%d:%s from %d to %d seed %d", spec.id, spec.severity, spec.channel,
                         spec.onset_ns, spec.end_ns, spec.seed);
}

uint64_t SeedFor(uint64_t suite_seed, const std::string& recording_sha256, const std::string& id) {
  const agent::base::Digest digest =
      agent::trust::Sha256(absl::StrFormat("%d/%s/%s", suite_seed, recording_sha256, id));
  uint64_t seed = 0;
  for (size_t i = 0; i < 8; ++i) seed = seed << 8 | digest.bytes[i];
  return seed;
}

}  // namespace gatekeeper::faults
