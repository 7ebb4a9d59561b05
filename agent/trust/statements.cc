#include "agent/trust/statements.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/in_toto.h"
#include "agent/trust/json_fields.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"

namespace agent::trust {
namespace {

namespace v1 = ::gatekeeper::v1;
using Json = nlohmann::json;

constexpr char kModelSignature[] = "https://model_signing/signature/v1.0";
constexpr char kVerificationSummary[] = "https://slsa.dev/verification_summary/v1";
constexpr char kPassed[] = "PASSED";
constexpr char kFailed[] = "FAILED";
constexpr char kScheme[] = "gatekeeper:";

absl::Status Refuse(const char* bundle, const char* field, const Json& found,
                    const std::string& wanted) {
  std::string text = found.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 160) text = text.substr(0, 160) + "...";
  return absl::PermissionDeniedError(
      absl::StrFormat("%s: %s is %s; wanted %s", bundle, field, text, wanted));
}

// RFC 3339, in UTC, to the second.
std::string Timestamp(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                         utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

absl::Status CheckTypes(const Json& statement, const char* bundle, const char* predicate_type) {
  if (!IsText(At(statement, "/_type"), kStatementType)) {
    return Refuse(bundle, "_type", At(statement, "/_type"), kStatementType);
  }
  if (!IsText(At(statement, "/predicateType"), predicate_type)) {
    return Refuse(bundle, "predicateType", At(statement, "/predicateType"), predicate_type);
  }
  return absl::OkStatus();
}

}  // namespace

std::string WaiverName(const std::string& gate, const std::string& last_day,
                       const std::string& people) {
  return absl::StrFormat("waiver/%s/until-%s/%s", gate, last_day, people);
}

std::optional<LooserStep> LooserStepOf(const Json& verdict_statement) {
  constexpr size_t kDay = 10;  // YYYY-MM-DD
  static const std::string waiver = std::string(kScheme) + "waiver/loosening/until-";
  LooserStep step;
  const Json& inputs = At(verdict_statement, "/predicate/inputAttestations");
  if (!inputs.is_array()) return std::nullopt;
  for (const Json& input : inputs) {
    const Json& uri = At(input, "/uri");
    const Json& digest = At(input, "/digest/sha256");
    if (!uri.is_string() || !digest.is_string()) continue;
    const std::string name = uri.get<std::string>();
    if (name == std::string(kScheme) + kComparedWith) step.from = digest.get<std::string>();
    // "...until-" day "/" people
    if (name.size() <= waiver.size() + kDay + 1 || !name.starts_with(waiver)) continue;
    step.last_day = name.substr(waiver.size(), kDay);
    step.people = name.substr(waiver.size() + kDay + 1);
  }
  if (!Digest::Parse(step.from).ok() || step.people.empty()) return std::nullopt;
  return step;
}

std::string ResourceUri(const v1::Manifest& manifest) {
  return absl::StrFormat("gatekeeper:unit/%s@%s", manifest.name(), manifest.version());
}

std::string UnitStatement(const v1::Manifest& manifest, const Digest& manifest_digest) {
  std::map<std::string, std::string> digests = {{kManifestFile, manifest_digest.hex()}};
  for (const v1::UnitFile& file : manifest.files()) digests[file.path()] = file.sha256();
  Sha256Stream root;
  Json resources = Json::array();
  for (const auto& [name, sha256] : digests) {
    root.Update(absl::HexStringToBytes(sha256));
    resources.push_back({{"name", name}, {"algorithm", "sha256"}, {"digest", sha256}});
  }
  // The seal lies inside the folder it signs, so the format's own verifier is told to pass over it.
  const Json serialization = {{"method", "files"},
                              {"hash_type", "sha256"},
                              {"allow_symlinks", false},
                              {"ignore_paths", Json::array({kSealFolder})}};
  return base::CanonicalJson(Statement(
      kModelSignature, Subject(manifest.name() + "@" + manifest.version(), root.Finish().hex()),
      {{"serialization", serialization}, {"resources", resources}}));
}

std::string VerdictStatement(const v1::Manifest& manifest, const Digest& manifest_digest,
                             const GateVerdict& verdict) {
  Json inputs = Json::array();
  for (const auto& [id, digest] : verdict.inputs) {
    inputs.push_back(
        {{"uri", "gatekeeper:scenario/" + id}, {"digest", {{"sha256", digest.hex()}}}});
  }
  for (const auto& [name, digest] : verdict.others) {
    inputs.push_back({{"uri", kScheme + name}, {"digest", {{"sha256", digest.hex()}}}});
  }
  const std::string suite_uri =
      verdict.suite_uri.empty() ? "gatekeeper:suite/" + verdict.suite_id : verdict.suite_uri;
  const Json predicate = {
      {"verifier", {{"id", verdict.verifier_id}}},
      {"timeVerified", Timestamp(verdict.wall_ms)},
      {"resourceUri", ResourceUri(manifest)},
      {"policy", {{"uri", suite_uri}, {"digest", {{"sha256", verdict.suite.hex()}}}}},
      {"inputAttestations", inputs},
      {"verificationResult", verdict.result == Verdict::kPassed ? kPassed : kFailed},
      {"verifiedLevels", Json::array({verdict.level})}};
  return base::CanonicalJson(
      Statement(kVerificationSummary, Subject(kManifestFile, manifest_digest.hex()), predicate));
}

absl::Status CheckUnitStatement(const Json& statement, const v1::Manifest& manifest,
                                const Digest& manifest_digest) {
  RETURN_IF_ERROR(CheckTypes(statement, kUnitBundle, kModelSignature));
  ASSIGN_OR_RETURN(const Json wanted,
                   base::ParseStrictJson(UnitStatement(manifest, manifest_digest), kUnitBundle));
  for (const char* field :
       {"/subject/0/digest", "/predicate/serialization", "/predicate/resources"}) {
    if (At(statement, field) != At(wanted, field)) {
      return Refuse(kUnitBundle, field + 1, At(statement, field),
                    At(wanted, field).dump().substr(0, 160) + " of the manifest at hand");
    }
  }
  if (statement != wanted) {
    return Refuse(kUnitBundle, "the statement", statement,
                  "the subject " + At(wanted, "/subject/0/name").dump() + " and no other fields");
  }
  return absl::OkStatus();
}

absl::Status CheckVerdictSubject(const Json& statement, const Digest& manifest_digest) {
  RETURN_IF_ERROR(CheckTypes(statement, kVerdictBundle, kVerificationSummary));
  const Json wanted = Subject(kManifestFile, manifest_digest.hex());
  if (At(statement, "/subject") == wanted) return absl::OkStatus();
  return Refuse(kVerdictBundle, "subject", At(statement, "/subject"),
                "the manifest.json at hand, " + manifest_digest.hex());
}

absl::Status CheckVerdictStatement(const Json& statement, const v1::Manifest& manifest,
                                   const TrustPolicy& trust) {
  RETURN_IF_ERROR(CheckTypes(statement, kVerdictBundle, kVerificationSummary));
  const std::pair<const char*, std::string> wanted[] = {
      {"/predicate/verificationResult", kPassed},
      {"/predicate/verifier/id", trust.verifier_id()},
      {"/predicate/resourceUri", ResourceUri(manifest)},
  };
  for (const auto& [field, value] : wanted) {
    if (!IsText(At(statement, field), value)) {
      return Refuse(kVerdictBundle, field + 1, At(statement, field), "'" + value + "'");
    }
  }
  const Json& levels = At(statement, "/predicate/verifiedLevels");
  const bool reached =
      levels.is_array() && std::find(levels.begin(), levels.end(), trust.level()) != levels.end();
  if (!reached) {
    return Refuse(kVerdictBundle, "predicate/verifiedLevels", levels,
                  "'" + trust.level() + "' among them");
  }
  const Json& suite = At(statement, "/predicate/policy/digest/sha256");
  if (!suite.is_string() || !Digest::Parse(suite.get<std::string>()).ok()) {
    return Refuse(kVerdictBundle, "predicate/policy/digest/sha256", suite,
                  "the digest of a gate suite");
  }
  return absl::OkStatus();
}

}  // namespace agent::trust
