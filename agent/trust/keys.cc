#include "agent/trust/keys.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/hash.h"
#include "agent/trust/openssl_handles.h"

namespace agent::trust {
namespace {

// A P-256 PEM is under 300 bytes; openssl may write parameters before it.
constexpr size_t kMaxPemBytes = 8192;
// A DER ECDSA signature over P-256 is at most 72 bytes.
constexpr size_t kMaxSignatureBytes = 72;

// SubjectPublicKeyInfo of every uncompressed P-256 key begins with these bytes (RFC 5480); the
// point follows.
constexpr std::string_view kP256Header(
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
    "\x03"
    "\x42\x00\x04",
    27);
constexpr size_t kP256DerBytes = 27 + 64;

std::string PublicPem(EVP_PKEY* key) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (out == nullptr || PEM_write_bio_PUBKEY(out.get(), key) != 1) return "";
  return Written(out.get());
}

bool IsP256(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return false;
  const std::string_view bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  const bool is = bytes.size() == kP256DerBytes && bytes.starts_with(kP256Header);
  OPENSSL_free(der);
  return is;
}

std::shared_ptr<EVP_PKEY> Share(PKey key) { return {key.release(), EVP_PKEY_free}; }

// Reads the file through one descriptor, so that the mode checked is the mode of the bytes read.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) {
    const std::string text =
        absl::StrFormat("open %s: %s", path, std::generic_category().message(errno));
    return errno == ENOENT ? absl::NotFoundError(text) : absl::InternalError(text);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(path + " is not a file; wanted a private key in PEM");
  }
  if ((info.st_mode & 07777 & ~mode_t{0600}) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "%s has mode %04o: a private key must be readable by its owner alone; run chmod "
        "600 on it, and make a new key if others could read it",
        path, info.st_mode & 07777));
  }
  std::string bytes(kMaxPemBytes + 1, '\0');
  const ssize_t n = read(fd.get(), bytes.data(), bytes.size());
  if (n < 0) {
    return absl::InternalError(
        absl::StrFormat("read %s: %s", path, std::generic_category().message(errno)));
  }
  bytes.resize(static_cast<size_t>(n));
  return bytes;
}

}  // namespace

PublicKey::PublicKey(std::shared_ptr<EVP_PKEY> key, std::string pem)
    : key_(std::move(key)), pem_(std::move(pem)), key_id_(Sha256(pem_).hex()) {}

absl::StatusOr<PublicKey> PublicKey::FromPem(std::string_view pem) {
  constexpr char kWanted[] = "; wanted a P-256 public key as `openssl ec -pubout` writes it";
  if (pem.size() > kMaxPemBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d bytes are too many for a public key%s", pem.size(), kWanted));
  }
  const Bio in = ReadFrom(pem);
  PKey key(PEM_read_bio_PUBKEY(in.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("not a public key in PEM (%s)%s", OpenSslReason(), kWanted));
  }
  if (!IsP256(key.get())) {
    return absl::InvalidArgumentError(std::string("a key of another kind or form") + kWanted);
  }
  std::string canonical = PublicPem(key.get());
  if (canonical != pem) {
    return absl::InvalidArgumentError(
        std::string("a public key written in an unusual way (spaces, line ends, other text)") +
        kWanted);
  }
  return PublicKey(Share(std::move(key)), std::move(canonical));
}

bool PublicKey::Verify(std::string_view bytes, std::string_view signature) const {
  if (signature.size() > kMaxSignatureBytes) return false;
  const MdCtx context(EVP_MD_CTX_new());
  const bool holds =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                       bytes.size()) == 1;
  if (!holds)
    OpenSslReason();  // leave no stale error for the next caller of OpenSSL in this thread
  return holds;
}

PrivateKey::PrivateKey(std::shared_ptr<EVP_PKEY> key, PublicKey public_key)
    : key_(std::move(key)), public_key_(std::move(public_key)) {}

absl::StatusOr<PrivateKey> PrivateKey::Generate() {
  PKey key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslBroken("make a P-256 key");
  const std::shared_ptr<EVP_PKEY> shared = Share(std::move(key));
  return PrivateKey(shared, PublicKey(shared, PublicPem(shared.get())));
}

absl::StatusOr<PrivateKey> PrivateKey::Load(const std::string& pem_path) {
  ASSIGN_OR_RETURN(std::string pem, ReadPrivateFile(pem_path));
  const Bio in = ReadFrom(std::string_view(pem).substr(0, kMaxPemBytes));
  PKey key(PEM_read_bio_PrivateKey(in.get(), nullptr, NoPassphrase, nullptr));
  OPENSSL_cleanse(pem.data(), pem.size());
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is not a private key in PEM without passphrase: %s", pem_path, OpenSslReason()));
  }
  if (!IsP256(key.get())) {
    return absl::InvalidArgumentError(pem_path + " is a key of another kind; wanted P-256");
  }
  const std::shared_ptr<EVP_PKEY> shared = Share(std::move(key));
  return PrivateKey(shared, PublicKey(shared, PublicPem(shared.get())));
}

std::string PrivateKey::Pem() const {
  const Bio out(BIO_new(BIO_s_secmem()));
  if (out == nullptr || PEM_write_bio_PKCS8PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    OpenSslReason();
    return "";
  }
  return Written(out.get());
}

absl::StatusOr<std::string> PrivateKey::Sign(std::string_view bytes) const {
  const MdCtx context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::string signature(kMaxSignatureBytes, '\0');
  size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                     bytes.size()) != 1) {
    return OpenSslBroken("sign");
  }
  signature.resize(size);
  return signature;
}

}  // namespace agent::trust
