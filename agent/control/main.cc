#include <fcntl.h>
#include <signal.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/signalfd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/control/control_loop.h"
#include "agent/control/realtime.h"
#include "agent/control/worker_source.h"

// gatekeeper-control --state DIR [--worker PATH] [--library PATH] [--worker-memory-mib N]
//   [--sysfs-root DIR] [--record-images-hz N]
// Exit codes: 0 asked to stop; 1 the state folder or its sockets cannot be used; 2 wrong usage.

namespace {

using agent::base::UniqueFd;
using agent::control::ControlCore;
using agent::control::ControlLoop;
using agent::control::PacketPort;

struct Arguments {
  std::string state;
  agent::control::WorkerProgram worker;
  std::string sysfs_root = "/sys";
  agent::control::RecorderOptions recorder;
};

// The worker installed beside this program.
std::string DefaultWorker() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "gatekeeper-worker").string();
}

std::optional<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  arguments.worker.path = DefaultWorker();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--state") {
      arguments.state = argv[i + 1];
    } else if (name == "--worker") {
      arguments.worker.path = argv[i + 1];
    } else if (name == "--library") {
      arguments.worker.library = argv[i + 1];
    } else if (name == "--worker-memory-mib") {
      uint32_t& mib = arguments.worker.memory_mib;
      if (!absl::SimpleAtoi(argv[i + 1], &mib) || mib == 0) return std::nullopt;
    } else if (name == "--sysfs-root") {
      arguments.sysfs_root = argv[i + 1];
    } else if (name == "--record-images-hz") {
      double& hz = arguments.recorder.images_hz;
      if (!absl::SimpleAtod(argv[i + 1], &hz) || !(hz > 0 && hz <= 1000)) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  arguments.recorder.ring.folder = arguments.state + "/control/recorder";
  return argc % 2 == 1 && !arguments.state.empty() ? std::optional(arguments) : std::nullopt;
}

// Held until the process ends, however it ends.
absl::StatusOr<UniqueFd> LockFolder(const std::string& folder) {
  const std::string path = folder + "/lock";
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return absl::InternalError("cannot open " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(
        "another gatekeeper-control serves this state folder: it holds " + path);
  }
  return fd;
}

// SIGTERM and SIGINT as a descriptor. Call before any thread is started: they inherit the mask.
UniqueFd StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Lines are written by another thread and given up when nobody takes them: logging never waits.
void LogWithoutWaiting() {
  constexpr size_t kLines = 1024;
  spdlog::init_thread_pool(kLines, 1);
  auto logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("gatekeeper-control");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

absl::Status Serve(const Arguments& arguments) {
  const UniqueFd stop = StopSignals();
  const std::string folder = arguments.state + "/control";
  agent::base::OsFiles files;
  RETURN_IF_ERROR(files.MakeFolders(folder));
  ASSIGN_OR_RETURN(const UniqueFd lock, LockFolder(folder));
  ASSIGN_OR_RETURN(PacketPort robot, PacketPort::Listen(folder + "/robot.sock"));
  ASSIGN_OR_RETURN(PacketPort agent, PacketPort::Listen(folder + "/agent.sock"));
  LogWithoutWaiting();

  const agent::base::SystemClock clock;
  ASSIGN_OR_RETURN(
      const auto source,
      agent::control::WorkerSource::Start(
          {.trust_path = arguments.state + "/trust.json", .worker = arguments.worker}, files));
  agent::control::FlightRecorder recorder(arguments.recorder, clock);
  agent::control::HealthThread health(arguments.sysfs_root, clock);
  agent::control::ShadowThread shadow;
  ControlCore core(arguments.state, files, clock, *source);
  const bool realtime = agent::control::BecomeRealtime();
  spdlog::info("serving {}, realtime {}", arguments.state, realtime);
  ControlLoop loop({.core = core,
                    .clock = clock,
                    .unit_news_fd = source->news_fd(),
                    .health = health,
                    .shadow = shadow,
                    .recorder = recorder,
                    .robot = std::move(robot),
                    .agent = std::move(agent),
                    .realtime = realtime,
                    .supervisor = agent::base::Supervisor::FromEnvironment()});
  loop.Run(stop.get());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments) {
    std::fprintf(stderr,
                 "usage: gatekeeper-control --state DIR [--worker PATH] [--library PATH] "
                 "[--worker-memory-mib N]\n"
                 "  [--sysfs-root DIR] [--record-images-hz N]\n");
    return 2;
  }
  const absl::Status served = Serve(*arguments);
  spdlog::shutdown();
  if (served.ok()) return 0;
  std::fprintf(stderr, "gatekeeper-control: %s\n", std::string(served.message()).c_str());
  return 1;
}
