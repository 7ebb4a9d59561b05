#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/rearm_approval.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"

namespace gatekeeper::cli {
namespace {

namespace trust = ::agent::trust;

// The robot answers within a report and an order, each a second at most; then it is not going to.
constexpr auto kAnswerWithin = std::chrono::seconds(8);
constexpr auto kLookEvery = std::chrono::milliseconds(200);
constexpr size_t kMaxFile = 1 << 20;  // a challenge is far smaller, and its parser says so

struct Signer {
  trust::Approver approver;
  std::string key_path;
};

absl::StatusOr<v1::RearmView> FetchRearm(const std::string& robot, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::GetRearmRequest request;
  request.set_robot(robot);
  v1::RearmView view;
  RETURN_IF_ERROR(FromRemote(stub->GetRearm(&context, request, &view), session));
  return view;
}

// A person signs for the robot they named, whatever the server shows them.
absl::Status CheckChallenge(const v1::RearmView& view, const std::string& robot) {
  if (!view.has_challenge()) {
    return absl::FailedPreconditionError(
        robot + (view.latched()
                     ? " has latched an emergency stop but asks for no approvals yet: it still "
                       "brakes, or its unit is being loaded; ask again in a moment"
                     : " reports no latched stop: nothing waits for re-arm"));
  }
  if (view.challenge().robot() == robot) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrFormat("the challenge is of robot '%s', not of %s: nothing was signed",
                      view.challenge().robot(), robot));
}

absl::StatusOr<std::string> Sign(const v1::RearmChallenge& challenge, const Signer& signer) {
  ASSIGN_OR_RETURN(const trust::PrivateKey key, trust::PrivateKey::Load(signer.key_path));
  return trust::SignRearmApproval(challenge, signer.approver, key);
}

// Until the robot has said what came of a full set of approvals.
absl::Status AwaitAnswer(const std::string& robot, const std::string& refused_before,
                         const Session& session) {
  const auto until = std::chrono::steady_clock::now() + kAnswerWithin;
  std::string refused;
  while (std::chrono::steady_clock::now() < until) {
    ASSIGN_OR_RETURN(const v1::RearmView view, FetchRearm(robot, session));
    if (!view.latched()) return absl::OkStatus();
    refused = view.refused();
    if (!refused.empty() && refused != refused_before) break;
    std::this_thread::sleep_for(kLookEvery);
  }
  if (refused.empty()) {
    return absl::DeadlineExceededError(absl::StrFormat(
        "the approvals were sent to %s, which has not answered yet: gatekeeper fleet show", robot));
  }
  return absl::FailedPreconditionError(absl::StrFormat("%s refused: %s", robot, refused));
}

absl::Status Approve(const Signer& signer, const std::string& robot, const std::string& reason,
                     const Session& session) {
  ASSIGN_OR_RETURN(const v1::RearmView before, FetchRearm(robot, session));
  RETURN_IF_ERROR(CheckChallenge(before, robot));
  v1::ApproveRearmRequest request;
  request.set_robot(robot);
  request.set_reason(reason);
  ASSIGN_OR_RETURN(*request.mutable_approval(), Sign(before.challenge(), signer));
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::RearmView view;
  RETURN_IF_ERROR(FromRemote(stub->ApproveRearm(&context, request, &view), session));
  std::printf("%s: %s approves as %s (incident %s, unit %s)\n", robot.c_str(),
              signer.approver.name.c_str(), signer.approver.role.c_str(),
              view.challenge().incident().substr(0, 12).c_str(),
              view.challenge().unit().substr(0, 12).c_str());
  if (view.missing_size() > 0) {
    std::printf("still wanted within %d s: %s, by somebody else\n",
                static_cast<int>(view.left_ms() / 1000),
                absl::StrJoin(view.missing(), ", ").c_str());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(AwaitAnswer(robot, before.refused(), session));
  std::printf("%s may be started again; it does not move by itself\n", robot.c_str());
  return absl::OkStatus();
}

absl::Status ShowChallenge(const std::string& robot, const Session& session) {
  ASSIGN_OR_RETURN(const v1::RearmView view, FetchRearm(robot, session));
  RETURN_IF_ERROR(CheckChallenge(view, robot));
  std::printf("%s\n", trust::ChallengeJson(view.challenge()).c_str());
  return absl::OkStatus();
}

absl::Status SignFile(const std::string& path, const Signer& signer) {
  ASSIGN_OR_RETURN(std::string bytes, agent::base::OsFiles().Read(path, kMaxFile));
  ASSIGN_OR_RETURN(const v1::RearmChallenge challenge, trust::ParseChallenge(bytes));
  ASSIGN_OR_RETURN(const std::string approval, Sign(challenge, signer));
  std::fprintf(stderr, "%s approves as %s: robot %s, incident %s, unit %s\n",
               signer.approver.name.c_str(), signer.approver.role.c_str(),
               challenge.robot().c_str(), challenge.incident().c_str(), challenge.unit().c_str());
  std::printf("%s\n", approval.c_str());
  return absl::OkStatus();
}

absl::Status Acknowledge(const v1::AcknowledgeRobotRequest& request, const Session& session) {
  ASSIGN_OR_RETURN(const auto stub, Connect(session));
  grpc::ClientContext context;
  v1::Empty reply;
  RETURN_IF_ERROR(FromRemote(stub->AcknowledgeRobot(&context, request, &reply), session));
  std::printf("%s was told; what its rules let an operator clear is cleared\n",
              request.robot().c_str());
  return absl::OkStatus();
}

std::shared_ptr<Signer> AddSigner(CLI::App& verb) {
  auto signer = std::make_shared<Signer>();
  verb.add_option("--key", signer->key_path, "the approver's private key")->required();
  verb.add_option("--role", signer->approver.role, "the role it is listed for")->required();
  verb.add_option("--name", signer->approver.name, "the name it is listed under")->required();
  return signer;
}

}  // namespace

void AddRearmVerbs(CLI::App& app, CLI::App& robot, Session& session) {
  auto request = std::make_shared<v1::AcknowledgeRobotRequest>();
  CLI::App* acknowledge =
      robot.add_subcommand("acknowledge", "clear flapping and what an operator may clear");
  acknowledge->add_option("ROBOT", *request->mutable_robot(), "its name")->required();
  acknowledge->add_option("--reason", *request->mutable_reason(), "for the audit log")->required();
  acknowledge->callback(
      [request, &session] { session.exit_code = Report(Acknowledge(*request, session)); });

  auto name = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App* approve = robot.add_subcommand(
      "rearm", "approve a restart after an emergency stop; each role by another person");
  approve->add_option("ROBOT", *name, "its name")->required();
  approve->add_option("--reason", *reason, "who looked, and what was found")->required();
  const auto online = AddSigner(*approve);
  approve->callback([online, name, reason, &session] {
    session.exit_code = Report(Approve(*online, *name, *reason, session));
  });

  CLI::App* rearm = app.add_subcommand("rearm", "approvals for a robot without network");
  rearm->require_subcommand(1);
  rearm->fallthrough();
  CLI::App* challenge =
      rearm->add_subcommand("challenge", "what is to be signed, of a connected robot");
  challenge->add_option("ROBOT", *name, "its name")->required();
  challenge->callback(
      [name, &session] { session.exit_code = Report(ShowChallenge(*name, session)); });
  auto path = std::make_shared<std::string>();
  CLI::App* sign =
      rearm->add_subcommand("sign", "an approval of a challenge file, to standard output");
  sign->add_option("CHALLENGE", *path, "what the robot printed or `rearm challenge` did")
      ->required();
  const auto offline = AddSigner(*sign);
  sign->callback(
      [offline, path, &session] { session.exit_code = Report(SignFile(*path, *offline)); });
}

}  // namespace gatekeeper::cli
