#include "agent/trust/pinned_ca.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <system_error>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/certificate.h"
#include "agent/trust/openssl_handles.h"

namespace agent::trust {
namespace {

using Context = base::Handle<SSL_CTX, SSL_CTX_free>;
using Connection = base::Handle<SSL, SSL_free>;
using Addresses = base::Handle<addrinfo, freeaddrinfo>;

constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};  // for each of connect, send and receive

absl::StatusOr<base::UniqueFd> Dial(const std::string& host, uint16_t port) {
  const addrinfo hints{.ai_flags = AI_NUMERICSERV,
                       .ai_family = AF_UNSPEC,
                       .ai_socktype = SOCK_STREAM,
                       .ai_protocol = 0,
                       .ai_addrlen = 0,
                       .ai_addr = nullptr,
                       .ai_canonname = nullptr,
                       .ai_next = nullptr};
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
      error != 0) {
    return absl::UnavailableError(absl::StrFormat("%s: %s", host, gai_strerror(error)));
  }
  const Addresses addresses(found);
  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    base::UniqueFd fd(socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) continue;
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
    if (connect(fd.get(), address->ai_addr, address->ai_addrlen) == 0) return fd;
    error = errno;
  }
  return absl::UnavailableError(
      absl::StrFormat("%s:%d: %s", host, port, std::generic_category().message(error)));
}

std::string ToPem(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509(out.get(), certificate) != 1) return "";
  return Written(out.get());
}

}  // namespace

absl::StatusOr<std::string> FetchPinnedCa(const std::string& host, uint16_t port,
                                          const Digest& pin) {
  ASSIGN_OR_RETURN(const base::UniqueFd fd, Dial(host, port));
  const Context context(SSL_CTX_new(TLS_client_method()));
  const Connection connection(context ? SSL_new(context.get()) : nullptr);
  if (!connection) return OpenSslBroken("make a TLS connection");
  SSL_set_verify(connection.get(), SSL_VERIFY_NONE, nullptr);  // nothing of it is believed
  // gRPC's servers want to be spoken to as HTTP/2.
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(connection.get(), kHttp2, sizeof(kHttp2));
  if (SSL_set_fd(connection.get(), fd.get()) != 1) return OpenSslBroken("use the socket for TLS");
  if (SSL_connect(connection.get()) != 1) {
    const std::string reason = OpenSslReason();
    return absl::UnavailableError(
        absl::StrFormat("%s:%d: no TLS handshake: %s", host, port,
                        reason.empty() ? "the server closed or did not answer in time" : reason));
  }
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(connection.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    std::string pem = ToPem(sk_X509_value(chain, i));
    ASSIGN_OR_RETURN(const Digest found, CertificateDigest(pem));
    if (found == pin) return pem;
  }
  return absl::PermissionDeniedError(absl::StrFormat(
      "%s:%d shows no certificate authority with the SHA-256 %s: this is not your gatekeeper, or "
      "--ca-sha256 is that of another one; take both from the output of `gatekeeper robot create`",
      host, port, pin.hex()));
}

}  // namespace agent::trust
