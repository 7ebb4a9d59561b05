#include "agent/trust/trust_policy.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/identity.h"
#include "agent/trust/json_fields.h"

namespace agent::trust {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxTextBytes = 256;
constexpr size_t kMaxRoleBytes = 64;
constexpr char kTrustSchema[] = "trust/1";

constexpr std::pair<KeyClass, const char*> kClasses[] = {
    {KeyClass::kBuild, "build"}, {KeyClass::kGate, "gate"}, {KeyClass::kApprover, "approver"}};

const char* ClassName(KeyClass key_class) {
  return kClasses[static_cast<size_t>(key_class)].second;
}

absl::Status BadTrust(const std::string& why) {
  return absl::InvalidArgumentError("trust.json: " + why);
}

absl::Status CheckText(const std::string& text, const char* field) {
  if (!text.empty() && text.size() <= kMaxTextBytes) return absl::OkStatus();
  return BadTrust(
      absl::StrFormat("%s has %d bytes; wanted 1 to %d", field, text.size(), kMaxTextBytes));
}

// The name is compared and printed to decide who is who: it has the form of an operator's.
absl::Status CheckApprover(const TrustedKey& key) {
  if (key.key_class != KeyClass::kApprover) {
    return key.role.empty() ? absl::OkStatus() : BadTrust("only an approver has a role");
  }
  RETURN_IF_ERROR(SpiffeUri({Party::kOperator, key.name}).status());
  if (key.role.empty() || key.role.size() > kMaxRoleBytes ||
      key.role.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) {
    return BadTrust(absl::StrFormat("approver '%s' wants a role of 1 to %d letters a-z and _",
                                    key.name, kMaxRoleBytes));
  }
  return absl::OkStatus();
}

// A key that counted twice, or for two classes or roles, would let one thief do the work of two.
absl::Status CheckNew(const TrustedKey& key, std::span<const TrustedKey> before) {
  for (const TrustedKey& other : before) {
    if (key.key != other.key) continue;
    return BadTrust(absl::StrFormat(
        "'%s' (%s) and '%s' (%s) are the same key; each key stands once, in one class", other.name,
        ClassName(other.key_class), key.name, ClassName(key.key_class)));
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const std::vector<TrustedKey>& keys) {
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    RETURN_IF_ERROR(CheckText(key->name, "the name of a key"));
    RETURN_IF_ERROR(CheckApprover(*key));
    RETURN_IF_ERROR(CheckNew(*key, std::span(keys.begin(), key)));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrustedKey> ReadKey(const Json& entry) {
  const bool approver = entry.is_object() && entry.contains("role");
  const bool shaped = approver ? HasFields(entry, {"class", "name", "pem", "role"})
                               : HasFields(entry, {"class", "name", "pem"});
  if (!shaped || !std::ranges::all_of(entry, [](const Json& field) { return field.is_string(); })) {
    return BadTrust(
        "each key wants exactly class, name and pem, an approver's also role, all text");
  }
  const std::string text = entry["class"].get<std::string>();
  const auto* const known =
      std::ranges::find(kClasses, text, [](const auto& c) { return c.second; });
  if (known == std::end(kClasses)) {
    return BadTrust("key class '" + text + "' is unknown; wanted build, gate or approver");
  }
  const std::string name = entry["name"].get<std::string>();
  const absl::StatusOr<PublicKey> key = PublicKey::FromPem(entry["pem"].get<std::string>());
  if (!key.ok()) return BadTrust("key '" + name + "': " + std::string(key.status().message()));
  return TrustedKey{known->first, name, *key, approver ? entry["role"].get<std::string>() : ""};
}

}  // namespace

absl::StatusOr<TrustPolicy> TrustPolicy::Make(std::vector<TrustedKey> keys, std::string verifier_id,
                                              std::string level) {
  RETURN_IF_ERROR(CheckText(verifier_id, "verifier_id"));
  RETURN_IF_ERROR(CheckText(level, "level"));
  RETURN_IF_ERROR(CheckKeys(keys));
  TrustPolicy policy;
  policy.keys_ = std::move(keys);
  policy.verifier_id_ = std::move(verifier_id);
  policy.level_ = std::move(level);
  for (const KeyClass key_class : {KeyClass::kBuild, KeyClass::kGate}) {
    if (policy.Keys(key_class).empty()) {
      return BadTrust(
          absl::StrFormat("no key of class %s; wanted at least one", ClassName(key_class)));
    }
  }
  return policy;
}

absl::StatusOr<TrustPolicy> TrustPolicy::Parse(std::string_view bytes) {
  if (bytes.size() > kMaxTrustBytes) {
    return BadTrust(absl::StrFormat("%d bytes; at most %d are read", bytes.size(), kMaxTrustBytes));
  }
  ASSIGN_OR_RETURN(const Json json, base::ParseStrictJson(bytes, "trust.json"));
  if (!HasFields(json, {"schema", "keys", "verifier_id", "level"})) {
    return BadTrust("wanted exactly the fields schema, keys, verifier_id and level");
  }
  if (!IsText(json["schema"], kTrustSchema)) return BadTrust("wanted schema trust/1");
  if (!json["keys"].is_array() || !json["verifier_id"].is_string() || !json["level"].is_string()) {
    return BadTrust("keys wants a list; verifier_id and level want text");
  }
  std::vector<TrustedKey> keys;
  for (const Json& entry : json["keys"]) {
    ASSIGN_OR_RETURN(TrustedKey key, ReadKey(entry));
    keys.push_back(std::move(key));
  }
  return Make(std::move(keys), json["verifier_id"].get<std::string>(),
              json["level"].get<std::string>());
}

std::string TrustPolicy::ToJson() const {
  Json keys = Json::array();
  for (const TrustedKey& key : keys_) {
    Json entry = {{"class", ClassName(key.key_class)}, {"name", key.name}, {"pem", key.key.Pem()}};
    if (key.key_class == KeyClass::kApprover) entry["role"] = key.role;
    keys.push_back(std::move(entry));
  }
  return base::CanonicalJson(
      {{"schema", kTrustSchema}, {"keys", keys}, {"verifier_id", verifier_id_}, {"level", level_}});
}

std::vector<PublicKey> TrustPolicy::Keys(KeyClass key_class) const {
  std::vector<PublicKey> keys;
  for (const TrustedKey& key : keys_) {
    if (key.key_class == key_class) keys.push_back(key.key);
  }
  return keys;
}

}  // namespace agent::trust
