#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "gatekeeper/sim/live_robot.h"
#include "gatekeeper/sim/scenario_library.h"
#include "gatekeeper/sim/train.h"

namespace {

namespace sim = gatekeeper::sim;

struct LiveArguments {
  std::vector<std::string> sockets;  // NAME=PATH
  uint64_t seed = 1;
  std::string report;
};

int Fail(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
}

// Robots live, one thread each, until SIGINT or SIGTERM.
absl::Status Live(const LiveArguments& arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::vector<sim::LiveReport> reports(arguments.sockets.size());
  std::stop_source stop;
  std::vector<std::jthread> robots;
  for (size_t i = 0; i < arguments.sockets.size(); ++i) {
    const std::string& text = arguments.sockets[i];
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      stop.request_stop();
      return absl::InvalidArgumentError("a robot is given as NAME=SOCKET, not '" + text + "'");
    }
    const sim::LiveSpec spec{text.substr(0, equals), text.substr(equals + 1), arguments.seed + i};
    robots.emplace_back(
        [&reports, &stop, spec, i] { reports[i] = LiveOneRobot(spec, stop.get_token()); });
  }
  int signal = 0;
  sigwait(&signals, &signal);
  stop.request_stop();
  robots.clear();  // joins
  std::string text;
  for (const sim::LiveReport& report : reports) text += sim::ToJson(report) + "\n";
  if (arguments.report.empty()) {
    std::fputs(text.c_str(), stdout);
    return absl::OkStatus();
  }
  return agent::base::OsFiles().WriteDurably(arguments.report, text, 0644);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The demonstration's world: a hall, a laser, robots and people", "gatekeeper-sim");
  app.require_subcommand(1);
  int exit_code = 0;

  sim::LibrarySpec library;
  CLI::App* record = app.add_subcommand("record", "record a scenario library");
  record->add_option("--out", library.folder, "new folder")->required();
  record->add_option("--seed", library.seed)->capture_default_str();
  record
      ->add_option("--clips", library.clips_per_segment,
                   "clips of narrow aisles and of crowds; twice as many clean, half as many dusty")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  record->add_option("--seconds", library.clip_seconds, "length of a clip")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  record->callback([&] { exit_code = Fail(sim::RecordLibrary(library)); });

  LiveArguments live_arguments;
  CLI::App* live = app.add_subcommand("live", "robots that ask gatekeeper-control at 20 Hz");
  live->add_option("ROBOT", live_arguments.sockets, "NAME=SOCKET, one a robot")->required();
  live->add_option("--seed", live_arguments.seed)->capture_default_str();
  live->add_option("--report", live_arguments.report, "JSON lines at the end; default: stdout");
  live->callback([&] { exit_code = Fail(Live(live_arguments)); });

  std::string folder;
  std::string lesson = "nav";
  CLI::App* train = app.add_subcommand("train", "train the models of the shipped policies");
  train->add_option("FOLDER", folder, "with the cards and control_policy.yaml; gets models/")
      ->required();
  train->add_option("--lesson", lesson, "which of the shipped policies it holds")
      ->check(CLI::IsMember({"nav", "lane", "cell"}))
      ->capture_default_str();
  train->callback([&] {
    exit_code = Fail(lesson == "lane"   ? sim::TrainLane(folder)
                     : lesson == "cell" ? sim::TrainCell(folder)
                                        : sim::TrainModels(folder, sim::DemoRecipes()));
  });

  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
