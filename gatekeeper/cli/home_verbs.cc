#include <csignal>
#include <cstdio>
#include <stop_token>
#include <thread>

#include "agent/base/clock.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/cli/exit_code.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/seal/keyring.h"
#include "gatekeeper/server/serve.h"

namespace gatekeeper::cli {
namespace {

struct InitArguments {
  std::string folder;
  std::vector<std::string> names;
  std::string first_operator = "admin";
};

struct OperatorArguments {
  std::string name;
  int hours = 12;
};

absl::Status Init(const InitArguments& arguments) {
  const int64_t now = agent::base::SystemClock().WallMs();
  RETURN_IF_ERROR(seal::InitKeyring(arguments.folder, arguments.names, now));
  // A year: the first operator of a new home is a person at the machine that holds the CA's key.
  const auto files = seal::IssueOperator(arguments.folder, arguments.first_operator,
                                         std::chrono::hours(24 * 365), now);
  RETURN_IF_ERROR(files.status());
  std::printf(
      "%s: keys and certificates made; operator '%s' may use them\nnext: gatekeeper --home "
      "%s serve\n",
      arguments.folder.c_str(), arguments.first_operator.c_str(), arguments.folder.c_str());
  return absl::OkStatus();
}

absl::Status CreateOperator(const Session& session, const OperatorArguments& arguments) {
  ASSIGN_OR_RETURN(
      const seal::ClientFiles files,
      seal::IssueOperator(session.home, arguments.name, std::chrono::hours(arguments.hours),
                          agent::base::SystemClock().WallMs()));
  std::printf("%s\n%s\n", files.key_path.c_str(), files.certificate_path.c_str());
  return absl::OkStatus();
}

struct ApproverArguments {
  agent::trust::Approver approver;
  std::string public_key;
};

absl::Status AddApprover(const Session& session, const ApproverArguments& arguments) {
  ASSIGN_OR_RETURN(const std::string key_path,
                   seal::AddApprover(session.home, arguments.approver, arguments.public_key));
  if (!key_path.empty()) {
    std::printf("%s\nhand it to %s and remove it here\n", key_path.c_str(),
                arguments.approver.name.c_str());
  }
  std::printf(
      "%s may approve re-arms as %s: start `gatekeeper serve` again; robots hear of it when they "
      "enrol, or when they renew their certificate, within five days\n",
      arguments.approver.name.c_str(), arguments.approver.role.c_str());
  return absl::OkStatus();
}

void AddApproverVerb(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ApproverArguments>();
  CLI::App* people = app.add_subcommand("approver", "people who may re-arm robots");
  people->require_subcommand(1);
  people->fallthrough();
  CLI::App* add = people->add_subcommand("add", "list a person's key for a role in trust.json");
  add->add_option("NAME", arguments->approver.name)->required();
  add->add_option("--role", arguments->approver.role, "as fallback rules name it: local_operator")
      ->required();
  add->add_option("--public-key", arguments->public_key,
                  "PEM of the person's own P-256 key; without it a pair is made here");
  add->callback(
      [arguments, &session] { session.exit_code = Report(AddApprover(session, *arguments)); });
}

// SIGINT and SIGTERM are blocked in every thread and taken by one that waits for them.
absl::Status Serve(const server::ServeOptions& options) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source stop;
  std::jthread waiter([&signals, &stop](std::stop_token over) {
    const timespec nap{0, 200'000'000};
    while (!over.stop_requested()) {
      if (sigtimedwait(&signals, nullptr, &nap) > 0) {
        stop.request_stop();
        return;
      }
    }
  });
  return server::RunServer(
      options,
      [&options](const server::BoundPorts& ports) {
        std::printf("gatekeeper serves %s: port %d (robots, operators), port %d (enrolment)\n",
                    options.home.c_str(), ports.port, ports.enrol_port);
        std::fflush(stdout);
      },
      stop.get_token());
}

}  // namespace

void AddHomeVerbs(CLI::App& app, Session& session) {
  auto init_arguments = std::make_shared<InitArguments>();
  CLI::App* init = app.add_subcommand("init", "make a gatekeeper's home: authority, keys, trust");
  init->add_option("FOLDER", init_arguments->folder)->required();
  init->add_option("--name", init_arguments->names,
                   "DNS name or IP address robots call this server by (repeatable)");
  init->add_option("--first-operator", init_arguments->first_operator)->capture_default_str();
  init->callback([init_arguments, &session] { session.exit_code = Report(Init(*init_arguments)); });

  auto options = std::make_shared<server::ServeOptions>();
  CLI::App* serve = app.add_subcommand("serve", "run the gatekeeper");
  serve->add_option("--listen", options->listen, "robots and operators")->capture_default_str();
  serve->add_option("--enrol-listen", options->enrol_listen, "new robots")->capture_default_str();
  serve->callback([options, &session] {
    options->home = session.home;
    session.exit_code = Report(Serve(*options));
  });

  AddApproverVerb(app, session);

  auto operator_arguments = std::make_shared<OperatorArguments>();
  CLI::App* people = app.add_subcommand("operator", "people who may use this gatekeeper");
  people->require_subcommand(1);
  CLI::App* create = people->add_subcommand("create", "a key and certificate for a person");
  create->add_option("NAME", operator_arguments->name)->required();
  create->add_option("--hours", operator_arguments->hours, "life of the certificate")
      ->check(CLI::Range(1, 24 * 365))
      ->capture_default_str();
  create->callback([operator_arguments, &session] {
    session.exit_code = Report(CreateOperator(session, *operator_arguments));
  });
}

}  // namespace gatekeeper::cli
