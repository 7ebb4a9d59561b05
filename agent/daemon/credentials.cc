#include "agent/daemon/credentials.h"

#include <ctime>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/certificate.h"
#include "agent/trust/trust_policy.h"

namespace agent::daemon {
namespace {

constexpr size_t kMaxPemBytes = 64 * 1024;
constexpr int kOwnerOnly = 0600;

std::string UtcText(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  char text[32] = "";
  gmtime_r(&seconds, &utc);
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

}  // namespace

CredentialStore::CredentialStore(base::Files& files, std::string state_folder)
    : files_(files), state_(std::move(state_folder)), folder_(state_ + "/agent") {}

absl::StatusOr<Credentials> CredentialStore::Load(int64_t wall_ms) const {
  Credentials credentials;
  ASSIGN_OR_RETURN(credentials.certificate_pem, files_.Read(folder_ + "/cert.pem", kMaxPemBytes));
  ASSIGN_OR_RETURN(credentials.ca_pem, CaPem());
  ASSIGN_OR_RETURN(const trust::PrivateKey key, trust::PrivateKey::Load(folder_ + "/key.pem"));
  credentials.key_pem = key.Pem();
  const absl::Status holds =
      trust::CheckCertificate(credentials.certificate_pem, credentials.ca_pem, wall_ms);
  if (holds.ok()) return credentials;
  return absl::PermissionDeniedError(absl::StrFormat(
      "%s/cert.pem does not hold: %s. It is now %s here; if the clock is right, make a new token "
      "for "
      "this robot (gatekeeper robot create) and start gatekeeper-agent with --enrol and --token",
      folder_, std::string(holds.message()), UtcText(wall_ms)));
}

absl::StatusOr<int64_t> CredentialStore::RenewAtMs() const {
  ASSIGN_OR_RETURN(const std::string pem, files_.Read(folder_ + "/cert.pem", kMaxPemBytes));
  ASSIGN_OR_RETURN(const int64_t begin, trust::NotBeforeMs(pem));
  ASSIGN_OR_RETURN(const int64_t end, trust::NotAfterMs(pem));
  return begin + (end - begin) / 3 * 2;
}

absl::StatusOr<std::string> CredentialStore::CaPem() const {
  return files_.Read(folder_ + "/ca.pem", kMaxPemBytes);
}

absl::StatusOr<trust::PrivateKey> CredentialStore::Key() {
  const std::string path = folder_ + "/key.pem";
  if (files_.Exists(path)) return trust::PrivateKey::Load(path);
  ASSIGN_OR_RETURN(trust::PrivateKey key, trust::PrivateKey::Generate());
  RETURN_IF_ERROR(files_.MakeFolders(folder_));
  RETURN_IF_ERROR(files_.WriteDurably(path, key.Pem(), kOwnerOnly));
  return key;
}

absl::Status CredentialStore::Keep(const gatekeeper::v1::EnrolReply& reply,
                                   const std::string& ca_pem, int64_t wall_ms) {
  RETURN_IF_ERROR(trust::CheckCertificate(reply.certificate_pem(), ca_pem, wall_ms));
  RETURN_IF_ERROR(trust::TrustPolicy::Parse(reply.trust_json()).status());
  RETURN_IF_ERROR(files_.WriteDurably(folder_ + "/ca.pem", ca_pem, kOwnerOnly));
  RETURN_IF_ERROR(files_.WriteDurably(state_ + "/trust.json", reply.trust_json(), kOwnerOnly));
  return files_.WriteDurably(folder_ + "/cert.pem", reply.certificate_pem(), kOwnerOnly);
}

}  // namespace agent::daemon
