#include "gatekeeper/seal/keyring.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/certificate.h"
#include "agent/trust/identity.h"

namespace gatekeeper::seal {
namespace {

namespace fs = std::filesystem;
namespace trust = ::agent::trust;

// The authority and the server live as long as each other: nothing renews them before a fleet is
// enrolled anew, so a short life would only be an outage with a date.
constexpr int kAuthorityDays = 3650;
constexpr size_t kMaxPemBytes = size_t{32} << 10;
constexpr size_t kMaxTrustBytes = size_t{64} << 10;
constexpr char kLevel[] = "ROBOT_GATES_L1";

struct Document {
  std::string bytes;
  int mode;
};
using Documents = std::map<std::string, Document>;  // by file name

constexpr int kSecret = 0600;
constexpr int kPublic = 0644;

// Two gatekeepers never share an identity by accident: it is drawn from the authority's own key.
std::string VerifierId(const trust::PublicKey& authority) {
  return "gatekeeper:verifier/" + authority.key_id().substr(0, 16);
}

// Both ends of a request: the key and the authority lie in the same folder here.
absl::StatusOr<std::string> Certify(const trust::CertificateAuthority& authority,
                                    const trust::PrivateKey& key, trust::CertificateOrder order,
                                    int64_t wall_ms) {
  ASSIGN_OR_RETURN(order.csr_pem, trust::MakeCsr(key));
  return authority.Issue(order, wall_ms);
}

absl::StatusOr<Documents> MakeDocuments(const std::vector<std::string>& server_names,
                                        int64_t wall_ms) {
  ASSIGN_OR_RETURN(const trust::PrivateKey ca_key, trust::PrivateKey::Generate());
  ASSIGN_OR_RETURN(const trust::PrivateKey server, trust::PrivateKey::Generate());
  ASSIGN_OR_RETURN(const trust::PrivateKey build, trust::PrivateKey::Generate());
  ASSIGN_OR_RETURN(const trust::PrivateKey gate, trust::PrivateKey::Generate());
  ASSIGN_OR_RETURN(
      const trust::CertificateAuthority ca,
      trust::CertificateAuthority::Create(ca_key, "gatekeeper CA", kAuthorityDays, wall_ms));
  ASSIGN_OR_RETURN(const std::string server_certificate,
                   Certify(ca, server,
                           {.identity = {trust::Party::kServer, ""},
                            .life = std::chrono::hours(24 * kAuthorityDays),
                            .server_names = server_names},
                           wall_ms));
  ASSIGN_OR_RETURN(const trust::TrustPolicy policy,
                   trust::TrustPolicy::Make({{trust::KeyClass::kBuild, "build", build.public_key()},
                                             {trust::KeyClass::kGate, "gate", gate.public_key()}},
                                            VerifierId(ca_key.public_key()), kLevel));
  return Documents{
      {"ca.key", {ca_key.Pem(), kSecret}},       {"ca.pem", {ca.Pem(), kPublic}},
      {"server.key", {server.Pem(), kSecret}},   {"server.pem", {server_certificate, kPublic}},
      {"build.key", {build.Pem(), kSecret}},     {"build.pub", {build.public_key().Pem(), kPublic}},
      {"gate.key", {gate.Pem(), kSecret}},       {"gate.pub", {gate.public_key().Pem(), kPublic}},
      {"trust.json", {policy.ToJson(), kPublic}}};
}

absl::Status Taken(const std::string& folder) {
  return absl::AlreadyExistsError(folder +
                                  " already holds something; keys are never overwritten: name a "
                                  "new folder, or move that one away");
}

absl::StatusOr<bool> IsAbsentOrEmpty(const std::string& folder) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return true;
  if (status.type() != fs::file_type::directory) return false;
  const bool empty = fs::is_empty(folder, error);
  if (!error) return empty;
  return absl::InternalError(absl::StrFormat("look into %s: %s", folder, error.message()));
}

// A folder of mode 0700 with a name of its own beside `folder`, hence on the same file system.
absl::StatusOr<std::string> MakeFolderBeside(const std::string& folder) {
  std::string path = folder + ".XXXXXX";
  if (mkdtemp(path.data()) != nullptr) return path;
  const int error = errno;
  const std::string text = absl::StrFormat("create a folder beside %s: %s", folder,
                                           std::generic_category().message(error));
  return error == ENOSPC ? absl::ResourceExhaustedError(text) : absl::InternalError(text);
}

absl::Status WriteAll(const std::string& folder, const Documents& documents) {
  agent::base::OsFiles files;
  for (const auto& [name, document] : documents) {
    const std::string path = absl::StrFormat("%s/%s", folder, name);
    RETURN_IF_ERROR(files.WriteDurably(path, document.bytes, document.mode));
  }
  return absl::OkStatus();
}

// rename() replaces an empty folder and refuses any other: the check and the act are one.
absl::Status MoveInto(const std::string& fresh, const std::string& folder) {
  if (rename(fresh.c_str(), folder.c_str()) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return Taken(folder);
    return absl::InternalError(
        absl::StrFormat("rename to %s: %s", folder, std::generic_category().message(errno)));
  }
  return agent::base::OsFiles().Sync(fs::path(folder).parent_path().string());
}

absl::StatusOr<trust::CertificateAuthority> LoadAuthority(const std::string& folder) {
  ASSIGN_OR_RETURN(trust::PrivateKey key, trust::PrivateKey::Load(folder + "/ca.key"));
  ASSIGN_OR_RETURN(const std::string pem,
                   agent::base::OsFiles().Read(folder + "/ca.pem", kMaxPemBytes));
  return trust::CertificateAuthority::Load(std::move(key), pem);
}

// A certificate that still holds is in somebody's use.
absl::Status RefuseWhileValid(const ClientFiles& pair, const std::string& name, int64_t wall_ms) {
  agent::base::OsFiles files;
  if (!files.Exists(pair.certificate_path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string pem, files.Read(pair.certificate_path, kMaxPemBytes));
  ASSIGN_OR_RETURN(const int64_t ends_ms, trust::NotAfterMs(pem));
  if (ends_ms < wall_ms) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrFormat("operator %s has a certificate that holds for %d more minutes: %s; remove it "
                      "to issue another",
                      name, (ends_ms - wall_ms) / 60'000, pair.certificate_path));
}

absl::Status CheckListed(const trust::PrivateKey& key, const trust::TrustPolicy& policy,
                         trust::KeyClass key_class, const std::string& path) {
  for (const trust::PublicKey& listed : policy.Keys(key_class)) {
    if (listed == key.public_key()) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrFormat("%s is key %s, which trust.json beside it does not list: no robot would "
                      "believe its signatures",
                      path, key.public_key().key_id()));
}

}  // namespace

absl::Status InitKeyring(const std::string& folder, const std::vector<std::string>& server_names,
                         int64_t wall_ms) {
  const std::string target = fs::absolute(folder + "/").parent_path().string();
  ASSIGN_OR_RETURN(const bool usable, IsAbsentOrEmpty(target));
  if (!usable) return Taken(target);
  ASSIGN_OR_RETURN(const Documents documents, MakeDocuments(server_names, wall_ms));
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.MakeFolders(fs::path(target).parent_path().string()));
  ASSIGN_OR_RETURN(const std::string fresh, MakeFolderBeside(target));
  absl::Status status = WriteAll(fresh, documents);
  if (status.ok()) status = MoveInto(fresh, target);
  if (!status.ok()) files.RemoveAll(fresh).IgnoreError();  // why it failed is what matters
  return status;
}

absl::StatusOr<ClientFiles> IssueOperator(const std::string& folder, const std::string& name,
                                          std::chrono::hours life, int64_t wall_ms) {
  const trust::Identity identity = {trust::Party::kOperator, name};
  RETURN_IF_ERROR(trust::SpiffeUri(identity).status());  // before the name becomes part of a path
  const std::string path = folder + "/operator-" + name;
  const ClientFiles pair = {.key_path = path + ".key", .certificate_path = path + ".pem"};
  RETURN_IF_ERROR(RefuseWhileValid(pair, name, wall_ms));
  ASSIGN_OR_RETURN(const trust::CertificateAuthority authority, LoadAuthority(folder));
  ASSIGN_OR_RETURN(const trust::PrivateKey key, trust::PrivateKey::Generate());
  ASSIGN_OR_RETURN(const std::string certificate,
                   Certify(authority, key, {.identity = identity, .life = life}, wall_ms));
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.WriteDurably(pair.key_path, key.Pem(), kSecret));
  RETURN_IF_ERROR(files.WriteDurably(pair.certificate_path, certificate, kPublic));
  return pair;
}

