// What a release costs before it drives and while it takes over: the scan of its bytes, a worker
// until it is ready, and the frames of the unit that drives meanwhile.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/sealed_memory.h"
#include "agent/control/realtime.h"
#include "agent/control/worker_model.h"
#include "agent/control/worker_process.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/inference/onnx_scan.h"
#include "tests/bench/hall_robot.h"
#include "tests/bench/measure.h"

namespace {

using agent::base::Nanos;
using agent::base::SystemClock;
using bench::Bench;
using bench::Must;
using bench::Network;
using bench::Timings;
using std::chrono::milliseconds;

constexpr Nanos kPatience = std::chrono::seconds(60);
constexpr Nanos kPeriod = milliseconds(10);  // and the deadline
constexpr int kFramesASwap = 10;

// A worker that serves one network.
class Unit {
 public:
  explicit Unit(const Network& network)
      : sealed_(Must(agent::base::SealBytes("model", network.onnx))),
        channel_(std::make_shared<agent::base::WorkerChannel>(
            Must(agent::base::WorkerChannel::Create(network.tensors)))),
        process_(Must(agent::control::WorkerProcess::Start(
            {.path = GATEKEEPER_WORKER, .library = agent::inference::DefaultLibraryPath()},
            {.model_fd = sealed_.get(), .channel_fd = channel_->fd(), .providers = {}}))) {
    if (!channel_->WaitLoaded(SystemClock().Now() + kPatience) ||
        channel_->state() != agent::base::WorkerState::kReady) {
      bench::GiveUp("the worker did not load its model: " + channel_->text());
    }
    agent::control::SetUrgency(process_.pid(), agent::control::Urgency::kDriving);
    model_ = std::make_unique<agent::control::WorkerModel>(channel_, [] {});
    std::ranges::fill(model_->input(0), 0.5F);
  }

  bool Answer(Nanos budget) { return model_->Run(budget) == agent::base::RunOutcome::kDone; }

 private:
  agent::base::UniqueFd sealed_;
  std::shared_ptr<agent::base::WorkerChannel> channel_;
  agent::control::WorkerProcess process_;
  std::unique_ptr<agent::control::WorkerModel> model_;
};

// Builds units on a thread of its own, which also ends them: workers die with the thread that
// started them.
class Builder {
 public:
  explicit Builder(const Network& network) : network_(network), thread_([this] { Work(); }) {}
  ~Builder() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  void Order() {
    {
      const std::lock_guard lock(mutex_);
      wanted_ = true;
    }
    changed_.notify_one();
  }
  // At a frame boundary: the new unit, if there is one, in place of `serving`.
  bool Exchange(Unit*& serving) {
    Unit* const built = built_.exchange(nullptr);
    if (built == nullptr) return false;
    retired_.store(std::exchange(serving, built));
    return true;
  }
  Unit* First() {
    Order();
    while (built_.load() == nullptr) std::this_thread::sleep_for(milliseconds(1));
    return built_.exchange(nullptr);
  }

 private:
  void Work() {
    while (true) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return wanted_ || stop_; });
        if (stop_) break;
        wanted_ = false;
      }
      std::erase_if(units_, [old = retired_.exchange(nullptr)](const auto& unit) {
        return unit.get() == old;
      });
      units_.push_back(std::make_unique<Unit>(network_));
      built_.store(units_.back().get());
    }
    units_.clear();
  }

  const Network& network_;
  std::vector<std::unique_ptr<Unit>> units_;  // of the thread
  std::atomic<Unit*> built_ = nullptr;
  std::atomic<Unit*> retired_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  bool stop_ = false;
  std::thread thread_;
};

enum class Phase { kQuiet, kSwaps, kStopTheWorld };

struct Frames {
  Timings took;  // release to done
  int missed = 0;
  int swaps = 0;
};

// Frames at 100 Hz. A swap is ordered every 10 frames, and takes place when the unit is there.
Frames Drive(Builder& builder, const Network& network, Unit*& serving, Phase phase, int frames) {
  const SystemClock clock;
  Frames result;
  std::vector<double> took_ns;
  Nanos release = clock.Now();
  for (int i = 0; i < frames; ++i) {
    release += kPeriod;
    std::this_thread::sleep_for(release - clock.Now());
    if (phase == Phase::kSwaps && i % kFramesASwap == 0) builder.Order();
    if (builder.Exchange(serving)) ++result.swaps;
    if (phase == Phase::kStopTheWorld && i % kFramesASwap == 0) {
      const Unit built_in_the_loop(network);
      ++result.swaps;
    }
    const bool answered = serving->Answer(kPeriod);
    const Nanos took = clock.Now() - release;
    took_ns.push_back(static_cast<double>(took.count()));
    if (!answered || took > kPeriod) ++result.missed;
    release = std::max(release, clock.Now() - kPeriod);  // a late loop does not catch up in a rush
  }
  result.took.Add(took_ns, true);
  return result;
}

void MeasureScan(Bench& bench) {
  const Network network = bench::MakeNetwork({2'560}, 1'000, 8);
  const std::string& bytes = network.onnx;
  const std::vector<Timings> timings = bench.Interleave(
      {.rounds = 300, .timed = 5}, {[&] { Must(agent::inference::ScanOnnx(bytes)); }});
  const double per_10_mb = timings[0].p50_ns() * 1e-6 * 1e7 / static_cast<double>(bytes.size());
  bench.Print("scan_10_mb/p50", per_10_mb, "ms", "<= 1 ms");
}

void MeasureSwaps(Bench& bench, const Network& network) {
  Builder builder(network);
  Unit* serving = builder.First();
  const bool realtime = agent::control::BecomeRealtime();
  const int frames = bench.Sized(1'000, 20);
  const auto drive = [&](Phase phase) { return Drive(builder, network, serving, phase, frames); };
  (void)drive(Phase::kQuiet);  // settles
  const Frames quiet = drive(Phase::kQuiet);
  const Frames swaps = drive(Phase::kSwaps);
  const Frames stopped = drive(Phase::kStopTheWorld);

  bench.Print("swap/realtime", realtime ? 1 : 0, "yes");
  bench.Print("swap/swaps", swaps.swaps, "of " + std::to_string(frames) + " frames");
  bench.Print("swap/quiet_p99", quiet.took.p99_ns() * 1e-3, "us");
  bench.Print("swap/p99", swaps.took.p99_ns() / quiet.took.p99_ns(), "x quiet",
              realtime ? "<= 1.3 x" : "-");
  bench.Print("swap/quiet_missed", quiet.missed, "frames");
  bench.Print("swap/missed", swaps.missed, "frames",
              realtime ? "<= " + std::to_string(quiet.missed + 1) + " frames" : "-");
  // The measurement has teeth: what must not be done shows.
  bench.Print("swap/stop_the_world_p99", stopped.took.p99_ns() / quiet.took.p99_ns(), "x quiet",
              ">= 5 x");
}

void MeasureLoad(Bench& bench, const Network& network) {
  const std::vector<Timings> timings = bench.Interleave(
      {.rounds = 30, .stopwatch = bench::Stopwatch::kWall}, {[&] { const Unit unit(network); }});
  bench.Print("worker_ready/p50", timings[0].p50_ns() * 1e-6, "ms");
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("inference", argc, argv);
  const Network network = bench::MakeNetwork({64}, 256, 8);
  MeasureScan(bench);
  MeasureLoad(bench, network);
  MeasureSwaps(bench, network);  // last: the thread stays realtime
  return 0;
}
