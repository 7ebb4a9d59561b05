#include "agent/daemon/carried_approvals.h"

#include <chrono>
#include <thread>

#include "absl/strings/ascii.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/rearm_approval.h"

namespace agent::daemon {
namespace {

// Control looks once a second.
constexpr auto kAnswerWithin = std::chrono::seconds(10);
constexpr auto kLookEvery = std::chrono::milliseconds(100);
constexpr size_t kAnswerCap = 16 * 1024;

std::string FolderOf(const std::string& state) { return state + "/control/rearm"; }

absl::Status ReadAnswer(const std::string& bytes) {
  ASSIGN_OR_RETURN(const nlohmann::json answer, base::ParseStrictJson(bytes, "answer.json"));
  if (!answer.is_object() || !answer.contains("permitted") || !answer.contains("why") ||
      !answer["permitted"].is_boolean() || !answer["why"].is_string()) {
    return absl::InternalError("answer.json is not of this gatekeeper-control");
  }
  if (answer["permitted"].get<bool>()) return absl::OkStatus();
  return absl::FailedPreconditionError("refused: " + answer["why"].get<std::string>());
}

}  // namespace

absl::StatusOr<std::string> PresentChallenge(const base::Files& files, const std::string& state) {
  absl::StatusOr<std::string> bytes =
      files.Read(FolderOf(state) + "/challenge.json", trust::kMaxChallengeBytes + 1);
  if (!absl::IsNotFound(bytes.status())) return bytes;
  return absl::FailedPreconditionError(
      "this robot asks for no approvals: nothing waits for re-arm, it still brakes, or "
      "gatekeeper-control is not running on " +
      state);
}

absl::Status CarryApprovals(base::Files& files, const std::string& state,
                            const std::vector<std::string>& paths) {
  RETURN_IF_ERROR(PresentChallenge(files, state).status());
  std::string lines;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const std::string bytes, files.Read(path, trust::kMaxApprovalBytes + 1));
    lines += std::string(absl::StripAsciiWhitespace(bytes)) + "\n";
  }
  const std::string answer_path = FolderOf(state) + "/answer.json";
  RETURN_IF_ERROR(files.RemoveAll(answer_path));
  RETURN_IF_ERROR(files.WriteDurably(FolderOf(state) + "/approvals.jsonl", lines, 0600));
  const auto until = std::chrono::steady_clock::now() + kAnswerWithin;
  while (std::chrono::steady_clock::now() < until) {
    const absl::StatusOr<std::string> answer = files.Read(answer_path, kAnswerCap);
    if (answer.ok()) return ReadAnswer(*answer);
    std::this_thread::sleep_for(kLookEvery);
  }
  RETURN_IF_ERROR(files.RemoveAll(FolderOf(state) + "/approvals.jsonl"));
  return absl::DeadlineExceededError(
      "gatekeeper-control gave no answer within 10 s: is it running on " + state + "?");
}

}  // namespace agent::daemon
