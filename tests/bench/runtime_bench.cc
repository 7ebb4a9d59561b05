// What the robot's own code adds to ONNX Runtime's bare call: the whole control tick in process,
// the policy check alone, the way to a sandboxed worker and back, and the whole path from the
// robot's socket through gatekeeper-control and its worker back to the robot.
//
// Two robots: `grid` is the least that a policy can ask, `hall` is the demonstration's, with scan,
// zones, envelope and requirements.

#include <algorithm>

#include "agent/base/sealed_memory.h"
#include "agent/control/realtime.h"
#include "agent/control/worker_model.h"
#include "agent/control/worker_process.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/runtime/controller.h"
#include "tests/bench/bare_onnx.h"
#include "tests/bench/grid_robot.h"
#include "tests/bench/hall_robot.h"
#include "tests/bench/measure.h"
#include "tests/bench/served_robot.h"

namespace {

namespace runtime = agent::runtime;
namespace v1 = gatekeeper::v1;
using agent::base::Nanos;
using agent::inference::OnnxRuntime;
using bench::BareOnnx;
using bench::Bench;
using bench::Contender;
using bench::Must;
using bench::Network;
using bench::Timings;
using std::chrono::milliseconds;

constexpr Nanos kPeriod = milliseconds(50);  // of the policy; the robot's time, not ours
constexpr Nanos kPatience = std::chrono::seconds(10);
constexpr int kBeams = 181;
constexpr float kFar_m = 4;  // beyond every scan zone

// Caches as warm as they get, and as cold as they are at a robot's pace.
constexpr bench::Rounds kBackToBack{.rounds = 1000, .settle = 2, .timed = 20};
constexpr bench::Rounds kPaced{.rounds = 1500, .pace = milliseconds(1)};
constexpr bench::Rounds kSlowModel{.rounds = 150, .settle = 1, .timed = 5};

struct Body {
  std::string name;
  std::shared_ptr<const runtime::UnitRules> rules;
  bench::ServedRobot::Robot robot;
};
Body GridBody() {
  return {
      "grid", bench::GridRules(), {bench::GridDocuments(), bench::GridPacket(), bench::StampGrid}};
}
Body HallBody(int64_t inputs) {
  return {"hall",
          bench::HallRules(inputs),
          {bench::HallDocuments(inputs), bench::HallPacket(kBeams, kFar_m), bench::Stamp}};
}

// A robot that is driven by one network, tick by tick in its own time.
class DrivenRobot {
 public:
  DrivenRobot(const OnnxRuntime& onnx, const Network& network, const Body& body)
      : rules_(body.rules),
        model_(Must(
            onnx.Load(network.onnx, Must(runtime::SignatureFor(rules_->card, rules_->policy))))),
        pilot_{.digest = std::string(64, 'a'),
               .rules = rules_,
               .binding = Must(
                   runtime::Binding::Compile(rules_->card, rules_->policy, model_->signature())),
               .model = model_.get()},
        controller_(runtime::LatchState{}),
        packet_(body.robot.packet),
        stamp_(body.robot.stamp) {
    controller_.SwapTo(&pilot_, nullptr, now_);
  }

  void Observe() {
    now_ += kPeriod;
    stamp_(packet_, now_);
    controller_.Observe(packet_, now_);
  }
  // What the observation costs before the model sees it.
  void FillInputs() {
    if (!pilot_.binding.Fill(controller_.board(), *model_)) bench::GiveUp("inputs do not fill");
  }
  void Tick() {
    Observe();
    const runtime::Tick& tick = controller_.Step(now_);
    ++ticks_;
    driven_ += tick.state == "NOMINAL" && tick.raw.size() == 2 ? 1 : 0;
  }

  // A busy machine may make an answer late now and then; more would be the figure of a fallback.
  void CheckDriven() const {
    if (driven_ * 100 < ticks_ * 99) bench::GiveUp("the model did not drive the measured ticks");
  }

