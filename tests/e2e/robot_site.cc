#include "tests/e2e/robot_site.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;

std::string MakeState(const Stage& stage, const std::string& name) {
  std::string state = stage.path(name);
  std::filesystem::create_directories(state);
  return state;
}

uint64_t SeedOf(const std::string& name) { return std::hash<std::string>()(name) % 1000; }

pid_t ParentOf(const std::filesystem::path& proc) {
  std::ifstream stat(proc / "stat");
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name;
  char state = 0;
  const bool read = static_cast<bool>(stat >> pid >> name >> state >> parent);
  return read && state != 'Z' ? parent : -1;
}

std::string Tail(const std::string& text) {
  constexpr size_t kTail = 3000;
  return text.size() > kTail ? "..." + text.substr(text.size() - kTail) : text;
}

}  // namespace

EnrolWords RegisterRobot(const Stage& stage, const std::string& fleet, const std::string& robot) {
  const Finished made = stage.Cli(
      {"robot", "create", robot, "--fleet", fleet, "--hardware", "diff-drive-2", "-o", "json"});
  const auto reply = nlohmann::json::parse(made.out, nullptr, false);
  if (made.code != 0 || !reply.is_object()) {
    std::fprintf(stderr, "robot %s cannot be registered: %s\n", robot.c_str(), made.err.c_str());
    std::abort();
  }
  return {.robot = robot, .token = reply["token"], .ca_sha256 = reply["ca_sha256"]};
}

Launch AgentLaunch(const Stage& stage, const std::string& state, const EnrolWords& enrol) {
  return {.words = {GATEKEEPER_AGENT, "--state", state, "--server", stage.address(), "--enrol",
                    stage.enrol_address(), "--robot", enrol.robot, "--token", enrol.token,
                    "--ca-sha256", enrol.ca_sha256, "--report-ms", "100"},
          .log = state + "/agent.log"};
}

RobotSite::RobotSite(Stage& stage, std::string fleet, std::string name)
    : stage_(stage),
      fleet_(std::move(fleet)),
      name_(std::move(name)),
      state_(MakeState(stage, name_)),
      control_({.words = {GATEKEEPER_CONTROL, "--state", state_}, .log = state_ + "/control.log"}),
      agent_(AgentLaunch(stage, state_, RegisterRobot(stage, fleet_, name_))),
      witness_(state_),
      program_(state_ + "/control/robot.sock", SeedOf(name_)) {
  control_.Start();
  agent_.Start();
  const bool heard = Eventually([this] {
    const v1::RobotView view = View();
    return view.connected() && view.observed().has_control();
  });
  if (heard) return;
  std::fprintf(stderr, "robot %s does not come up:\n%s", name_.c_str(), Describe().c_str());
  std::abort();
}

std::set<pid_t> RobotSite::Workers() {
  std::set<pid_t> workers;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (control_.pid() > 0 && ParentOf(entry.path()) == control_.pid()) {
      workers.insert(std::atoi(pid.c_str()));
    }
  }
  return workers;
}

void RobotSite::Forget() {
  program_.Forget();
  witness_.Forget();
}

bool RobotSite::SettlesOn(const std::string& digest) {
  return Eventually([&] {
    const v1::RobotView view = View();
    const v1::Pointer& heard = view.observed().control().pointer();
    const v1::Pointer stands = witness_.Now();
    const bool named = stands.phase() == v1::COMMITTED && stands.committed_digest() == digest &&
                       heard.phase() == v1::COMMITTED && heard.committed_digest() == digest &&
                       view.observed().control().running_digest() == digest;
    if (!named) return false;
    program_.Forget();
    return program_.LiveThrough(10) && program_.Lived().units == std::set<std::string>{digest};
  });
}

std::string RobotSite::Describe() {
  const RobotProgram::Life life = program_.Lived();
  return absl::StrFormat(
      "robot %s, pointer {%s}\nseen by the gatekeeper: %s\nlast command: %s\n--- control\n%s\n"
      "--- agent\n%s\n",
      name_, witness_.Now().ShortDebugString(), View().ShortDebugString(),
      life.last.ShortDebugString(), Tail(control_.Log()), Tail(agent_.Log()));
}

}  // namespace tests
