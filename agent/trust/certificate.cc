#include "agent/trust/certificate.h"

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/trust/openssl_handles.h"

namespace agent::trust {
namespace {

constexpr size_t kMaxCertificateBytes = 32'000;
constexpr size_t kMaxServerNames = 32;
// Robots without a battery-backed clock lag; more than this is caught as "not yet valid".
constexpr int64_t kBackdateSeconds = 300;
constexpr int kVersion3 = 2;  // X.509 counts from 0

absl::StatusOr<Certificate> ReadCertificate(std::string_view pem) {
  if (pem.size() > kMaxCertificateBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d bytes are too many for a certificate", pem.size()));
  }
  const Bio in = ReadFrom(pem);
  Certificate certificate(PEM_read_bio_X509(in.get(), nullptr, NoPassphrase, nullptr));
  if (certificate != nullptr) return certificate;
  return absl::InvalidArgumentError("not a certificate in PEM: " + OpenSslReason());
}

absl::StatusOr<std::string> CertificatePem(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (out == nullptr || PEM_write_bio_X509(out.get(), certificate) != 1) {
    return OpenSslBroken("write a certificate");
  }
  return Written(out.get());
}

absl::StatusOr<int64_t> ToMs(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) {
    return absl::InvalidArgumentError("the certificate has no readable date");
  }
  return static_cast<int64_t>(timegm(&utc)) * 1000;
}

// Adds `nid` with a value in OpenSSL's configuration syntax; every part of it is checked before.
bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  BIGNUM* raw = nullptr;
  // The leading zero bit keeps the number positive in 16 bytes.
  const std::string hex = "7" + RandomToken().substr(1);
  const bool parsed = BN_hex2bn(&raw, hex.c_str()) != 0;
  const BigNumber number(raw);
  return parsed && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetName(X509_NAME* name, const std::string& text) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool SetValidity(X509* certificate, int64_t from_s, int64_t to_s) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), static_cast<time_t>(from_s)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<time_t>(to_s)) != nullptr;
}

// The key that made the request, once it has proved that it did.
absl::StatusOr<PublicKey> ReadCsr(std::string_view pem) {
  if (pem.size() > kMaxCertificateBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d bytes are too many for a certificate request", pem.size()));
  }
  const Bio in = ReadFrom(pem);
  const Request request(PEM_read_bio_X509_REQ(in.get(), nullptr, NoPassphrase, nullptr));
  if (request == nullptr) {
    return absl::InvalidArgumentError("not a certificate request in PEM: " + OpenSslReason());
  }
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    return absl::PermissionDeniedError("the certificate request's own signature does not hold: " +
                                       OpenSslReason());
  }
  const Bio out(BIO_new(BIO_s_mem()));
  if (out == nullptr || PEM_write_bio_PUBKEY(out.get(), key) != 1)
    return OpenSslBroken("write a key");
  return PublicKey::FromPem(Written(out.get()));
}

// "DNS:robots.example" or "IP:10.0.0.7": text that is safe inside an extension's value.
absl::StatusOr<std::string> AlternativeName(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
      inet_pton(AF_INET6, name.c_str(), address.data()) == 1) {
    return "IP:" + name;
  }
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
  });
  if (plain && !name.empty() && name.size() <= 253 &&
      absl::ascii_isalnum(static_cast<unsigned char>(name.front()))) {
    return "DNS:" + name;
  }
  return absl::InvalidArgumentError(absl::StrFormat("'%s' is neither a DNS name nor an IP address",
                                                    absl::CHexEscape(name.substr(0, 128))));
}

absl::StatusOr<std::string> AlternativeNames(const CertificateOrder& order) {
  ASSIGN_OR_RETURN(const std::string uri, SpiffeUri(order.identity));
  std::set<std::string> names = {"URI:" + uri};
  if (order.identity.party == Party::kServer) {
    names.insert({"DNS:localhost", "IP:127.0.0.1"});
  } else if (!order.server_names.empty()) {
    return absl::InvalidArgumentError(
        "only the server's certificate carries DNS names and addresses");
  }
  if (order.server_names.size() > kMaxServerNames) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d server names; at most %d", order.server_names.size(), kMaxServerNames));
  }
  for (const std::string& name : order.server_names) {
    ASSIGN_OR_RETURN(std::string alternative, AlternativeName(name));
    names.insert(std::move(alternative));
  }
  return absl::StrJoin(names, ",");
}

absl::Status Sign(X509* certificate, const PrivateKey& key) {
  if (X509_sign(certificate, key.handle(), EVP_sha256()) > 0) return absl::OkStatus();
  return OpenSslBroken("sign a certificate");
}

absl::Status CheckChain(X509* certificate, X509* authority, int purpose, int64_t wall_ms) {
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  if (store == nullptr || context == nullptr || X509_STORE_add_cert(store.get(), authority) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) != 1) {
    return OpenSslBroken("prepare a certificate check");
  }
  X509_VERIFY_PARAM* wanted = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(wanted, static_cast<time_t>(wall_ms / 1000));
  X509_VERIFY_PARAM_set_purpose(wanted, purpose);
  X509_VERIFY_PARAM_set_flags(wanted, X509_V_FLAG_X509_STRICT);
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  OpenSslReason();
  return absl::PermissionDeniedError(
      absl::StrFormat("certificate refused: %s",
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))));
}

}  // namespace

absl::StatusOr<std::string> MakeCsr(const PrivateKey& key) {
  const Request request(X509_REQ_new());
  const Bio out(BIO_new(BIO_s_mem()));
  if (request == nullptr || out == nullptr || X509_REQ_set_version(request.get(), 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.handle()) != 1 ||
      X509_REQ_sign(request.get(), key.handle(), EVP_sha256()) <= 0 ||
      PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) {
    return OpenSslBroken("make a certificate request");
  }
  return Written(out.get());
}