 private:
  std::shared_ptr<const runtime::UnitRules> rules_;
  std::unique_ptr<agent::base::Model> model_;
  runtime::Pilot pilot_;
  runtime::Controller controller_;
  v1::Observation packet_;
  void (*stamp_)(v1::Observation&, Nanos);
  Nanos now_{kPeriod};
  int ticks_ = 0;
  int driven_ = 0;
};

struct TickTargets {
  Bench::AddedTargets warm;
  std::string paced_p50 = "-";
};

void MeasureTick(Bench& bench, const OnnxRuntime& onnx, const Network& network, const Body& body,
                 const TickTargets& targets) {
  // Everybody has a session of his own, so that all find their weights equally cold.
  BareOnnx bare(agent::inference::DefaultLibraryPath(), network.onnx, network.tensors);
  const auto model = Must(onnx.Load(network.onnx, network.tensors));
  DrivenRobot robot(onnx, network, body);
  DrivenRobot listener(onnx, network, body);
  const Contender run_bare = [&] { bare.Run(); };
  const Contender tick = [&] { robot.Tick(); };

  const std::vector<Timings> warm =
      bench.Interleave(kBackToBack, {run_bare, tick, [&] { model->Run(kPatience); },
                                     [&] { listener.Observe(); }, [&] { listener.FillInputs(); }});
  const std::vector<Timings> paced = bench.Interleave(kPaced, {run_bare, tick});
  robot.CheckDriven();

  const std::string name = body.name + "_tick_" + network.name;
  bench.Print(name + "/bare_p50", warm[0].p50_ns() * 1e-3, "us");
  bench.PrintAdded(name, warm[1], warm[0], targets.warm);
  bench.Print(name + "/of_which_observe", warm[3].p50_ns() * 1e-3, "us");
  bench.Print(name + "/of_which_fill", warm[4].p50_ns() * 1e-3, "us");
  bench.PrintAdded(body.name + "_model_run_" + network.name, warm[2], warm[0], {});
  bench.Print(name + "_at_1khz/bare_p50", paced[0].p50_ns() * 1e-3, "us");
  bench.PrintAdded(name + "_at_1khz", paced[1], paced[0], {.p50 = targets.paced_p50});
}

// A model that takes its time: what is around it must not show.
void MeasureSlowModel(Bench& bench, const OnnxRuntime& onnx, const Network& network,
                      const Body& body) {
  BareOnnx bare(agent::inference::DefaultLibraryPath(), network.onnx, network.tensors);
  DrivenRobot robot(onnx, network, body);
  const std::vector<Timings> timings =
      bench.Interleave(kSlowModel, {[&] { bare.Run(); }, [&] { robot.Tick(); }});
  robot.CheckDriven();
  const std::string name = body.name + "_tick_" + network.name;
  bench.Print(name + "/bare_p50", timings[0].p50_ns() * 1e-3, "us", ">= 500 us");
  bench.PrintAdded(name, timings[1], timings[0], {.ratio = "<= 1.03 x"});
}

// Everything a command is judged by, on a scan in which every beam is near enough to be looked at.
class PolicyCheck {
 public:
  explicit PolicyCheck(int beams)
      : rules_(bench::ManyCorneredRules()),
        packet_(bench::HallPacket(beams, kNear_m)),
        separation_(rules_->policy) {}

  void Run() {
    const runtime::Policy& policy = rules_->policy;
    const runtime::Pose2 pose{.x_m = 10, .y_m = 6, .yaw_rad = 0};
    enforcement_.reasons.clear();
    bench::DoNotOptimize(runtime::StandingAt(policy, pose, enforcement_.reasons));
    separation_.See(packet_.scan(), ++scans_);
    const runtime::Situation situation{
        .last = last_,
        .last_raw = last_,
        .acc_s = 0.05,
        .dec_s = 0.05,
        .motion = runtime::Motion{.pose = pose, .vx_mps = 1, .wz_radps = 0.2, .age = Nanos(0)},
        .joints_rad = {}};
    runtime::Enforce(policy, separation_, wanted_, situation, enforcement_);
    if (!runtime::IsSound(policy, wanted_, enforcement_.values)) bench::GiveUp("unsound command");
  }

 private:
  // Ahead of every zone, and less than the farthest corner of any.
  static constexpr float kNear_m = 0.95F;

