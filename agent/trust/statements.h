#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "agent/trust/hash.h"
#include "agent/trust/trust_policy.h"
#include "nlohmann/json.hpp"
#include "proto/unit.pb.h"

namespace agent::trust {

// What a build key signs: OpenSSF model signature v1.0 over manifest.json and every file it lists.
// Its subject digest is the hash over all the files' digests in order of path, as that format
// demands; `manifest_digest` stands among its resources.
// https://github.com/sigstore/model-transparency
std::string UnitStatement(const gatekeeper::v1::Manifest& manifest, const Digest& manifest_digest);

enum class Verdict { kPassed, kFailed };

// What a gate key signs: SLSA verification summary v1 about manifest.json.
// https://slsa.dev/spec/v1.0/verification_summary
struct GateVerdict {
  Verdict result = Verdict::kFailed;
  std::string verifier_id;
  std::string level;
  std::string suite_id;
  Digest suite;                          // the suite file the gates were taken from
  std::map<std::string, Digest> inputs;  // scenario id -> its recording
  // Where the suite lies: "git+<repository>@<commit>#<path>"; empty: a plain file, named by its id.
  std::string suite_uri{};
  // Further evidence by name: "plan/attempt-2-failed-1", "waiver/latency/until-2026-03-31/ann+bob".
  std::map<std::string, Digest> others{};
  int64_t wall_ms = 0;  // when it was verified
};
std::string VerdictStatement(const gatekeeper::v1::Manifest& manifest,
                             const Digest& manifest_digest, const GateVerdict& verdict);

// The names in GateVerdict::others by which a gatekeeper knows a step to a looser unit again: the
// unit that this one was compared with, and the waiver of one gate.
inline constexpr char kComparedWith[] = "deployed";
std::string WaiverName(const std::string& gate, const std::string& last_day,
                       const std::string& people);

// A step from one unit to another that allows more, and the two people who had looked at it.
struct LooserStep {
  std::string from;      // digest of the unit that the judged one was compared with
  std::string people;    // "ann+bob"
  std::string last_day;  // YYYY-MM-DD, UTC
};
// What a verdict statement, verified before, says of one. Empty: it was compared with nothing, or
// nobody had to waive the gate "loosening".
std::optional<LooserStep> LooserStepOf(const nlohmann::json& verdict_statement);

// "gatekeeper:unit/nav@1.4.0"
std::string ResourceUri(const gatekeeper::v1::Manifest& manifest);

// `statement` is already known to be signed by a key of the right class. kPermissionDenied names
// what was found and what was wanted.
absl::Status CheckUnitStatement(const nlohmann::json& statement,
                                const gatekeeper::v1::Manifest& manifest,
                                const Digest& manifest_digest);
// The subject alone, before manifest.json is parsed.
absl::Status CheckVerdictSubject(const nlohmann::json& statement, const Digest& manifest_digest);
absl::Status CheckVerdictStatement(const nlohmann::json& statement,
                                   const gatekeeper::v1::Manifest& manifest,
                                   const TrustPolicy& trust);

}  // namespace agent::trust
