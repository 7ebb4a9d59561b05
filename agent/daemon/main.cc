// gatekeeper-agent: the robot's link to its gatekeeper.
#include <signal.h>
#include <sys/signalfd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/synchronization/mutex.h"
#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/unique_fd.h"
#include "agent/daemon/carried_approvals.h"
#include "agent/daemon/channel.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/enrolment.h"
#include "agent/daemon/state_lock.h"
#include "grpc/support/log.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace {

struct Arguments {
  agent::daemon::DaemonOptions daemon;
  agent::daemon::EnrolOptions enrol;
  uint32_t report_ms = 1000;
  uint32_t reserve_mb = 64;
};

void Declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--state", arguments.daemon.state, "State folder of this robot")->required();
  app.add_option("--server", arguments.daemon.server, "host:port of the gatekeeper, for agents")
      ->required();
  auto* enrol =
      app.add_option("--enrol", arguments.enrol.address,
                     "host:port of the gatekeeper's enrolment port; used once, before the "
                     "robot has a certificate or when it has expired");
  const auto part = [&](const char* name, std::string& value, const char* text) {
    auto* option = app.add_option(name, value, text)->needs(enrol);
    enrol->needs(option);
  };
  part("--token", arguments.enrol.token, "Enrolment token, works once");
  part("--robot", arguments.enrol.robot, "This robot's name, as the token was made for");
  part("--ca-sha256", arguments.enrol.ca_sha256, "Fingerprint of the gatekeeper's authority");
  app.add_option("--report-ms", arguments.report_ms,
                 "Longest time between two reports, milliseconds")
      ->check(CLI::Range(50, 10'000))
      ->capture_default_str();
  app.add_option("--reserve-mb", arguments.reserve_mb,
                 "Disk space that stays free whatever a unit needs, megabytes")
      ->capture_default_str();
}

// SIGTERM and SIGINT as a descriptor. Before any other thread is started, so that all inherit the
// mask.
agent::base::UniqueFd StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return agent::base::UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int ExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
      return 0;
    case absl::StatusCode::kInvalidArgument:
      return 2;
    case absl::StatusCode::kNotFound:
      return 5;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return 6;
    case absl::StatusCode::kDeadlineExceeded:
      return 8;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDataLoss:
      return 9;
    default:
      return 1;
  }
}

absl::Status BeEnrolled(const Arguments& arguments, agent::base::Files& files,
                        const agent::base::Clock& clock, int stop_fd) {
  agent::daemon::CredentialStore store(files, arguments.daemon.state);
  const absl::Status holds = store.Load(clock.WallMs()).status();
  if (holds.ok()) return absl::OkStatus();
  if (arguments.enrol.address.empty()) {
    if (absl::IsPermissionDenied(holds)) return holds;  // expired: says itself what to do
    if (store.IsEnrolled()) {
      return absl::PermissionDeniedError(
          "this robot's identity in " + arguments.daemon.state + "/agent is damaged (" +
          std::string(holds.message()) +
          "): enrol it again with a new token (gatekeeper robot create, then --enrol and --token)");
    }
    return absl::NotFoundError(
        arguments.daemon.state +
        " holds no certificate of this robot yet: make a token (gatekeeper robot create) and start "
        "with --enrol, --token, --robot and --ca-sha256");
  }
  const absl::Status enrolled =
      agent::daemon::EnrolPatiently(arguments.enrol, store, clock, stop_fd);
  if (enrolled.ok()) spdlog::info("enrolled as robot {}", arguments.enrol.robot);
  return enrolled;
}

absl::Status Live(Arguments arguments, int stop_fd) {
  auto address = agent::daemon::ParseAddress(arguments.daemon.server);
  if (!address.ok()) return address.status();
  auto lock = agent::daemon::LockState(arguments.daemon.state);
  if (!lock.ok()) return lock.status();
  agent::base::OsFiles files;
  agent::base::SystemClock clock;
  if (absl::Status status = BeEnrolled(arguments, files, clock, stop_fd); !status.ok()) {
    return status;
  }
  arguments.daemon.report_every = std::chrono::milliseconds(arguments.report_ms);
  arguments.daemon.reserve_bytes = uint64_t{arguments.reserve_mb} * 1'000'000;
  auto daemon = agent::daemon::Daemon::Make(arguments.daemon, files, clock);
  if (!daemon.ok()) return daemon.status();
  return (*daemon)->Run(stop_fd);
}

// gatekeeper-agent rearm --state DIR [APPROVAL...]: beside a robot without network.
struct CarryArguments {
  std::string state;
  std::vector<std::string> approvals;
};

absl::Status Carry(const CarryArguments& arguments) {
  agent::base::OsFiles files;
  if (arguments.approvals.empty()) {
    const auto challenge = agent::daemon::PresentChallenge(files, arguments.state);
    if (challenge.ok()) std::fputs(challenge->c_str(), stdout);
    return challenge.status();
  }
  const absl::Status carried =
      agent::daemon::CarryApprovals(files, arguments.state, arguments.approvals);
  if (carried.ok()) std::puts("the robot may be started again; it does not move by itself");
  return carried;
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's abseil keeps a graph of all locks otherwise: gRPC pays for it with every message.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  spdlog::set_default_logger(spdlog::stderr_logger_mt("gatekeeper-agent"));
  // gRPC repeats its troubles at each try; what they mean is said once, by us.
  gpr_set_log_function([](gpr_log_func_args* said) { spdlog::debug("{}", said->message); });
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l: %v");
  CLI::App app(
      "The robot's link to its gatekeeper: enrols, fetches and verifies units, tells "
      "gatekeeper-control what to run, reports what runs.");
  Arguments arguments;
  const bool carries = argc > 1 && std::string_view(argv[1]) == "rearm";
  CarryArguments carry;
  if (carries) {
    CLI::App* rearm = app.add_subcommand(
        "rearm", "Print the challenge of a latched emergency stop, or hand in approvals of it");
    rearm->add_option("--state", carry.state, "State folder of this robot")->required();
    rearm->add_option("APPROVAL", carry.approvals, "Files that `gatekeeper rearm sign` made");
  } else {
    Declare(app, arguments);
    app.footer("gatekeeper-agent rearm --help: re-arm without a network.");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (carries) {
    const absl::Status status = Carry(carry);
    if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return ExitCode(status);
  }
  const agent::base::UniqueFd stop = StopSignals();
  const absl::Status status = Live(arguments, stop.get());
  if (!status.ok()) spdlog::error("{}", std::string(status.message()));
  return ExitCode(status);
}
