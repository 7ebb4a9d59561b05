#include "agent/trust/openssl_handles.h"

#include <openssl/err.h>

#include <cstddef>

#include "absl/strings/str_format.h"

namespace agent::trust {

Bio ReadFrom(std::string_view bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string Written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return data == nullptr ? "" : std::string(data, static_cast<size_t>(size));
}

std::string OpenSslReason() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason == nullptr ? "no reason given" : reason;
}

absl::Status OpenSslBroken(const char* doing) {
  return absl::InternalError(absl::StrFormat("OpenSSL could not %s: %s", doing, OpenSslReason()));
}

int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) { return -1; }

}  // namespace agent::trust
