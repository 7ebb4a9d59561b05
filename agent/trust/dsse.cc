#include "agent/trust/dsse.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/json_fields.h"

namespace agent::trust {
namespace {

using Json = nlohmann::json;

constexpr char kMediaType[] = "application/vnd.dev.sigstore.bundle.v0.3+json";

struct Envelope {
  std::string hint;
  std::string payload;
  std::string signature;
};

// Refuses white space, missing padding and stray bits, all of which would let one byte change
// unseen.
bool DecodeBase64(const std::string& text, std::string& bytes) {
  return absl::Base64Unescape(text, &bytes) && absl::Base64Escape(bytes) == text;
}

absl::StatusOr<Envelope> ReadBundle(std::string_view bundle, std::string_view what) {
  const std::string name(what);
  const auto refuse = [&name](const char* why) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is not a Sigstore bundle v0.3 as wanted here: %s", name, why));
  };
  if (bundle.size() > kMaxBundleBytes) return refuse("it is larger than 1 MiB");
  ASSIGN_OR_RETURN(const Json json, base::ParseStrictJson(bundle, what));
  if (!HasFields(json, {"mediaType", "verificationMaterial", "dsseEnvelope"})) {
    return refuse("wanted exactly mediaType, verificationMaterial and dsseEnvelope");
  }
  if (!IsText(json["mediaType"], kMediaType)) return refuse("another mediaType");
  const Json& material = json["verificationMaterial"];
  if (!HasFields(material, {"publicKey", "tlogEntries"}) ||
      !HasFields(material["publicKey"], {"hint"}) || !material["publicKey"]["hint"].is_string() ||
      material["tlogEntries"] != Json::array()) {
    return refuse("verificationMaterial wants publicKey.hint and empty tlogEntries");
  }
  const Json& envelope = json["dsseEnvelope"];
  if (!HasFields(envelope, {"payload", "payloadType", "signatures"}) ||
      !envelope["payload"].is_string() || !IsText(envelope["payloadType"], kStatementPayloadType)) {
    return refuse("dsseEnvelope wants payload, signatures and an in-toto payloadType");
  }
  const Json& signatures = envelope["signatures"];
  if (!signatures.is_array() || signatures.size() != 1)
    return refuse("wanted exactly one signature");
  if (!HasFields(signatures[0], {"keyid", "sig"}) || !IsText(signatures[0]["keyid"], "") ||
      !signatures[0]["sig"].is_string()) {
    return refuse("the signature wants sig and an empty keyid");
  }
  Envelope opened;
  opened.hint = material["publicKey"]["hint"].get<std::string>();
  if (!DecodeBase64(envelope["payload"].get<std::string>(), opened.payload) ||
      !DecodeBase64(signatures[0]["sig"].get<std::string>(), opened.signature)) {
    return refuse("payload or signature is not base64");
  }
  return opened;
}

}  // namespace

std::string Pae(std::string_view payload_type, std::string_view payload) {
  const auto sized = [](std::string_view part) {
    return std::to_string(part.size()) + " " + std::string(part);
  };
  return "DSSEv1 " + sized(payload_type) + " " + sized(payload);
}

absl::StatusOr<std::string> SignStatement(std::string_view statement_json, const PrivateKey& key) {
  ASSIGN_OR_RETURN(const std::string signature,
                   key.Sign(Pae(kStatementPayloadType, statement_json)));
  const Json bundle = {
      {"mediaType", kMediaType},
      {"verificationMaterial",
       {{"publicKey", {{"hint", key.public_key().key_id()}}}, {"tlogEntries", Json::array()}}},
      {"dsseEnvelope",
       {{"payload", absl::Base64Escape(std::string(statement_json))},
        {"payloadType", kStatementPayloadType},
        {"signatures", Json::array({{{"keyid", ""}, {"sig", absl::Base64Escape(signature)}}})}}}};
  return base::CanonicalJson(bundle);
}

absl::StatusOr<Json> OpenStatement(std::string_view bundle, std::span<const PublicKey> keys,
                                   std::string_view what) {
  ASSIGN_OR_RETURN(SignedStatement opened, OpenSigned(bundle, keys, what));
  return std::move(opened.statement);
}

absl::StatusOr<SignedStatement> OpenSigned(std::string_view bundle, std::span<const PublicKey> keys,
                                           std::string_view what) {
  ASSIGN_OR_RETURN(const Envelope envelope, ReadBundle(bundle, what));
  const std::string name(what);
  const auto key = std::find_if(keys.begin(), keys.end(), [&envelope](const PublicKey& candidate) {
    return candidate.key_id() == envelope.hint;
  });
  if (key == keys.end()) {
    return absl::PermissionDeniedError(
        absl::StrFormat("%s is signed by key '%s', which is not among the %d keys trusted for this",
                        name, absl::CHexEscape(envelope.hint.substr(0, 64)), keys.size()));
  }
  if (!key->Verify(Pae(kStatementPayloadType, envelope.payload), envelope.signature)) {
    return absl::PermissionDeniedError(
        absl::StrFormat("%s: the signature of key %s does not hold", name, key->key_id()));
  }
  ASSIGN_OR_RETURN(Json statement,
                   base::ParseStrictJson(envelope.payload, "the statement in " + name));
  return SignedStatement{std::move(statement), *key};
}

}  // namespace agent::trust