  std::shared_ptr<const runtime::UnitRules> rules_;
  v1::Observation packet_;
  runtime::Separation separation_;
  runtime::Enforcement enforcement_;
  uint64_t scans_ = 0;
  const std::vector<double> last_{1.0, 0.2};
  const std::vector<double> wanted_{1.0, 0.25};
};

void MeasurePolicyCheck(Bench& bench) {
  PolicyCheck few(181);
  PolicyCheck many(720);
  const std::vector<Timings> timings =
      bench.Interleave(kBackToBack, {[&] { few.Run(); }, [&] { many.Run(); }});
  bench.Print("policy_check_181_beams/p50", timings[0].p50_ns() * 1e-3, "us");
  bench.Print("policy_check_181_beams/p99", timings[0].p99_ns() * 1e-3, "us");
  bench.Print("policy_check_720_beams/p50", timings[1].p50_ns() * 1e-3, "us");
  bench.Print("policy_check_720_beams/p99", timings[1].p99_ns() * 1e-3, "us", "<= 100 us");
}

void MeasureWorker(Bench& bench, const Network& network) {
  const std::string library = agent::inference::DefaultLibraryPath();
  const auto sealed = Must(agent::base::SealBytes("model", network.onnx));
  const auto channel = std::make_shared<agent::base::WorkerChannel>(
      Must(agent::base::WorkerChannel::Create(network.tensors)));
  const auto process = Must(agent::control::WorkerProcess::Start(
      {.path = GATEKEEPER_WORKER, .library = library},
      {.model_fd = sealed.get(), .channel_fd = channel->fd(), .providers = {}}));
  if (!channel->WaitLoaded(agent::base::SystemClock().Now() + kPatience) ||
      channel->state() != agent::base::WorkerState::kReady) {
    bench::GiveUp("the worker did not load its model: " + channel->text());
  }
  agent::control::WorkerModel worker(channel, [] {});
  std::ranges::fill(worker.input(0), 0.5F);
  BareOnnx bare(library, network.onnx, network.tensors);
  const std::vector<Contender> contenders = {
      [&] { bare.Run(); },
      [&] {
        if (worker.Run(kPatience) != agent::base::RunOutcome::kDone) {
          bench::GiveUp("the worker did not answer");
        }
      }};

  const std::vector<Timings> warm = bench.Interleave(kBackToBack, contenders);
  const std::vector<Timings> paced = bench.Interleave(kPaced, contenders);

  bench.PrintAdded("worker_" + network.name, warm[1], warm[0], {});
  bench.PrintAdded("worker_" + network.name + "_at_1khz", paced[1], paced[0], {});
}

void MeasureWholePath(Bench& bench, const Network& network, const Body& body) {
  bench::ServedRobot robot(body.robot, network);
  BareOnnx bare(agent::inference::DefaultLibraryPath(), network.onnx, network.tensors);
  const std::vector<Contender> contenders = {[&] { bare.Run(); }, [&] { robot.Exchange(); }};

  const std::vector<Timings> warm = bench.Interleave(kBackToBack, contenders);
  const std::vector<Timings> paced = bench.Interleave(kPaced, contenders);
  robot.CheckDriven();

  const std::string name = "whole_path_" + body.name + "_" + network.name;
  bench.Print(name + "/bare_p50", warm[0].p50_ns() * 1e-3, "us");
  bench.PrintAdded(name, warm[1], warm[0], {.p50 = "<= 60 us", .p99 = "<= 250 us"});
  bench.PrintAdded(name + "_at_1khz", paced[1], paced[0], {});
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("runtime", argc, argv);
  const auto onnx = Must(OnnxRuntime::Open(agent::inference::DefaultLibraryPath()));
  const Network grid = bench::MakeNetwork({1, 8, 8}, 256, 8);
  const Network small_hall = bench::MakeNetwork({28}, 64, 2);
  const Network hall = bench::MakeNetwork({64}, 256, 8);
  MeasureTick(bench, *onnx, grid, GridBody(),
              {.warm = {.p50 = "<= 0.5 us", .p99 = "<= 2 us"}, .paced_p50 = "<= 3 us"});
  MeasureTick(bench, *onnx, small_hall, HallBody(small_hall.inputs), {});
  MeasureTick(bench, *onnx, hall, HallBody(hall.inputs), {});
  const Network slow_grid = bench::MakeNetwork({1, 8, 8}, 2048, 8);
  MeasureSlowModel(bench, *onnx, slow_grid, GridBody());
  const Network slow_hall = bench::MakeNetwork({64}, 2048, 8);
  MeasureSlowModel(bench, *onnx, slow_hall, HallBody(slow_hall.inputs));
  MeasurePolicyCheck(bench);
  MeasureWorker(bench, hall);
  // As control and its driving worker, where that is permitted. Last: the thread stays realtime.
  bench.Print("whole_path/realtime", agent::control::BecomeRealtime() ? 1 : 0, "yes");
  MeasureWholePath(bench, grid, GridBody());
  MeasureWholePath(bench, hall, HallBody(hall.inputs));
  return 0;
}