absl::StatusOr<std::string> AddApprover(const std::string& folder, const trust::Approver& approver,
                                        const std::string& public_key_path) {
  agent::base::OsFiles files;
  const std::string trust_path = folder + "/trust.json";
  ASSIGN_OR_RETURN(const std::string json, files.Read(trust_path, kMaxTrustBytes));
  ASSIGN_OR_RETURN(const trust::TrustPolicy before, trust::TrustPolicy::Parse(json));
  ASSIGN_OR_RETURN(const trust::PrivateKey made, trust::PrivateKey::Generate());
  std::string pem = made.public_key().Pem();
  if (!public_key_path.empty()) {
    ASSIGN_OR_RETURN(pem, files.Read(public_key_path, kMaxPemBytes));
  }
  ASSIGN_OR_RETURN(const trust::PublicKey key, trust::PublicKey::FromPem(pem));
  std::vector<trust::TrustedKey> keys = before.keys();
  keys.push_back({trust::KeyClass::kApprover, approver.name, key, approver.role});
  ASSIGN_OR_RETURN(const trust::TrustPolicy after,
                   trust::TrustPolicy::Make(keys, before.verifier_id(), before.level()));
  std::string key_path;
  if (public_key_path.empty()) {  // the name was checked above, before it becomes part of a path
    key_path = absl::StrFormat("%s/approver-%s.key", folder, approver.name);
    if (files.Exists(key_path)) {
      return absl::AlreadyExistsError(key_path + " is there already; keys are never overwritten");
    }
    RETURN_IF_ERROR(files.WriteDurably(key_path, made.Pem(), kSecret));
    RETURN_IF_ERROR(files.WriteDurably(absl::StrFormat("%s/approver-%s.pub", folder, approver.name),
                                       pem, kPublic));
  }
  RETURN_IF_ERROR(files.WriteDurably(trust_path, after.ToJson(), kPublic));
  return key_path;
}

absl::StatusOr<SealKeys> LoadSealKeys(const std::string& folder) {
  const std::string build_path = folder + "/build.key";
  const std::string gate_path = folder + "/gate.key";
  ASSIGN_OR_RETURN(trust::PrivateKey build, trust::PrivateKey::Load(build_path));
  ASSIGN_OR_RETURN(trust::PrivateKey gate, trust::PrivateKey::Load(gate_path));
  ASSIGN_OR_RETURN(const std::string json,
                   agent::base::OsFiles().Read(folder + "/trust.json", kMaxTrustBytes));
  ASSIGN_OR_RETURN(trust::TrustPolicy policy, trust::TrustPolicy::Parse(json));
  RETURN_IF_ERROR(CheckListed(build, policy, trust::KeyClass::kBuild, build_path));
  RETURN_IF_ERROR(CheckListed(gate, policy, trust::KeyClass::kGate, gate_path));
  return SealKeys{std::move(build), std::move(gate), std::move(policy)};
}

}  // namespace gatekeeper::seal
