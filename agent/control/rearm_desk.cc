#include "agent/control/rearm_desk.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/certificate.h"
#include "agent/trust/hash.h"
#include "agent/trust/rearm_approval.h"
#include "agent/trust/trust_policy.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

constexpr Nanos kAskEvery = std::chrono::seconds(1);  // somebody waits beside the robot
constexpr size_t kCertificateCap = 64 * 1024;
// The lines and their ends: one approval too many is still read, and refused by name.
constexpr size_t kCarriedCap = (trust::kMaxApprovals + 1) * (trust::kMaxApprovalBytes + 2);
constexpr int kOwnerOnly = 0600;

}  // namespace

RearmDesk::RearmDesk(base::Files& files, const std::string& state_folder)
    : files_(files), state_(state_folder), folder_(state_folder + "/control/rearm") {
  Note(files_.RemoveAll(folder_));
  Note(files_.MakeFolders(folder_));
}

// By the certificate of this robot's enrolment, whether or not it has run out: a name does not.
std::string RearmDesk::RobotName() const {
  const absl::StatusOr<std::string> pem = files_.Read(state_ + "/agent/cert.pem", kCertificateCap);
  if (!pem.ok()) return "";
  const absl::StatusOr<std::string> uri = trust::SpiffeId(*pem);
  if (!uri.ok()) return "";
  const absl::StatusOr<trust::Identity> identity = trust::ParseSpiffe(*uri);
  return identity.ok() && identity->party == trust::Party::kRobot ? identity->name : "";
}

bool RearmDesk::Open(const Stop& stop, Nanos now) {
  const bool stands = challenge_ && stop == stop_ && now - made_at_ < stop.ttl;
  if (stands && !challenge_->robot().empty()) return false;
  if (stands && now < look_at_) return false;
  std::string robot = RobotName();
  if (stands && robot.empty()) {
    look_at_ = now + kAskEvery;
    return false;
  }
  stop_ = stop;
  made_at_ = now;
  look_at_ = now + kAskEvery;
  challenge_.emplace();
  challenge_->set_robot(std::move(robot));
  challenge_->set_incident(stop.incident);
  challenge_->set_unit(stop.unit);
  challenge_->set_nonce(trust::RandomToken());
  for (const std::string& role : stop.roles) challenge_->add_roles(role);
  challenge_->set_ttl_ms(std::chrono::duration_cast<std::chrono::milliseconds>(stop.ttl).count());
  Note(files_.WriteDurably(folder_ + "/challenge.json", trust::ChallengeJson(*challenge_) + "\n",
                           kOwnerOnly));
  return true;
}

bool RearmDesk::Close() {
  if (!challenge_) return false;
  challenge_.reset();
  Note(files_.RemoveAll(folder_ + "/challenge.json"));
  return true;
}

absl::StatusOr<std::string> RearmDesk::Judge(const std::vector<std::string>& approvals) const {
  if (!challenge_) {
    return absl::FailedPreconditionError(
        "there is no challenge to answer: nothing waits for re-arm, or the robot does not stand "
        "yet");
  }
  if (challenge_->robot().empty()) {
    return absl::FailedPreconditionError(
        "this robot has no name that an approval could be for: it holds no certificate; enrol it "
        "(gatekeeper-agent --enrol), then sign its new challenge");
  }
  const absl::StatusOr<std::string> bytes =
      files_.Read(state_ + "/trust.json", trust::kMaxTrustBytes);
  if (!bytes.ok()) {
    return absl::FailedPreconditionError(
        "nobody can be believed without trust.json, enrol this "
        "robot again: " +
        std::string(bytes.status().message()));
  }
  ASSIGN_OR_RETURN(const trust::TrustPolicy policy, trust::TrustPolicy::Parse(*bytes));
  ASSIGN_OR_RETURN(const std::vector<trust::Approver> approvers,
                   trust::VerifyRearm(*challenge_, approvals, policy));
  return absl::StrJoin(approvers, ", ", [](std::string* text, const trust::Approver& approver) {
    absl::StrAppendFormat(text, "%s as %s", approver.name, approver.role);
  });
}

std::optional<std::vector<std::string>> RearmDesk::TakeCarried(Nanos now) {
  if (!challenge_ || now < look_at_) return std::nullopt;
  look_at_ = now + kAskEvery;
  const std::string path = folder_ + "/approvals.jsonl";
  const absl::StatusOr<std::string> bytes = files_.Read(path, kCarriedCap);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  Note(files_.RemoveAll(path));
  if (!bytes.ok()) {
    Answer(bytes.status());
    return std::nullopt;
  }
  return std::vector<std::string>(absl::StrSplit(*bytes, '\n', absl::SkipWhitespace()));
}

void RearmDesk::Answer(const absl::Status& outcome) {
  const nlohmann::json answer = {{"permitted", outcome.ok()},
                                 {"why", std::string(outcome.message())}};
  Note(files_.WriteDurably(folder_ + "/answer.json", base::CanonicalJson(answer) + "\n",
                           kOwnerOnly));
}

absl::Status RearmDesk::TakeTrouble() { return std::exchange(trouble_, absl::OkStatus()); }

}  // namespace agent::control
