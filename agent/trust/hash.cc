#include "agent/trust/hash.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/unique_fd.h"

namespace agent::trust {
namespace {

// SHA-256 and random bytes fail only in a broken process; nothing here could go on without them.
void Require(bool worked) {
  if (!worked) std::abort();
}

}  // namespace

void Sha256Stream::Free::operator()(evp_md_ctx_st* context) const noexcept {
  EVP_MD_CTX_free(context);
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  Require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::Update(std::string_view bytes) {
  Require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256Stream::Finish() {
  Digest digest;
  Require(EVP_DigestFinal_ex(context_.get(), digest.bytes.data(), nullptr) == 1);
  return digest;
}

Digest Sha256(std::string_view bytes) {
  Sha256Stream stream;
  stream.Update(bytes);
  return stream.Finish();
}

absl::StatusOr<Digest> Sha256File(const std::string& path) {
  const auto failed = [&path](const char* doing) {
    const std::string text =
        absl::StrFormat("%s %s: %s", doing, path, std::generic_category().message(errno));
    return errno == ENOENT ? absl::NotFoundError(text) : absl::InternalError(text);
  };
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return failed("open");
  Sha256Stream stream;
  std::vector<char> piece(kPieceBytes);
  while (true) {
    const ssize_t n = read(fd.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read");
    if (n == 0) return stream.Finish();
    stream.Update({piece.data(), static_cast<size_t>(n)});
  }
}

std::string RandomToken() {
  std::array<unsigned char, 16> bytes{};
  Require(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return base::ToHex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace agent::trust
