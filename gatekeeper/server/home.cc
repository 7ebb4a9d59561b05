#include "gatekeeper/server/home.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/keys.h"

namespace gatekeeper::server {
namespace {

constexpr size_t kMostBytes = 64 * 1024;  // of any of the small files

absl::StatusOr<std::string> ReadSmall(const std::string& path) {
  absl::StatusOr<std::string> bytes = agent::base::OsFiles().Read(path, kMostBytes);
  if (!absl::IsNotFound(bytes.status())) return bytes;
  return absl::NotFoundError(absl::StrFormat(
      "%s is missing: this folder is no gatekeeper's home yet; make its keys first", path));
}

absl::StatusOr<agent::base::UniqueFd> Lock(const std::string& folder) {
  const std::string path = folder + "/gatekeeper.lock";
  agent::base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    const std::string text = absl::StrFormat("open %s: %s", path, strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  return absl::AlreadyExistsError(
      absl::StrFormat("another gatekeeper serves %s already (it holds %s)", folder, path));
}

}  // namespace

absl::StatusOr<Home> OpenHome(const std::string& folder, int64_t wall_ms) {
  ASSIGN_OR_RETURN(const std::string ca_pem, ReadSmall(folder + "/ca.pem"));
  ASSIGN_OR_RETURN(const std::string server_pem, ReadSmall(folder + "/server.pem"));
  ASSIGN_OR_RETURN(const std::string trust_json, ReadSmall(folder + "/trust.json"));
  ASSIGN_OR_RETURN(agent::base::UniqueFd lock, Lock(folder));
  ASSIGN_OR_RETURN(agent::trust::PrivateKey ca_key,
                   agent::trust::PrivateKey::Load(folder + "/ca.key"));
  ASSIGN_OR_RETURN(const agent::trust::PrivateKey server_key,
                   agent::trust::PrivateKey::Load(folder + "/server.key"));
  ASSIGN_OR_RETURN(agent::trust::CertificateAuthority authority,
                   agent::trust::CertificateAuthority::Load(std::move(ca_key), ca_pem));
  ASSIGN_OR_RETURN(agent::trust::TrustPolicy trust, agent::trust::TrustPolicy::Parse(trust_json));
  if (const absl::Status valid = agent::trust::CheckCertificate(server_pem, ca_pem, wall_ms);
      !valid.ok()) {
    return absl::Status(valid.code(),
                        absl::StrFormat("%s/server.pem: %s", folder, std::string(valid.message())));
  }
  return Home{.lock = std::move(lock),
              .authority = std::move(authority),
              .trust = std::move(trust),
              .trust_json = trust_json,
              .server_key_pem = server_key.Pem(),
              .server_chain_pem = server_pem + ca_pem,
              .ca_pem = ca_pem};
}

}  // namespace gatekeeper::server
