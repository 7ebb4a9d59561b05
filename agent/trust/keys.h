#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_pkey_st;

namespace agent::trust {

// A P-256 key that signatures are checked with (ECDSA over SHA-256, DER as of RFC 3279). Cheap to
// copy; immutable, so any thread may use it.
class PublicKey {
 public:
  // One key has one text: only the uncompressed named-curve form that `openssl ec -pubout` writes
  // is taken, so equal keys have equal ids. kInvalidArgument otherwise, also for other curves and
  // key kinds.
  static absl::StatusOr<PublicKey> FromPem(std::string_view pem);

  const std::string& Pem() const { return pem_; }
  // Hex SHA-256 of the PEM text: the `hint` of a Sigstore bundle, as OpenSSF model signing wants
  // it.
  const std::string& key_id() const { return key_id_; }
  bool Verify(std::string_view bytes, std::string_view signature) const;
  bool operator==(const PublicKey& other) const { return pem_ == other.pem_; }

 private:
  friend class PrivateKey;
  PublicKey(std::shared_ptr<evp_pkey_st> key, std::string pem);

  std::shared_ptr<evp_pkey_st> key_;
  std::string pem_;
  std::string key_id_;
};

// A P-256 key that signs. Cheap to copy; immutable, so any thread may use it.
class PrivateKey {
 public:
  static absl::StatusOr<PrivateKey> Generate();
  // PKCS#8 PEM without a passphrase. kPermissionDenied when anybody but the owner may read or write
  // the file (mode looser than 0600); kInvalidArgument when it holds no P-256 key; kNotFound.
  static absl::StatusOr<PrivateKey> Load(const std::string& pem_path);

  std::string Pem() const;  // PKCS#8, to be written with mode 0600
  const PublicKey& public_key() const { return public_key_; }
  // DER signature; two signatures of the same bytes differ.
  absl::StatusOr<std::string> Sign(std::string_view bytes) const;

  // For the certificate code of this folder.
  evp_pkey_st* handle() const { return key_.get(); }

 private:
  PrivateKey(std::shared_ptr<evp_pkey_st> key, PublicKey public_key);

  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_key_;
};

}  // namespace agent::trust