CertificateAuthority::CertificateAuthority(PrivateKey key, std::string pem)
    : key_(std::move(key)), pem_(std::move(pem)) {}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Create(PrivateKey key,
                                                                  const std::string& name, int days,
                                                                  int64_t wall_ms) {
  const Certificate certificate(X509_new());
  const int64_t from_s = wall_ms / 1000 - kBackdateSeconds;
  X509* const raw = certificate.get();
  if (raw == nullptr || X509_set_version(raw, kVersion3) != 1 || !SetSerial(raw) ||
      !SetName(X509_get_subject_name(raw), name) ||
      X509_set_issuer_name(raw, X509_get_subject_name(raw)) != 1 ||
      !SetValidity(raw, from_s, wall_ms / 1000 + int64_t{days} * 24 * 3600) ||
      X509_set_pubkey(raw, key.handle()) != 1 ||
      !AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(raw, raw, NID_subject_key_identifier, "hash")) {
    return OpenSslBroken("make a CA certificate");
  }
  RETURN_IF_ERROR(Sign(raw, key));
  ASSIGN_OR_RETURN(std::string pem, CertificatePem(raw));
  return CertificateAuthority(std::move(key), std::move(pem));
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(PrivateKey key,
                                                                std::string_view certificate_pem) {
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  if (X509_check_ca(certificate.get()) != 1) {
    return absl::InvalidArgumentError("the certificate is not a certificate authority's");
  }
  if (X509_check_private_key(certificate.get(), key.handle()) != 1) {
    OpenSslReason();
    return absl::InvalidArgumentError("the CA certificate belongs to another key");
  }
  return CertificateAuthority(std::move(key), std::string(certificate_pem));
}

absl::StatusOr<std::string> CertificateAuthority::Issue(const CertificateOrder& order,
                                                        int64_t wall_ms) const {
  ASSIGN_OR_RETURN(const std::string names, AlternativeNames(order));
  ASSIGN_OR_RETURN(const PublicKey subject_key, ReadCsr(order.csr_pem));
  ASSIGN_OR_RETURN(const Certificate authority, ReadCertificate(pem_));
  ASSIGN_OR_RETURN(const int64_t authority_ends_ms, NotAfterMs(pem_));
  const int64_t now_s = wall_ms / 1000;
  const int64_t ends_s =
      std::min(now_s + int64_t{order.life.count()} * 3600, authority_ends_ms / 1000);
  if (ends_s <= now_s) {
    return absl::FailedPreconditionError(
        "the certificate would be expired from the start: the authority's own ended or no life was "
        "asked for");
  }
  const bool server = order.identity.party == Party::kServer;
  const Bio key_text = ReadFrom(subject_key.Pem());
  const PKey key(PEM_read_bio_PUBKEY(key_text.get(), nullptr, NoPassphrase, nullptr));
  const Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  if (raw == nullptr || key == nullptr || X509_set_version(raw, kVersion3) != 1 ||
      !SetSerial(raw) ||
      !SetName(X509_get_subject_name(raw), server ? "gatekeeper" : order.identity.name) ||
      X509_set_issuer_name(raw, X509_get_subject_name(authority.get())) != 1 ||
      !SetValidity(raw, now_s - kBackdateSeconds, ends_s) || X509_set_pubkey(raw, key.get()) != 1 ||
      !AddExtension(raw, authority.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(raw, authority.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(raw, authority.get(), NID_ext_key_usage,
                    server ? "serverAuth" : "clientAuth") ||
      !AddExtension(raw, authority.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(raw, authority.get(), NID_authority_key_identifier, "keyid:always") ||
      !AddExtension(raw, authority.get(), NID_subject_alt_name, names)) {
    return OpenSslBroken("make a certificate");
  }
  RETURN_IF_ERROR(Sign(raw, key_));
  return CertificatePem(raw);
}

absl::StatusOr<std::string> SpiffeId(std::string_view certificate_pem) {
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  if (uris.size() != 1) {
    return absl::PermissionDeniedError(
        absl::StrFormat("the certificate carries %d URI names; wanted exactly one", uris.size()));
  }
  RETURN_IF_ERROR(ParseSpiffe(uris[0]).status());
  return uris[0];
}

absl::StatusOr<int64_t> NotBeforeMs(std::string_view certificate_pem) {
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  return ToMs(X509_get0_notBefore(certificate.get()));
}

absl::StatusOr<int64_t> NotAfterMs(std::string_view certificate_pem) {
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  return ToMs(X509_get0_notAfter(certificate.get()));
}

absl::StatusOr<Digest> CertificateDigest(std::string_view certificate_pem) {
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  Digest digest;
  if (X509_digest(certificate.get(), EVP_sha256(), digest.bytes.data(), nullptr) != 1) {
    return OpenSslBroken("hash a certificate");
  }
  return digest;
}

absl::Status CheckCertificate(std::string_view certificate_pem, std::string_view ca_pem,
                              int64_t wall_ms) {
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_pem));
  ASSIGN_OR_RETURN(const Certificate authority, ReadCertificate(ca_pem));
  ASSIGN_OR_RETURN(const std::string uri, SpiffeId(certificate_pem));
  ASSIGN_OR_RETURN(const Identity identity, ParseSpiffe(uri));
  if (X509_check_ca(certificate.get()) != 0) {
    return absl::PermissionDeniedError("certificate refused: it is an authority's, not a party's");
  }
  const int purpose =
      identity.party == Party::kServer ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
  return CheckChain(certificate.get(), authority.get(), purpose, wall_ms);
}

}  // namespace agent::trust
