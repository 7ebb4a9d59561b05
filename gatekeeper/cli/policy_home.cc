#include "gatekeeper/cli/policy_home.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/base/file_lock.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/json_fields.h"
#include "gatekeeper/gates/policy_files.h"

namespace gatekeeper::cli {
namespace {

constexpr char kPolicyHome[] = "/policy.json";
constexpr char kPolicyLock[] = "/policy.lock";
constexpr size_t kMaxPolicyHome = 64 * 1024;

// Of two runs that judge at once neither may forget the other's commit.
absl::StatusOr<agent::base::UniqueFd> LockPolicy(const std::string& home) {
  return agent::base::WaitForLock(home + kPolicyLock);
}

absl::Status WritePolicyHome(const std::string& home, const PolicyHome& policy) {
  const nlohmann::json json = {{"repository", policy.repository},
                               {"branch", policy.branch},
                               {"not_before", policy.not_before}};
  return agent::base::OsFiles().WriteDurably(home + kPolicyHome, json.dump(2) + "\n", 0644);
}

absl::Status CheckApproved(const source::Repository& repository, const std::string& commit,
                           const PolicyHome& policy) {
  ASSIGN_OR_RETURN(const bool approved, repository.IsWithin(commit, policy.branch));
  if (approved) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrFormat("commit %s is not in the history of %s of %s: nobody has approved it yet",
                      commit, policy.branch, policy.repository));
}

// Of a history that is not all here nobody knows whether it was rewritten.
absl::Status CheckKept(const source::Repository& repository, const PolicyHome& policy) {
  const auto kept = repository.IsWithin(policy.not_before, policy.branch);
  if (kept.value_or(false)) return absl::OkStatus();
  const std::string asked = absl::StrFormat(
      "this home judges by commit %s or later (policy.json), and ", policy.not_before);
  const absl::Status whole = repository.RequireHistory();
  if (!whole.ok()) return absl::Status(whole.code(), absl::StrCat(asked, whole.message()));
  if (absl::IsNotFound(kept.status())) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s%s has no such commit: fetch it, e.g. git pull; if git finds it "
                        "nowhere, ask who keeps that repository what became of it",
                        asked, repository.folder()));
  }
  RETURN_IF_ERROR(kept.status());
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s of %s has lost commit %s, by which this home judged (policy.json): its history was "
      "rewritten. Where that was meant, say gatekeeper gate policy %s --branch %s again",
      policy.branch, policy.repository, policy.not_before, policy.repository, policy.branch));
}

absl::Status CheckNotBefore(const source::Repository& repository, const std::string& commit,
                            const PolicyHome& policy) {
  if (policy.not_before.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckKept(repository, policy));
  ASSIGN_OR_RETURN(const bool holds, repository.LeadsTo(policy.not_before, commit));
  if (holds) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrFormat(
      "commit %s lacks %s, by whose rules this home judges already (policy.json), and rules do not "
      "go back: pin that commit or a later one of %s",
      commit, policy.not_before, policy.branch));
}

}  // namespace

absl::StatusOr<PolicyHome> ReadPolicyHome(const std::string& home) {
  const auto text = agent::base::OsFiles().Read(home + kPolicyHome, kMaxPolicyHome);
  if (absl::IsNotFound(text.status())) return PolicyHome();
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(const nlohmann::json json,
                   agent::base::ParseStrictJson(*text, home + kPolicyHome));
  const nlohmann::json& repository = agent::trust::At(json, "/repository");
  const nlohmann::json& branch = agent::trust::At(json, "/branch");
  const nlohmann::json& not_before = agent::trust::At(json, "/not_before");
  // Homes of before have none.
  const bool first = not_before.is_null() && json.size() == 2;
  const bool pinned = not_before.is_string() && json.size() == 3 &&
                      gates::CheckPinned(not_before.get<std::string>()).ok();
  if (!repository.is_string() || !branch.is_string() || !(first || pinned)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s%s must hold repository, branch and not_before, a commit's 40 digits; write it with "
        "gatekeeper gate policy",
        home, kPolicyHome));
  }
  return PolicyHome{repository.get<std::string>(), branch.get<std::string>(),
                    pinned ? not_before.get<std::string>() : std::string()};
}

absl::StatusOr<std::string> SetPolicyHome(const std::string& home,
                                          const source::Repository& repository,
                                          const PolicyHome& policy) {
  ASSIGN_OR_RETURN(const agent::base::UniqueFd lock, LockPolicy(home));
  ASSIGN_OR_RETURN(const PolicyHome old, ReadPolicyHome(home));
  RETURN_IF_ERROR(WritePolicyHome(home, policy));
  if (old.not_before.empty()) return std::string();
  return repository.LeadsTo(old.not_before, policy.not_before).value_or(false) ? std::string()
                                                                               : old.not_before;
}

absl::Status CheckHome(const std::string& home) {
  std::error_code error;
  if (std::filesystem::is_directory(home, error)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrFormat(
      "there is no gatekeeper's home at %s: make it with gatekeeper init %s", home, home));
}

absl::Status MayJudgeBy(const std::string& home, const source::Repository& repository,
                        const std::string& commit) {
  ASSIGN_OR_RETURN(const PolicyHome policy, ReadPolicyHome(home));
  RETURN_IF_ERROR(CheckApproved(repository, commit, policy));
  return CheckNotBefore(repository, commit, policy);
}

absl::Status JudgeByCommit(const std::string& home, const source::Repository& repository,
                           const std::string& commit) {
  ASSIGN_OR_RETURN(const agent::base::UniqueFd lock, LockPolicy(home));
  ASSIGN_OR_RETURN(PolicyHome policy, ReadPolicyHome(home));
  RETURN_IF_ERROR(MayJudgeBy(home, repository, commit));
  if (policy.not_before == commit) return absl::OkStatus();
  policy.not_before = commit;
  return WritePolicyHome(home, policy);
}

}  // namespace gatekeeper::cli
