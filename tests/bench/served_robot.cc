#include "tests/bench/served_robot.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/packet_socket.h"
#include "agent/inference/onnx_runtime.h"
#include "proto/control.pb.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/bench/measure.h"

namespace bench {
namespace {

namespace trust = agent::trust;
namespace v1 = gatekeeper::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kPatience = seconds(60);
constexpr Nanos kAnswerWithin = seconds(5);
constexpr Nanos kLease = seconds(3600);  // longer than any run
constexpr double kSpeed_mps = 0.3;       // what every network here asks for

Nanos Now() { return agent::base::SystemClock().Now(); }

// Tries again until it is true.
template <class Try>
void WaitFor(const std::string& what, const Try& tried) {
  const Nanos until = Now() + kPatience;
  while (!tried()) {
    if (Now() > until) GiveUp(what + " did not come about");
    std::this_thread::sleep_for(milliseconds(2));
  }
}

// Of the one robot at a time. A benchmark that gives up leaves nobody behind who holds its output.
pid_t serving = 0;
void EndServing() {
  if (serving == 0) return;
  kill(serving, SIGKILL);
  waitpid(std::exchange(serving, 0), nullptr, 0);
}

}  // namespace

ServedRobot::ServedRobot(Robot robot, const Network& network) : robot_(std::move(robot)) {
  Install(network);
  StartControl();
  Commit();
  Settle();
}

ServedRobot::~ServedRobot() { EndServing(); }

// The unit in its slot, sealed, and those who sealed it trusted.
void ServedRobot::Install(const Network& network) {
  const tests::Signers signers;
  Documents files = robot_.documents;
  files[trust::kModelFile] = network.onnx;
  const v1::Manifest manifest = tests::ManifestOf(files);
  digest_ = trust::Sha256(trust::CanonicalManifest(manifest)).hex();
  const std::string slot = folder_ / ("state/slots/" + digest_);
  tests::WriteUnit(slot, files, manifest);
  tests::WriteSeal(slot, tests::SealOf(manifest, signers, signers.Passed()));
  tests::WriteFile(folder_ / "state/trust.json", signers.trust.ToJson());
}

void ServedRobot::StartControl() {
  const std::string state = folder_ / "state";
  std::vector<std::string> words = {GATEKEEPER_CONTROL,
                                    "--state",
                                    state,
                                    "--worker",
                                    GATEKEEPER_WORKER,
                                    "--library",
                                    agent::inference::DefaultLibraryPath()};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, (folder_ / "control.log").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t started = 0;
  const int failed =
      posix_spawn(&started, GATEKEEPER_CONTROL, &quiet, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (failed != 0) GiveUp("gatekeeper-control does not start");
  [[maybe_unused]] static const int once = std::atexit(EndServing);
  serving = started;
  WaitFor("gatekeeper-control's socket for the robot", [&] {
    auto client = agent::client::RobotClient::Connect(state + "/control/robot.sock");
    if (client.ok()) client_ = *std::move(client);
    return client_.has_value();
  });
  WaitFor("gatekeeper-control's socket for the agent", [&] {
    auto agent = agent::base::ConnectPackets(state + "/control/agent.sock");
    if (agent.ok()) agent_ = *std::move(agent);
    return agent.ok();
  });
}

void ServedRobot::Commit() {
  v1::ControlOrder order;
  order.set_seq(1);
  order.set_stage(v1::STAGE_COMMIT);
  order.set_candidate_digest(digest_);
  order.set_lease_ms(static_cast<uint32_t>(kLease / milliseconds(1)));
  order.set_link_up(true);
  Must(agent::base::SendPacket(agent_.get(), order.SerializeAsString()));
  WaitFor("the commitment of the unit", [&] {
    Exchange();
    return command_.unit_digest() == digest_;
  });
}

void ServedRobot::Settle() {
  WaitFor("the model's speed", [&] {
    Exchange();
    return command_.state() == "NOMINAL" && command_.values_size() == 2 &&
           command_.values(0) > kSpeed_mps - 1e-3;
  });
  exchanges_ = driven_ = 0;
}

void ServedRobot::Exchange() {
  robot_.stamp(robot_.packet, Now());
  command_ = Must(client_->Exchange(robot_.packet, kAnswerWithin));
  ++exchanges_;
  driven_ += command_.state() == "NOMINAL" ? 1 : 0;
}

void ServedRobot::CheckDriven() const {
  if (driven_ * 100 < exchanges_ * 99) {
    GiveUp("the model did not drive the measured exchanges; last: " + command_.ShortDebugString());
  }
}

}  // namespace bench
